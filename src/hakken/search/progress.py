"""The numbers of a sweep's status: how far it is, what is best so far, and how long it still takes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from statistics import fmean
from typing import Any

from hakken.search.course import TimedTrial, utilisation
from hakken.search.entry import Entry, Planned, duration
from hakken.search.rungs import Rungs
from hakken.search.segments import segments_of
from hakken.search.trial import FINISHED, Value


@dataclass(frozen=True)
class Running:
    """A trial without a result: where it was last seen, for how many seconds it runs there, seconds since that sign."""

    number: int
    host: str | None
    seconds: float | None  # None while nobody has it
    unseen: float


@dataclass(frozen=True)
class Best:
    """The best complete trial."""

    number: int
    objective: float
    parameters: Mapping[str, Value]


@dataclass(frozen=True)
class Twins:
    """A trial with more than one result: the objective that counts, and those that came later."""

    number: int
    objective: float | None
    later: tuple[float | None, ...]


@dataclass(frozen=True)
class RungProgress:
    """What finished segments have ``spent`` in full trainings, and how many of them ``promoted`` a paused training.

    ``agreement`` is the rank correlation of each rung with the end, () where it is not known yet.
    """

    spent: float
    promoted: int
    agreement: tuple[float, ...]
    switched_off: bool


@dataclass(frozen=True)
class Progress:
    """How far a sweep is; times in seconds, None for what cannot be known yet.

    With ``rungs`` the planned trials are jobs, and the states, the best and the mean those of trainings: a paused one
    counts once, and the mean is that of a full training's steps.
    """

    trials: int | None  # as planned
    slots: int | None
    states: Mapping[str, int]  # complete, failed, pruned, running, silent
    reasons: Mapping[str, int]  # of failures, the most frequent first
    best: Best | None
    running: tuple[Running, ...]
    silent: tuple[Running, ...]  # no longer count as pending
    mean_seconds: float | None  # of a finished trial
    utilisation: float | None  # share of the slot-seconds in use, from the first start to the last sign of life
    remaining_seconds: float | None
    twins: tuple[Twins, ...]
    rungs: RungProgress | None = None

    @property
    def finished(self) -> int:
        """How many trials have a result."""
        return sum(self.states.get(state, 0) for state in FINISHED)


def progress_of(
    entries: Sequence[Entry],
    silent: Collection[int],
    later: Mapping[int, Sequence[Mapping[str, Any]]],
    *,
    now: float,
    maximise: bool = True,
    rungs: Rungs | None = None,
) -> Progress:
    """Return how far the sweep with these ``entries`` is at the time ``now``, in seconds by the file server's clock.

    ``silent`` are the pending trials that no longer count, ``later`` the further results of each trial. With ``rungs``
    the entries are segments.
    """
    results = [entry.result for entry in _last_of_each(entries) if entry.result is not None]
    pending = [_running(entry, now) for entry in entries if entry.pending]
    running = tuple(trial for trial in pending if trial.number not in silent)
    lost = tuple(trial for trial in pending if trial.number in silent)
    counted = Counter(str(result["state"]) for result in results)
    states: dict[str, int] = {state: counted[state] for state in FINISHED if state != "paused" or counted[state]}
    reasons = Counter(str(result.get("reason")) for result in results if result["state"] == "failed")
    mean, planned = _mean_seconds(entries, rungs), _planned(entries)
    timed, by_rungs = _timed(entries), None if rungs is None else _by_rungs(entries, rungs)
    done = len(results) if by_rungs is None else by_rungs.spent
    return Progress(
        trials=planned.trials if planned else None,
        slots=planned.slots if planned else None,
        states={**states, "running": len(running), "silent": len(lost)},
        reasons=dict(reasons.most_common()),
        best=_best(entries, maximise),
        running=running,
        silent=lost,
        mean_seconds=mean,
        utilisation=utilisation(timed, planned.slots) if planned else None,
        remaining_seconds=_remaining(mean, planned, done, running) if planned and mean is not None else None,
        rungs=by_rungs,
        twins=tuple(_twins(entry, later[entry.number]) for entry in entries if later.get(entry.number)),
    )


def _last_of_each(entries: Sequence[Entry]) -> list[Entry]:
    """Return the last entry of each training: all, where trainings do not pause."""
    return list({_training(entry): entry for entry in sorted(entries, key=lambda entry: entry.place)}.values())


def _training(entry: Entry) -> int:
    """Return the number of the training that an entry is about."""
    segment = entry.proposal.segment if entry.proposal is not None else None
    return entry.number if segment is None else segment.training


def _mean_seconds(entries: Sequence[Entry], rungs: Rungs | None) -> float | None:
    """Return the mean seconds of a finished trial; with rungs of what makes a full training."""
    took = [(entry, duration(entry.result)) for entry in entries if entry.result is not None]
    known = [(entry, seconds) for entry, seconds in took if seconds is not None]
    if rungs is None or not known:
        return fmean(seconds for _, seconds in known) if known else None
    cost = rungs.spent([segment for segment, _ in segments_of([entry for entry, _ in known])])
    return sum(seconds for _, seconds in known) / float(cost) if cost else None


def _by_rungs(entries: Sequence[Entry], rungs: Rungs) -> RungProgress:
    asked, done = segments_of(entries), segments_of([entry for entry in entries if not entry.pending])
    found = next((one.agreement for one, _ in reversed(asked) if one.agreement), ())
    return RungProgress(
        spent=float(rungs.spent([one for one, _ in done])),
        promoted=sum(one.since > 0 for one, _ in done),
        agreement=found,
        switched_off=any(one.whole for one, _ in asked),
    )


def _running(entry: Entry, now: float) -> Running:
    unseen = max(now - entry.seen, 0.0) if entry.seen is not None else 0.0
    seconds = max(now - unseen - _seconds(entry.since), 0.0) if entry.since else None
    return Running(_training(entry), entry.host, seconds, unseen)


def _planned(entries: Sequence[Entry]) -> Planned | None:
    """Return what the sweep was planned with when the newest proposal that says it was made."""
    known = [entry.proposal for entry in entries if entry.proposal is not None]
    newest_first = sorted(known, key=lambda proposal: proposal.proposed_at, reverse=True)
    plans = (Planned(each.trials, each.slots) for each in newest_first if each.trials is not None and each.slots)
    return next(plans, None)


def _best(entries: Sequence[Entry], maximise: bool) -> Best | None:
    """Return the best complete trial, of equals the one that asked first, as `select` takes it."""
    known = [(entry, entry.trial) for entry in sorted(entries, key=lambda entry: entry.place)]
    trials = [replace(trial, number=_training(entry)) for entry, trial in known if trial is not None]
    complete = [trial for trial in trials if trial.state == "complete" and trial.measured]
    if not complete:
        return None
    best = min(complete, key=lambda trial: -(trial.value or 0.0) if maximise else trial.value or 0.0)
    return Best(best.number, best.value or 0.0, best.parameters)


def _timed(entries: Sequence[Entry]) -> list[TimedTrial]:
    """Return the trials on the clock: the finished, and the pending until they were last seen."""
    timed = []
    for entry in entries:
        result = entry.result or {}
        if result.get("start") and result.get("end"):
            start, end = _seconds(result["start"]), _seconds(result["end"])
        elif entry.since and entry.seen is not None:
            start, end = _seconds(entry.since), entry.seen
        else:
            continue
        timed.append(TimedTrial(entry.number, result.get("state", "running"), None, start, max(start, end)))
    return timed


def _remaining(mean: float, planned: Planned, finished: float, running: Sequence[Running]) -> float:
    """Return how long the sweep takes from now, if every trial takes the mean: all slots share what is left.

    With rungs so much is ``finished`` of so many full trainings, and what runs has hardly begun.
    """
    if not isinstance(finished, int):
        return mean * max(planned.trials - finished, 0.0) / planned.slots
    left = [max(mean - (trial.seconds or 0.0), 0.0) for trial in running]
    to_come = max(planned.trials - finished - len(running), 0)
    longest = mean if to_come else max(left, default=0.0)
    return max((mean * to_come + sum(left)) / planned.slots, longest)


def _twins(entry: Entry, later: Sequence[Mapping[str, Any]]) -> Twins:
    counted = (entry.result or {}).get("objective")
    return Twins(_training(entry), counted, tuple(record.get("objective") for record in later))


def _seconds(moment: str) -> float:
    return datetime.fromisoformat(moment).timestamp()
