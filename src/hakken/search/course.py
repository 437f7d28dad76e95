"""The course of a sweep: the best objective so far by trials and by time, averaged over repeats, and the use of slots.

Higher objectives are better. A failed or pruned trial takes its time and its place in the order and raises nothing.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
DIGITS = 9


@dataclass(frozen=True)
class TimedTrial:
    """A finished trial: its number, state, what was measured, and start and end in seconds of one clock.

    ``cost`` is that of full trainings; where trainings pause at rungs a trial is a segment of one, and costs less.
    """

    number: int
    state: str
    objective: float | None
    start: float
    end: float
    cost: float = 1.0

    @property
    def counts(self) -> bool:
        """Whether the objective can be the best so far: only that of a training that was not cut short."""
        return self.state == "complete" and self.objective is not None


@dataclass(frozen=True, eq=False)
class Steps:
    """A step function: ``values`` (n,) hold from the rising places ``at`` (n,) on; before the first it has no value."""

    at: Floats
    values: Floats

    def __call__(self, at: Floats) -> Floats:
        """Return the values at ``at`` (m,), NaN where there is none."""
        padded = np.concatenate([[np.nan], self.values])
        return np.asarray(padded[np.searchsorted(self.at, at, side="right")])


@dataclass(frozen=True, eq=False)
class Average:
    """Mean, lowest and highest (n,) of several step functions, from the places ``at`` (n,) on."""

    at: Floats
    mean: Floats
    low: Floats
    high: Floats

    def reaches(self, level: float) -> float | None:
        """Return the first place where the mean is at least ``level``, or None."""
        places = np.flatnonzero(self.mean >= level)
        return float(self.at[places[0]]) if len(places) else None


def finishing_order(trials: Sequence[TimedTrial]) -> list[TimedTrial]:
    """Return the trials in the order in which they finished, the lower number first of equals."""
    return sorted(trials, key=lambda trial: (trial.end, trial.number))


def best_so_far(trials: Sequence[TimedTrial]) -> list[float]:
    """Return the highest objective among the first 1, 2, ... of ``trials``; NaN before the first that counts."""
    values = [trial.objective if trial.counts else None for trial in trials]
    known = np.array([np.nan if value is None else value for value in values], float)
    return np.fmax.accumulate(known).tolist() if len(known) else []


def by_trials(trials: Sequence[TimedTrial]) -> Steps:
    """Return the best objective so far against the number of finished trials, or what they cost in full trainings."""
    order = finishing_order(trials)
    return Steps(spent(order), np.array(best_so_far(order), float))


def spent(order: Sequence[TimedTrial]) -> Floats:
    """Return how many full trainings the first 1, 2, ... of trials have cost; without rungs 1, 2, ..."""
    return np.round(np.cumsum([trial.cost for trial in order]), DIGITS) if order else np.empty(0)


def by_time(trials: Sequence[TimedTrial]) -> Steps:
    """Return the best objective so far against the seconds since the first trial started."""
    order = finishing_order(trials)
    began = min((trial.start for trial in order), default=0.0)
    return Steps(np.array([trial.end - began for trial in order], float), np.array(best_so_far(order), float))


def average(courses: Sequence[Steps]) -> Average:
    """Average step functions where every one of them has a value; a course keeps its last value.

    The result has a place for each step of any course. It is empty where a course has no value at all.
    """
    at = np.unique(np.concatenate([course.at for course in courses] or [np.empty(0)]))
    values = np.array([course(at) for course in courses]).reshape(len(courses), len(at))
    known = ~np.isnan(values).any(axis=0)
    values = values[:, known]
    if not values.size:
        return Average(*[np.empty(0)] * 4)
    return Average(at[known], values.mean(axis=0), values.min(axis=0), values.max(axis=0))


def assign_slots(trials: Sequence[TimedTrial], slots: int) -> dict[int, int]:
    """Return the slot of each trial by number: the free slot that has waited longest takes the next trial.

    More trials at once than slots (after a restart, say) open further rows.
    """
    free = [(-math.inf, slot) for slot in range(slots)]
    rows, taken = slots, {}
    for trial in sorted(trials, key=lambda trial: (trial.start, trial.number)):
        if free[0][0] > trial.start:
            heapq.heappush(free, (-math.inf, rows))
            rows += 1
        _, slot = heapq.heappop(free)
        heapq.heappush(free, (trial.end, slot))
        taken[trial.number] = slot
    return taken


def utilisation(trials: Sequence[TimedTrial], slots: int) -> float | None:
    """Return the share of slot-seconds in use between the first start and the last end; None without any."""
    if not trials:
        return None
    span = duration(trials)
    return sum(trial.end - trial.start for trial in trials) / (slots * span) if span > 0 else None


def duration(trials: Sequence[TimedTrial]) -> float:
    """Return the seconds from the first start to the last end."""
    return max(trial.end for trial in trials) - min(trial.start for trial in trials) if trials else 0.0
