"""Sweeps side by side: repeats of the same sampler and slots averaged, and how much sooner more slots get as far."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from hakken.search.course import Average, TimedTrial, average, by_time, by_trials

BLIND = ("random", "sobol")  # samplers that ignore the results, named last


@dataclass(frozen=True)
class TimedSweep:
    """A finished sweep with ``slots`` trainings at once; ``began`` is the start of its first trial in seconds of a
    clock that all sweeps share, the trials count their seconds from there."""

    name: str
    sampler: str
    slots: int
    repeat: int
    began: float
    trials: tuple[TimedTrial, ...]
    hosts: frozenset[str] = frozenset()

    @property
    def ended(self) -> float:
        """The end of the last trial, on the clock of ``began``."""
        return self.began + max((trial.end for trial in self.trials), default=0.0)


@dataclass(frozen=True)
class Group:
    """The repeats of one sampler with one number of slots."""

    sampler: str
    slots: int
    repeats: tuple[TimedSweep, ...]

    @property
    def blind(self) -> bool:
        """Whether the sampler ignores the results."""
        return self.sampler in BLIND

    @cached_property
    def by_trials(self) -> Average:
        """The best objective so far against the number of finished trials, over the repeats."""
        return average([by_trials(sweep.trials) for sweep in self.repeats])

    @cached_property
    def by_time(self) -> Average:
        """The best objective so far against the seconds since the start of the sweep, over the repeats."""
        return average([by_time(sweep.trials) for sweep in self.repeats])


def groups_of(sweeps: Sequence[TimedSweep]) -> tuple[Group, ...]:
    """Return the groups: samplers that learn before those that do not, then by slots; repeats in their order."""
    keys = sorted({(sweep.sampler in BLIND, sweep.sampler, sweep.slots) for sweep in sweeps})
    order = sorted(sweeps, key=lambda sweep: sweep.repeat)
    return tuple(
        Group(sampler, slots, tuple(sweep for sweep in order if (sweep.sampler, sweep.slots) == (sampler, slots)))
        for _, sampler, slots in keys
    )


def common_level(groups: Sequence[Group]) -> float | None:
    """Return the highest mean objective that every group reaches; None where one has no value at all."""
    finals = [group.by_time.mean[-1] if len(group.by_time.mean) else None for group in groups]
    known = [float(final) for final in finals if final is not None]
    return min(known) if known and len(known) == len(finals) else None


def speeds(groups: Sequence[Group], level: float) -> tuple[float | None, ...]:
    """Return how many times as fast as its sampler with the fewest slots each group's mean reaches ``level``.

    None where a sampler has one number of slots only, or one of the two never reaches the level or has it at once.
    """
    found = []
    for group in groups:
        rivals = [other for other in groups if other.sampler == group.sampler]
        slowest = min(rivals, key=lambda rival: rival.slots).by_time.reaches(level)
        seconds = group.by_time.reaches(level)
        found.append(slowest / seconds if len(rivals) > 1 and slowest and seconds else None)
    return tuple(found)


def sharing(sweeps: Sequence[TimedSweep]) -> bool:
    """Whether sweeps ran at the same time on the same host, so that their times are not those of one sweep alone."""
    order = sorted(sweeps, key=lambda sweep: sweep.began)
    return any(
        later.began < earlier.ended and earlier.hosts & later.hosts
        for place, earlier in enumerate(order)
        for later in order[place + 1 :]
    )
