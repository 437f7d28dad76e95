"""Stage `summary`: the last words of a run."""

from __future__ import annotations

from pathlib import Path

from hakken.files import write_text
from hakken.report.result import gather
from hakken.report.summary import summarise
from hakken.stages import stage
from hakken.study import Study


@stage
def summary(*, study: Study, folder: Path, output: Path) -> None:
    """Write what was found in a finished study, and where, as plain text."""
    write_text(output, summarise(gather(study, folder)))
