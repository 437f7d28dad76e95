"""Stage `phantom_table`: the case table of a phantom cohort, before any case is drawn."""

from __future__ import annotations

from pathlib import Path

from hakken.cohort.split import phantom_table as table_of_phantom
from hakken.cohort.table import write_table
from hakken.core.console import progress
from hakken.stages import stage
from hakken.study import Study


@stage
def phantom_table(*, study: Study, cases_per_job: int, output: Path) -> None:
    """Write the phantom's case table to ``output``; its paths count from that folder, as in a table of one's own."""
    table = table_of_phantom(study, output.parent, cases_per_job)
    write_table(output, table, study)
    sizes = ", ".join(f"{sum(case.split == part for case in table.cases)} {part}" for part in study.parts)
    progress(f"{len(table)} cases: {sizes}")
