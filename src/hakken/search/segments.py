"""The order of asking of a search whose trainings pause at rungs, as its ledger holds it.

Every decision of a job is one file, `proposal-0012.json`: which training it begins, or which paused one goes on, and
what was known then. The numbers are the order of asking. The next one is created exclusively, and only by who has seen
all before it, so that no two jobs ever have the same segment and no job has two at once, whoever is killed or waits.
What came of the segment is its result, `trial-0012.json`.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from hakken.core.errors import HakkenError
from hakken.search.entry import Entry, Planned, Proposal
from hakken.search.ledger import Ledger
from hakken.search.plain import plain
from hakken.search.rungs import Known, Rungs, Segment
from hakken.search.trial import Value

BY_RUNG = "by_rung"
"""Key of a result: the objective at each stop that the training has come to, by the stop as `1/9`; `1` is the end."""

AGAIN_SECONDS = 0.05

Decide = Callable[[Sequence[Known]], tuple[Segment, Mapping[str, Value]]]
"""The next segment of a job and the parameters of its training, by all segments so far."""


def ask(book: Ledger, rungs: Rungs, job: int, decide: Decide, planned: Planned) -> Proposal | None:
    """Return the segment that ``job`` trains now, None where its budget is spent.

    That is the one that it has asked for and that has no result, also after a kill, or a new one: `decide` is asked,
    and its answer is published before it is returned. With one slot nothing is left to the clock: what has no result
    counts as running for good.
    """
    finished, mine = _standing(book.log(), rungs, job)
    if finished or mine is not None:
        return mine
    with book.asking():
        while True:
            entries = book.log()
            finished, mine = _standing(entries, rungs, job)
            if finished or mine is not None:
                return mine
            _require_last(book, len(entries))
            proposal = _proposed(book, rungs, entries, decide, planned)
            if book.claim(proposal):
                return proposal
            time.sleep(AGAIN_SECONDS)  # another has asked meanwhile


def segments_of(entries: Sequence[Entry], job: int | None = None) -> list[tuple[Segment, Entry]]:
    """Return the segments in the order of asking, or those of a ``job``, with their ``entries``, which come in any."""
    order = sorted(entries, key=lambda entry: entry.number)
    found = [(entry.proposal.segment, entry) for entry in order if entry.proposal and entry.proposal.segment]
    return [(segment, entry) for segment, entry in found if job is None or segment.job == job]


def known_of(rungs: Rungs, entries: Sequence[Entry], silent: Collection[int] = ()) -> tuple[Known, ...]:
    """Return what is known of all segments, of which the numbers ``silent`` no longer show signs of life."""
    return tuple(
        Known(
            segment,
            entry.parameters or {},
            "running" if entry.result is None else entry.result["state"],
            _objectives(rungs, entry.result or {}),
            entry.number in silent,
        )
        for segment, entry in segments_of(entries)
    )


def as_known_to(rungs: Rungs, proposal: Proposal, entries: Sequence[Entry]) -> tuple[Known, ...]:
    """Return what was known when ``proposal`` was made, whatever has come since."""
    before = [entry for entry in entries if entry.number < proposal.number]
    then = [entry if entry.number in proposal.known else _without_result(entry) for entry in before]
    silent = {entry.number for entry in before} - {*proposal.known, *proposal.pending}
    return known_of(rungs, then, silent)


def missing_for(proposal: Proposal, entries: Sequence[Entry]) -> list[int]:
    """Return the numbers of those that ``proposal`` knew and whose files in ``entries`` no longer say it."""
    asked = {entry.number: entry for entry in entries if entry.proposal is not None}
    gone = {number for number in range(proposal.number) if number not in asked}
    return sorted(gone | {number for number in proposal.known if number in asked and asked[number].result is None})


def by_rung(rungs: Rungs, objectives: Mapping[int, float | None]) -> dict[str, float | None]:
    """Return objectives by stop as a result holds them."""
    return {str(rungs.stops[stop]): value for stop, value in sorted(objectives.items())}


def _require_last(book: Ledger, number: int) -> None:
    """Raise HakkenError where a number is free and the next is taken: its file was lost, and must not be made anew."""
    if book.stored_proposal(number + 1) is not None and book.stored_proposal(number) is None:
        raise HakkenError(
            f"{book.folder}: proposal-{number:04d}.json is missing or damaged, and later ones rest on it; restore it "
            "from a copy, or move the folder away to begin anew"
        )


def _standing(entries: Sequence[Entry], rungs: Rungs, job: int) -> tuple[bool, Proposal | None]:
    """Return whether a job has spent its budget, and the segment that it has asked for and not finished."""
    own = segments_of(entries, job)
    unfinished = next((entry.proposal for _, entry in own if entry.pending), None)
    spent = rungs.spent([segment for segment, _ in own]) == 1
    return spent and unfinished is None, unfinished


def _proposed(book: Ledger, rungs: Rungs, entries: Sequence[Entry], decide: Decide, planned: Planned) -> Proposal:
    silent = frozenset() if planned.slots == 1 else book.silent(entries)
    segment, parameters = decide(known_of(rungs, entries, silent))
    counting = [entry for entry in entries if entry.number not in silent]
    return Proposal(
        number=len(entries),
        parameters=plain(dict(parameters)),
        place=len(entries),
        known=tuple(entry.number for entry in counting if not entry.pending),
        pending=tuple(entry.number for entry in counting if entry.pending),
        proposed_at=datetime.now(UTC).isoformat(timespec="milliseconds"),
        host=socket.gethostname(),
        trials=planned.trials,
        slots=planned.slots,
        segment=segment,
    )


def _objectives(rungs: Rungs, result: Mapping[str, Any]) -> dict[int, float | None]:
    told: Mapping[str, float | None] = result.get(BY_RUNG, {})
    return {stop: told[name] for stop, name in enumerate(map(str, rungs.stops)) if name in told}


def _without_result(entry: Entry) -> Entry:
    return Entry(entry.number, entry.proposal, None, entry.host, entry.since, entry.seen)
