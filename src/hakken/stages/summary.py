"""Stage `summary`: the last words of a run."""

from __future__ import annotations

from pathlib import Path

from hakken.core.files import write_text
from hakken.core.tables import write_table
from hakken.report.result import gather, measured_table
from hakken.report.summary import summarise
from hakken.stages import stage
from hakken.study import Study


@stage
def summary(*, study: Study, folder: Path, output: Path, table: Path, latex: Path) -> None:
    """Write what was found in a finished study, and where, as plain text, and its numbers as CSV and LaTeX."""
    result = gather(study, folder)
    heads, rows = measured_table(result)
    columns = ["measured", *heads]
    write_table(table, columns, rows)
    write_table(latex, columns, rows)
    write_text(output, summarise(result))
