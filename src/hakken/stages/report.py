"""Stage `report`: one page with every figure, number and origin."""

from __future__ import annotations

from pathlib import Path

from hakken.console import progress
from hakken.files import write_text
from hakken.report.page import render
from hakken.report.result import gather
from hakken.stages import stage
from hakken.study import Study


@stage
def report(*, study: Study, folder: Path, figures: list[Path], output: Path) -> None:
    """Write the report of a finished study as one self-contained HTML page.

    ``figures`` are the provenance files of the figures; the pictures stand beside them.
    """
    write_text(output, render(gather(study, folder), figures))
    progress(f"{output}")
