"""Stage `summary`: the last words of a run."""

from __future__ import annotations

from pathlib import Path

from hakken.core.files import write_text
from hakken.core.tables import write_table
from hakken.report.result import MEASURED, gather, measured_rows, measured_table
from hakken.report.summary import summarise
from hakken.stages import stage
from hakken.study import Study


@stage
def summary(*, study: Study, folder: Path, output: Path, table: Path, latex: Path) -> None:
    """Write what was found in a finished study, and where, as plain text.

    ``table`` (CSV) holds all that was measured of all models, a line for each number; ``latex`` the table that summary
    and report print.
    """
    result = gather(study, folder)
    heads, rows = measured_table(result)
    write_table(table, MEASURED, measured_rows(result))
    write_table(latex, ["", *heads], rows)
    write_text(output, summarise(result))
