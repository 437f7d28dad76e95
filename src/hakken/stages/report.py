"""Stage `report`: one page with every figure, number and origin."""

from __future__ import annotations

from pathlib import Path

from hakken.core.console import progress
from hakken.core.files import write_text
from hakken.report.page import render
from hakken.report.result import gather
from hakken.report.tokens import read_rates
from hakken.stages import stage
from hakken.study import Study


@stage
def report(
    *,
    study: Study,
    folder: Path,
    figures: list[Path],
    output: Path,
    tokens_per_gpu_hour: str | float | None = None,
    tokens_per_node_hour: str | float | None = None,
) -> None:
    """Write the report of a finished study as one self-contained HTML page.

    ``figures`` are the provenance files of the figures; the pictures stand beside them. The tokens are what the site
    counts, where it counts any.
    """
    rates = read_rates(tokens_per_gpu_hour, tokens_per_node_hour)
    write_text(output, render(gather(study, folder), figures, rates))
    progress(f"{output}")
