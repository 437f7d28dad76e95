"""The published trials of a run, as later stages read them: in the order of asking, and only as the ledger has them.

Where trainings pause at rungs, a run has a file for each job, with the records of the segments that it trained.
Together they are read as one record for each training: that of its last segment, its costs summed over all.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

from hakken.core.errors import HakkenError
from hakken.core.files import read_json
from hakken.runs.choice import CONFIRMS
from hakken.search.ledger import Ledger
from hakken.search.plain import differences
from hakken.search.segments import BY_RUNG

Record = dict[str, Any]

LEDGER, SHORT = "ledger", 12
"""The folder of a run's ledgers, and how many characters of a generation name the folder of each."""

JOBS = "jobs"
"""The folder of a run with rungs in which each of its jobs has a file."""

SEGMENT, SEGMENTS = "segment", "segments"
"""What a record says of the segment that it is of; all segments of a job, or of a training."""

OF_SEGMENT = ("number", "state", "objective", "start", "end", "seconds", "gpu_seconds", "host", "device", "threads")

MAXIMUM_NAMED = 3
REDO = "delete this file and run again: what the ledger says is taken, or the trial is trained anew"


def read_trials(paths: Iterable[Path], archived: bool = False) -> list[Record]:
    """Return the records of the files ``sweeps/<run>/trials/<trial>.json`` by their place in the order of asking.

    Of a run with rungs the files are all of ``sweeps/<run>/jobs/<job>.json``, and the records those of its trainings.
    Raises HakkenError naming a file that says otherwise than the ledger of its run; of an ``archived`` run there may be
    no ledger at all.
    """
    records = trainings_of([_as_published(path, record, archived) for path in paths for record in _records(path)])
    return sorted(records, key=lambda record: (record["sweep"], record.get("place", record["number"])))


def read_trial(path: Path, archived: bool = False) -> Record:
    """Return the record of one trial, which the trial has published first or, as a twin, later.

    Raises HakkenError where the ledger of its run has another; of an ``archived`` run there may be no ledger at all.
    """
    return _as_published(path, read_json(path), archived)


def is_job(path: Path) -> bool:
    """Whether a file is that of a job of a run with rungs."""
    return path.parent.name == JOBS


def job_of(number: int, segments: Sequence[Record]) -> Record:
    """Return what the file of a job says: which it is, what it has cost, and the records of its ``segments``."""
    costs = {key: round(sum(float(one[key]) for one in segments), 3) for key in ("seconds", "gpu_seconds")}
    same = {key: segments[0][key] for key in ("sweep", "generation")}
    return {**same, "job": number, **costs, SEGMENTS: list(segments)}


def trainings_of(records: Sequence[Record]) -> list[Record]:
    """Return one record for each training of which ``records`` hold segments; others as they are."""
    groups: dict[tuple[str, int], list[Record]] = {}
    for record in records:
        if SEGMENT in record:
            groups.setdefault((record["sweep"], record[SEGMENT]["training"]), []).append(record)
    united = [_united(sorted(own, key=lambda one: int(one["number"]))) for own in groups.values()]
    return [*(record for record in records if SEGMENT not in record), *united]


def rungs_of(records: Sequence[Record]) -> Record | None:
    """Return what the trainings of a search with rungs have cost and how these worked; None of any other.

    That is how many full trainings were `spent`, how often one that paused was `promoted`, by how much each rung and
    the end correlated (`agreement`, empty where too few trainings are complete), and whether rungs were `switched_off`.
    """
    every = (one for record in records for one in record.get(SEGMENTS, ()))
    segments = sorted(every, key=lambda one: int(one["number"]))
    if not segments:
        return None
    return {
        "spent": float(sum(Fraction(one["until"]) - Fraction(one["since"]) for one in segments)),
        "promoted": sum(one["since"] != "0" for one in segments),
        "agreement": next((one["agreement"] for one in reversed(segments) if one["agreement"]), []),
        "switched_off": any(one["whole"] for one in segments),
    }


def _united(own: Sequence[Record]) -> Record:
    """Return the record of a training by those of its segments, in their order; its number is its own."""
    last, number = own[-1], int(own[-1][SEGMENT]["training"])
    objectives = {stop: value for one in own for stop, value in one[BY_RUNG].items()}
    costs = {key: round(sum(float(one[key]) for one in own), 3) for key in ("seconds", "gpu_seconds")}
    each = [{key: one[key] for key in OF_SEGMENT if key in one} | one[SEGMENT] for one in own]
    kept = {key: value for key, value in last.items() if key != SEGMENT}
    reached = max(objectives, key=Fraction, default=None)
    return {**kept, "number": number, "place": number, "start": own[0]["start"], **costs} | {
        BY_RUNG: objectives,
        "rung": reached,
        SEGMENTS: each,
    }


def _records(path: Path) -> list[Record]:
    content: Record = read_json(path)
    return list(content[SEGMENTS]) if is_job(path) else [content]


def _as_published(path: Path, record: Record, archived: bool) -> Record:
    """Return a record of the file ``path``, which its job has published first or, as a twin, later."""
    own = path.parents[1].name
    ledgers = path.parents[2] / record.get("sweep", own) / LEDGER  # the untuned default may be the search's first
    if archived and not ledgers.is_dir():
        return record
    book = Ledger(ledgers / str(record.get("generation", ""))[:SHORT])
    # What confirms a search, or is its first, has a number of its own, and its file that of the job.
    named = CONFIRMS in record or SEGMENT in record or record.get("sweep", own) != own
    number = int(record["number"] if named else path.stem)
    first = book.result(number)
    if first is None:
        raise HakkenError(f"{path}: the ledger ({book.folder}) has no result of this trial; {REDO}")
    if record not in (first, *book.later_results(number)):
        changes = differences(first, record)
        more = f" and {len(changes) - MAXIMUM_NAMED} more" if len(changes) > MAXIMUM_NAMED else ""
        said = ", ".join(changes[:MAXIMUM_NAMED])
        raise HakkenError(f"{path}: says otherwise than the ledger ({book.folder}): {said}{more}; {REDO}")
    return record
