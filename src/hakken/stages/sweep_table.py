"""Stage `sweep_table`: the trials of a sweep as one table."""

from __future__ import annotations

from pathlib import Path

from hakken.core.tables import write_table
from hakken.runs.trials import read_trials
from hakken.search import table
from hakken.stages import stage


@stage
def sweep_table(*, trials: list[Path], parameters: list[str], output: Path) -> None:
    """Write one row for each of ``trials`` and one column for each of the searched ``parameters``."""
    write_table(output, *table.sweep_table(read_trials(trials), parameters))
