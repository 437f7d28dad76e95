"""The published trials of a run, as later stages read them: in the order of asking, and only as the ledger has them."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from hakken.core.errors import HakkenError
from hakken.core.files import read_json
from hakken.runs.choice import CONFIRMS
from hakken.search.ledger import Ledger
from hakken.search.plain import differences

LEDGER, SHORT = "ledger", 12
"""The folder of a run's ledgers, and how many characters of a generation name the folder of each."""

MAXIMUM_NAMED = 3
REDO = "delete this file and run again: what the ledger says is taken, or the trial is trained anew"


def read_trials(paths: Iterable[Path]) -> list[dict[str, Any]]:
    """Return the records of the files ``sweeps/<run>/trials/<trial>.json`` by their place in the order of asking.

    Raises HakkenError naming a file that says otherwise than the ledger of its run.
    """
    records = [read_trial(path) for path in paths]
    return sorted(records, key=lambda record: (record["sweep"], record.get("place", record["number"])))


def read_trial(path: Path, archived: bool = False) -> dict[str, Any]:
    """Return the record of one trial, which the trial has published first or, as a twin, later.

    Raises HakkenError where the ledger of its run has another; of an ``archived`` run there may be no ledger at all.
    """
    record: dict[str, Any] = read_json(path)
    own = path.parents[1].name
    ledgers = path.parents[2] / record.get("sweep", own) / LEDGER  # the untuned default may be the search's first
    if archived and not ledgers.is_dir():
        return record
    book = Ledger(ledgers / str(record.get("generation", ""))[:SHORT])
    # What confirms a search, or is its first, has a number of its own, and its file that of the job.
    number = int(record["number"] if CONFIRMS in record or record.get("sweep", own) != own else path.stem)
    first = book.result(number)
    if first is None:
        raise HakkenError(f"{path}: the ledger ({book.folder}) has no result of this trial; {REDO}")
    if record not in (first, *book.later_results(number)):
        changes = differences(first, record)
        more = f" and {len(changes) - MAXIMUM_NAMED} more" if len(changes) > MAXIMUM_NAMED else ""
        said = ", ".join(changes[:MAXIMUM_NAMED])
        raise HakkenError(f"{path}: says otherwise than the ledger ({book.folder}): {said}{more}; {REDO}")
    return record
