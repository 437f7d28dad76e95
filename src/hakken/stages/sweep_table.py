"""Stage `sweep_table`: the trials of a sweep as one table."""

from __future__ import annotations

from pathlib import Path

from hakken.core.tables import write_table
from hakken.runs.choice import candidates
from hakken.runs.trials import SEGMENTS, read_trials
from hakken.search import table
from hakken.stages import stage


@stage
def sweep_table(
    *,
    trials: list[Path],
    parameters: list[str],
    output: Path,
    confirmations: list[Path] = [],  # noqa: B006 - never changed
    confirm: int = 0,
) -> None:
    """Write one row for each of ``trials`` and one column for each of the searched ``parameters``.

    Where the ``confirm`` best were trained again (``confirmations``), further columns say what came of it.
    """
    records = read_trials(trials)
    rungs = table.AT_RUNGS if any(SEGMENTS in one for one in records) else ()
    if not confirm:
        write_table(output, *table.sweep_table(records, parameters, rungs))
        return
    again = {
        one.trial["number"]: dict(
            zip(table.CONFIRMED, (len(one.trainings), one.worth, min(one.objectives), max(one.objectives)), strict=True)
        )
        for one in candidates(records, read_trials(confirmations), confirm)
        if one.again
    }
    rows = [record | again.get(record["number"], {}) for record in records]
    write_table(output, *table.sweep_table(rows, parameters, (*rungs, *table.CONFIRMED)))
