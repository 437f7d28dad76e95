"""What the sweeps say: regrets on one scale, their means with intervals, and one proposer against another.

The regret of a sweep after t results is the noise-free regret of the trial with the best *measured* value among the
first t that finished. It is divided by the mean, over the ten seeds of `SCALE_SEEDS`, of random search's regret on this
objective after the last trial of a sweep; nothing is floored, and no logarithm is taken. A mean is over the seeds of an
objective first, then over objectives. Intervals hold 90 % of two-level bootstrap resamples: objectives are drawn with
replacement, and of each the seeds, of two proposers together.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from search_simulation import Run

Floats = NDArray[np.float64]
Key = tuple[str, str, int]  # objective, proposer, slots
SLOTS = 8
OURS, CHANCE = "hakken", "random"
SCALE_SEEDS = range(10)
CHECKPOINTS = (10, 20, 30, 50)
RESAMPLES, WITHIN = 2000, (5.0, 95.0)  # percentiles of the resamples


@dataclass(frozen=True)
class Estimate:
    """A value and the interval around it."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Worst:
    """The highest regret of a proposer, and of which objective and seed it is."""

    regret: float
    objective: str
    seed: int


@dataclass(frozen=True)
class Wins:
    """Of how many ``pairs`` of sweeps the first has the lower regret, and of how many both are ``equal``."""

    won: int
    equal: int
    pairs: int


@dataclass(frozen=True)
class Results:
    """Sweeps of ``trials`` trials by objective, proposer, slots and seed; ``scales`` by objective."""

    runs: Mapping[Key, Mapping[int, Run]]
    scales: Mapping[str, float]
    trials: int

    @classmethod
    def of(cls, runs: Iterable[Run], trials: int) -> Results:
        """Sort the sweeps; the random ones give the scales."""
        sorted_runs: dict[Key, dict[int, Run]] = {}
        for run in runs:
            case = run.case
            sorted_runs.setdefault((case.objective, case.proposer, case.slots), {})[case.seed] = run
        chance: dict[str, dict[int, float]] = {}
        for (objective, proposer, _), seeds in sorted_runs.items():
            if proposer == CHANCE:  # its last regret is the same however many run at once
                last = {seed: run.regret[-1] for seed, run in seeds.items() if seed in SCALE_SEEDS}
                chance.setdefault(objective, {}).update(last)
        scales = {objective: float(np.mean(list(found.values()))) for objective, found in chance.items() if found}
        return cls(sorted_runs, scales, trials)

    def of_objectives(self, objectives: Iterable[str]) -> Results:
        """Return the sweeps of some objectives alone."""
        kept = set(objectives)
        return Results({key: runs for key, runs in self.runs.items() if key[0] in kept}, self.scales, self.trials)

    @property
    def checkpoints(self) -> list[int]:
        """After how many results sweeps are compared; the last one is their end."""
        return [*(count for count in CHECKPOINTS if count < self.trials), self.trials]

    @property
    def objectives(self) -> list[str]:
        """The objectives with a scale, in the order of the first sweep of each."""
        return [name for name in dict.fromkeys(key[0] for key in self.runs) if name in self.scales]

    @property
    def slots(self) -> list[int]:
        """The numbers of trainings at once."""
        return sorted({key[2] for key in self.runs})

    def proposers(self, slots: int = SLOTS) -> list[str]:
        """Return the proposers that have sweeps with ``slots``."""
        return list(dict.fromkeys(key[1] for key in self.runs if key[2] == slots))

    def sweeps(self, objective: str, proposer: str, slots: int = SLOTS) -> Mapping[int, Run]:
        """Return the sweeps by seed."""
        return self.runs.get((objective, proposer, slots), {})

    def regrets(self, objective: str, proposer: str, count: int, slots: int = SLOTS) -> dict[int, float]:
        """Return by seed the regret after ``count`` results, in units of random search's.

        A proposer with n times the trials has had n times the results. Where random search always finds the best, the
        unit is 1.
        """
        scale = self.scales[objective] or 1.0
        sweeps = self.sweeps(objective, proposer, slots)
        return {seed: run.regret[count * len(run.regret) // self.trials - 1] / scale for seed, run in sweeps.items()}

    def mean(self, proposer: str, count: int, slots: int = SLOTS) -> Estimate | None:
        """Return the mean regret over seeds, then objectives; None where there is no sweep."""
        values = [list(self.regrets(name, proposer, count, slots).values()) for name in self.objectives]
        sets = [np.array(found)[:, None] for found in values if found]
        return bootstrap(sets)[0] if sets else None

    def level(self, proposer: str, count: int, slots: int = SLOTS) -> float | None:
        """Return the mean regret without its interval."""
        values = [list(self.regrets(name, proposer, count, slots).values()) for name in self.objectives]
        means = [float(np.mean(found)) for found in values if found]
        return float(np.mean(means)) if means else None

    def median(self, proposer: str, count: int, slots: int = SLOTS) -> float | None:
        """Return the median regret of all sweeps."""
        values = [regret for _, _, regret in self._all(proposer, count, slots)]
        return float(np.median(values)) if values else None

    def worst(self, proposer: str, count: int, slots: int = SLOTS) -> Worst | None:
        """Return the highest regret of all sweeps."""
        found = [Worst(regret, name, seed) for name, seed, regret in self._all(proposer, count, slots)]
        return max(found, key=lambda worst: worst.regret, default=None)

    def above_chance(self, proposer: str, count: int, slots: int = SLOTS) -> tuple[int, int]:
        """Return how many sweeps are above the median of random search on their objective, and of how many."""
        medians = {
            name: float(np.median(list(chance.values())))
            for name in self.objectives
            if (chance := self.regrets(name, CHANCE, count, slots))
        }
        compared = [(name, regret) for name, _, regret in self._all(proposer, count, slots) if name in medians]
        return sum(regret > medians[name] for name, regret in compared), len(compared)

    def _all(self, proposer: str, count: int, slots: int) -> list[tuple[str, int, float]]:
        return [
            (name, seed, regret)
            for name in self.objectives
            for seed, regret in self.regrets(name, proposer, count, slots).items()
        ]

    def pairs(self, ours: tuple[str, int], peer: tuple[str, int], count: int) -> list[Floats]:
        """Return for each objective the regrets (seeds, 2) of two proposers with their slots, on seeds both have."""
        found = []
        for name in self.objectives:
            first, second = (self.regrets(name, proposer, count, slots) for proposer, slots in (ours, peer))
            both = sorted(set(first) & set(second))
            if both:
                found.append(np.array([[first[seed], second[seed]] for seed in both]))
        return found

    def ratio(self, ours: str, peer: str, count: int, slots: int = SLOTS, peer_slots: int = SLOTS) -> Estimate | None:
        """Return the mean regret of one proposer over that of another, over the sweeps both have."""
        sets = self.pairs((ours, slots), (peer, peer_slots), count)
        return bootstrap(sets)[-1] if sets else None

    def wins(self, ours: str, peer: str, count: int) -> Wins | None:
        """Count the sweeps in which one proposer has the lower regret."""
        sets = self.pairs((ours, SLOTS), (peer, SLOTS), count)
        if not sets:
            return None
        pairs = np.concatenate(sets)
        return Wins(int((pairs[:, 0] < pairs[:, 1]).sum()), int((pairs[:, 0] == pairs[:, 1]).sum()), len(pairs))


def bootstrap(sets: Sequence[Floats], seed: int = 0) -> list[Estimate]:
    """Return the mean of each column with its interval, and with two columns the ratio of the first mean to the second.

    ``sets`` holds an array (seeds, columns) for each objective.
    """
    columns = sets[0].shape[1]
    counts = np.array([len(values) for values in sets])
    padded = np.zeros((len(sets), counts.max(), columns))
    for place, values in enumerate(sets):
        padded[place, : len(values)] = values
    means = np.stack([_means(padded, counts, np.arange(len(sets))[None], None)[0], *_resampled(padded, counts, seed)])
    estimates = [_estimate(means[:, column]) for column in range(columns)]
    return [*estimates, _estimate(_over(means[:, 0], means[:, 1]))] if columns == 2 else estimates


def _resampled(padded: Floats, counts: NDArray[np.int64], seed: int) -> Floats:
    """Return the means (resamples, columns) of resamples of both levels."""
    rng = np.random.default_rng(seed)
    objectives = rng.integers(len(padded), size=(RESAMPLES, len(padded)))
    return _means(padded, counts, objectives, rng.random((*objectives.shape, padded.shape[1])))


def _means(padded: Floats, counts: NDArray[np.int64], objectives: NDArray[np.int64], drawn: Floats | None) -> Floats:
    """Return the means (resamples, columns) over the seeds of the ``objectives`` (resamples, n), then over these.

    ``drawn`` (resamples, n, seeds) in [0, 1) are the seeds that are drawn; None takes each once.
    """
    places = np.arange(padded.shape[1])
    of = counts[objectives][..., None]
    seeds = np.broadcast_to(places, (*objectives.shape, len(places))) if drawn is None else (drawn * of).astype(int)
    inside = (places < of)[..., None]
    values = padded[objectives[..., None], np.minimum(seeds, of - 1)] * inside
    return np.asarray((values.sum(axis=2) / of).mean(axis=1))


def _over(ours: Floats, theirs: Floats) -> Floats:
    """Return ratios; two zeros are equal."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where((ours == 0) & (theirs == 0), 1.0, ours / theirs)


def _estimate(values: Floats) -> Estimate:
    """Return the first of the values, with the interval of the others."""
    low, high = np.percentile(values[1:], WITHIN, method="inverted_cdf")
    return Estimate(float(values[0]), float(low), float(high)) if math.isfinite(values[0]) else _unbounded(low)


def _unbounded(low: float) -> Estimate:
    return Estimate(math.inf, float(low), math.inf)
