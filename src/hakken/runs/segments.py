"""A job of a search whose trainings pause at rungs: one segment after another, until its budget is spent."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean

from hakken.core.console import log, progress
from hakken.outcomes import words_of
from hakken.runs.ask import decide_segment
from hakken.runs.attempt import Task, awaited, published, said_of
from hakken.runs.fit import Record
from hakken.runs.streak import require_progress
from hakken.search.entry import Entry, Proposal
from hakken.search.ledger import Ledger
from hakken.search.rungs import AGREEMENT, Known, Segment
from hakken.search.segments import ask, segments_of
from hakken.search.trial import Value


def work_off(task: Task, book: Ledger) -> list[Record]:
    """Train what the job of this number does, and return the records of its segments in the order of asking.

    A job that was killed finds its own unfinished segment, and a living twin of it is waited for.
    """
    while (proposal := _next(task, book)) is not None:
        _result(task, book, proposal)
    return [_result(task, book, entry.proposal) for _, entry in segments_of(book.log(), task.number) if entry.proposal]


def first_segment(task: Task, book: Ledger) -> Record:
    """Return the result of the segment that was asked for first; where none was, this job asks for it."""
    while not (entries := book.log()):
        _next(task, book)
    assert entries[0].proposal is not None
    return _result(task, book, entries[0].proposal)


def _next(task: Task, book: Ledger) -> Proposal | None:
    """Return the segment that the job trains now, None where its budget is spent."""
    entries = book.log()
    proposal = ask(book, task.stops, task.number, lambda known: _decided(task, book, known), task.planned)
    if proposal is not None and proposal.segment is not None:
        _say(task, proposal, proposal.segment, entries)
    return proposal


def _decided(task: Task, book: Ledger, known: Sequence[Known]) -> tuple[Segment, dict[str, Value]]:
    """Decide on a new segment; raises HakkenError where too many in a row have failed."""
    results = [entry.result for entry in book.log() if entry.result is not None]
    require_progress(task.run.name, task.stop_after_failures, results, task.logs)
    return decide_segment(task.settings, known, task.number, task.planned.trials)


def _result(task: Task, book: Ledger, proposal: Proposal) -> Record:
    """Return the result of a segment: that of a twin that trains it already, or this process's own."""
    segment = proposal.segment
    assert segment is not None
    before = sum(
        float(entry.result["seconds"])
        for one, entry in segments_of(book.log()[: proposal.number])
        if one.training == segment.training and entry.result is not None
    )
    own = task.of_segment(segment, before)
    known = book.result(proposal.number)
    record = awaited(book, proposal.number, own.label, lambda lease: published(own, book, proposal, lease))
    if known is None:
        progress(f"{own.label}: {said_of(record, words_of(task.study))}")
    return record


def _say(task: Task, proposal: Proposal, segment: Segment, before: tuple[Entry, ...]) -> None:
    """Write into the log what was decided, and into the terminal what a reader must know of it."""
    stops = task.stops.stops
    known = f"{len(proposal.known)} finished and {len(proposal.pending)} running segments known"
    begins = f"begins with {proposal.parameters}" if not segment.since else f"goes on from {stops[segment.since]}"
    log(f"job {task.number:02d}: training {segment.training} {begins}, to {stops[segment.until]}; {known}")
    if segment.whole and not any(one.whole for one, _ in segments_of(before)):
        found = " and ".join(f"{value:.2f}" for value in segment.agreement)
        progress(
            f"objectives at the rungs ({', '.join(map(str, stops[1:-1]))}) and at the end correlate by {found} "
            f"(Spearman), on average {fmean(segment.agreement):.2f}, less than {AGREEMENT}: no training pauses any more"
        )
