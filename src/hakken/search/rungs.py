"""Which segment of which training a job trains next, where trainings pause at rungs: a pure function of what is known.

Notation: rungs r_1 < ... < r_K are shares of a training, r_0 = 0 and r_{K+1} = 1; *stop* k lies at r_k. A *segment*
takes a training from one stop to a later one and costs their distance. A *job* has the steps of one full training, 1,
and spends them exactly: each stop is a multiple of the first, which a new training can always be begun for.

- In the first `FIRST_PART` of the budget of all jobs a training goes on that paused among the best third of its rung,
  at the highest rung where there is one; where there is none, a new training begins and pauses at the first rung
  (asynchronous successive halving: Li et al., A system for massively parallel hyperparameter tuning, 2020).
- Then a job begins a new training and trains it to its end, unless one paused among the best third of the last rung.
  What is left of a job that has promoted one goes to the best that are paused, the highest rung first.
- The model that proposes learns from the last rung and the end. Who has come no further than the last rung counts as
  measured there and moved by the median step of those that were measured at both; who is below keeps others away from
  its point like any that still runs.
- The study's own parameters are never paused.
- Rungs are worth nothing where they say little of the end: once `FEWEST` trainings are complete whose objectives at the
  rungs rank them, on average over the rungs, unlike those at the end (Spearman below `AGREEMENT`), no training pauses
  any more. Trainings that rungs have chosen differ less at these than others, which lowers the correlation: in doubt
  the rule is for full trainings.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from statistics import fmean, median

from hakken.search.trial import State, Trial, Value

REDUCTION = 3
FIRST_PART = Fraction(2, 5)
FEWEST = 8
AGREEMENT = 0.5
DIGITS = 4

Propose = Callable[[tuple[Trial, ...], int], Mapping[str, Value]]
"""What a new training trains, by all others as the model sees them and by its number."""


@dataclass(frozen=True)
class Rungs:
    """The ``shares`` of a training at which it pauses, and the parameters of the one that never does."""

    shares: tuple[Fraction, ...]
    unpaused: Mapping[str, Value] | None = None

    @classmethod
    def of(cls, shares: Sequence[str], unpaused: Mapping[str, Value] | None = None) -> Rungs:
        """Return the rungs that a study names: `1/9`, `1/3`."""
        return cls(tuple(map(Fraction, shares)), unpaused)

    @property
    def stops(self) -> tuple[Fraction, ...]:
        """The start, the rungs, the end."""
        return (Fraction(0), *self.shares, Fraction(1))

    @property
    def last(self) -> int:
        """The highest rung, by its place among the stops; the end is the next."""
        return len(self.shares)

    @property
    def end(self) -> int:
        """The end, by its place among the stops."""
        return self.last + 1

    def cost(self, begin: int, end: int) -> Fraction:
        """Return the share of a full training between two stops."""
        return self.stops[end] - self.stops[begin]

    def spent(self, segments: Sequence[Segment], job: int | None = None) -> Fraction:
        """Return what ``segments`` cost, all of them or those of a ``job``."""
        own = (one for one in segments if job is None or one.job == job)
        return sum((self.cost(one.since, one.until) for one in own), Fraction(0))


@dataclass(frozen=True)
class Segment:
    """What a job trains: a training by its number, from the stop ``since`` to the stop ``until``.

    ``agreement`` are the rank correlations between each rung and the end that were known when it was decided, empty
    before enough trainings were complete; ``whole`` says that trainings pause no more.
    """

    job: int
    training: int
    since: int
    until: int
    agreement: tuple[float, ...] = ()
    whole: bool = False


@dataclass(frozen=True)
class Known:
    """A segment that was asked for, and what is known of it; ``objectives`` by the stops that it has come to.

    One that is ``silent`` has shown no sign of life for long: nobody else trains it, but it keeps nobody away from its
    point.
    """

    segment: Segment
    parameters: Mapping[str, Value]
    state: State = "running"
    objectives: Mapping[int, float | None] | None = None
    silent: bool = False


@dataclass(frozen=True)
class Training:
    """What is known of one training: the state of its last segment, the stop it has ``reached``, and its objectives."""

    number: int
    parameters: Mapping[str, Value]
    state: State
    reached: int
    objectives: Mapping[int, float]
    silent: bool = False


def trainings_of(rungs: Rungs, known: Sequence[Known]) -> tuple[Training, ...]:
    """Return the trainings of all segments ``known``, which come in the order of asking."""
    found: dict[int, Training] = {}
    for one in known:
        number, before = one.segment.training, found.get(one.segment.training)
        told = {stop: value for stop, value in (one.objectives or {}).items() if value is not None}
        finite = {stop: value for stop, value in told.items() if math.isfinite(value)}
        reached = {"paused": one.segment.until, "complete": rungs.end}.get(one.state, one.segment.since)
        objectives = {**(before.objectives if before else {}), **finite}
        found[number] = Training(number, one.parameters, one.state, reached, objectives, one.silent)
    return tuple(found.values())


def decide(
    rungs: Rungs,
    known: Sequence[Known],
    *,
    job: int,
    budget: int,
    propose: Propose,
    maximise: bool = True,
) -> tuple[Segment, dict[str, Value]]:
    """Return the next segment of a ``job`` and its training's parameters.

    ``known`` are all segments so far in the order of asking, ``budget`` is the number of jobs. The job has something
    left of its own budget.
    """
    segments, trainings = [one.segment for one in known], trainings_of(rungs, known)
    left = 1 - rungs.spent(segments, job)
    early = rungs.spent(segments) < FIRST_PART * budget
    found = agreement(rungs, trainings)
    whole = any(one.whole for one in segments) or (bool(found) and fmean(found) < AGREEMENT)
    taken = _promoted(rungs, trainings, left=left, early=early, whole=whole, sign=1 if maximise else -1)
    if taken is not None:
        begin, parameters = taken.reached, dict(taken.parameters)
        return Segment(job, taken.number, begin, begin + 1, found, whole), parameters
    number = len(trainings)
    parameters = dict(propose(learnt(rungs, trainings), number))
    through = left == 1 and (whole or not early or parameters == rungs.unpaused)
    return Segment(job, number, 0, rungs.end if through else 1, found, whole), parameters


def agreement(rungs: Rungs, trainings: Sequence[Training]) -> tuple[float, ...]:
    """Return the rank correlation between each rung and the end over the complete trainings; () of fewer than `FEWEST`.

    Of a rung at which all have the same objective it is 0, for it says nothing.
    """
    full = [one.objectives for one in trainings if one.state == "complete" and len(one.objectives) == rungs.end]
    if len(full) < FEWEST:
        return ()
    ends = [one[rungs.end] for one in full]
    return tuple(_correlation([one[stop] for one in full], ends) for stop in range(1, rungs.end))


def learnt(rungs: Rungs, trainings: Sequence[Training]) -> tuple[Trial, ...]:
    """Return all trainings as the model sees them, by their numbers.

    Complete ones, and those measured at the last rung moved by the median step from there to the end, have a value;
    those below it are running, and silent ones of which nothing is known are left out.
    """
    step = _step(rungs, trainings)
    return tuple(trial for one in trainings if (trial := _as_trial(rungs, one, step)) is not None)


def objectives_at(curve: Sequence[tuple[int, float]], steps: Sequence[int], *, keep: str) -> list[float | None]:
    """Return the objective that a training had at each of ``steps``, by what it had measured until then.

    That is the best so far, or where the last weights are kept the last. None before the first measurement.

    >>> objectives_at([(10, 0.4), (20, 0.3), (30, 0.6)], [5, 20, 40], keep="best")
    [None, 0.4, 0.6]
    """
    found: list[float | None] = []
    for step in steps:
        until = [objective for at, objective in curve if at <= step]
        found.append((until[-1] if keep == "last" else max(until)) if until else None)
    return found


def _as_trial(rungs: Rungs, one: Training, step: float) -> Trial | None:
    if one.state == "complete":
        return Trial(one.number, one.parameters, "complete", one.objectives.get(rungs.end))
    if one.state == "failed":
        return Trial(one.number, one.parameters, "failed")
    if rungs.last in one.objectives:
        return Trial(one.number, one.parameters, "complete", one.objectives[rungs.last] + step)
    return None if one.silent else Trial(one.number, one.parameters, "running")


def _step(rungs: Rungs, trainings: Sequence[Training]) -> float:
    """Return the median step from the last rung to the end, 0 where no training was measured at both."""
    both = [one.objectives for one in trainings if {rungs.last, rungs.end} <= one.objectives.keys()]
    return median(one[rungs.end] - one[rungs.last] for one in both) if both else 0.0


def _promoted(
    rungs: Rungs, trainings: Sequence[Training], *, left: Fraction, early: bool, whole: bool, sign: int
) -> Training | None:
    """Return the paused training that goes on to its next stop; None where a new one begins."""
    affordable = [stop for stop in range(rungs.last, 0, -1) if rungs.cost(stop, stop + 1) <= left]
    if not whole:
        for stop in affordable if early else [stop for stop in affordable if stop == rungs.last]:
            if good := _paused(trainings, stop, sign, among_best=True):
                return good[0]
    if left == 1 or (early and not whole):
        return None
    waiting = (one for stop in affordable for one in _paused(trainings, stop, sign, among_best=False))
    return next(waiting, None)


def _paused(trainings: Sequence[Training], stop: int, sign: int, *, among_best: bool) -> list[Training]:
    """Return the trainings that pause at a stop, the best first: all, or those of the best third there."""
    measured = [one for one in trainings if stop in one.objectives]
    order = sorted(measured, key=lambda one: (-sign * one.objectives[stop], one.number))
    best = order[: len(order) // REDUCTION] if among_best else order
    return [one for one in best if one.state == "paused" and one.reached == stop]


def _correlation(values: Sequence[float], ends: Sequence[float]) -> float:
    from scipy.stats import spearmanr  # half a second to import

    if min(values) == max(values) or min(ends) == max(ends):
        return 0.0
    return round(float(spearmanr(values, ends).statistic), DIGITS)
