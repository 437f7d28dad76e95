"""What a search learnt about its parameters: how much each matters, how, and whether the best value lies at a border.

All of it is read off the model that the search itself used, fitted once more to all trials.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from hakken.core.seeds import derive_seed
from hakken.report.figure import TrialRecord
from hakken.search import Dimension, Space, Trial, cube
from hakken.search.effects import Curve, Shares, partial_dependence, variance_shares
from hakken.search.rungs import Rungs, Training, learnt
from hakken.search.surrogate import surrogate
from hakken.search.trial import Value

FEWEST = 6
"""Fewer measured trials than this are not modelled."""

FOLDS = 5
USELESS = 0.1
"""A model that explains no more than this share of left-out trials says nothing of the parameters.

Measured: of 50 trials of pure noise with 17 parameters it explains less in 94 of 100 cases.
"""

BORDER = 0.02
"""A best value within this share of a range of its end counts as lying at the border."""


@dataclass(frozen=True)
class Learnt:
    """Shares of the variance, the curves of the most important parameters, and how well left-out trials are predicted.

    ``r2`` is the share of the trials' variance that the model explains when a fifth of them is predicted from the
    others, the kernel fitted anew each time. (With a kernel that has seen all trials even noise would seem explained.)
    """

    shares: Shares
    curves: dict[str, Curve]
    r2: float

    @property
    def useful(self) -> bool:
        """Whether the model knows more of a left-out trial than the mean of the others."""
        return self.r2 > USELESS


def learn(space: Space, trials: Sequence[Trial], *, curves: int, seed: int) -> Learnt | None:
    """Return what the model of finished ``trials`` says, with the ``curves`` of so many parameters.

    None where fewer than `FEWEST` trials have an objective, or all have the same, or the model is flat.
    """
    measured = [trial for trial in trials if trial.measured]
    if len(measured) < FEWEST or len({trial.value for trial in measured}) == 1 or not space.dimensions:
        return None
    model = surrogate(space, measured)
    shares = variance_shares(space, lambda points: model.predict(points)[0], derive_seed(seed, "shares"))
    if shares is None:
        return None
    chosen = shares.ranking[:curves]
    drawn = {name: partial_dependence(space, name, model.average, derive_seed(seed, "curves")) for name in chosen}
    return Learnt(shares, drawn, cross_validated(space, measured))


def comparable(shares: Sequence[str], records: Sequence[TrialRecord]) -> list[Trial]:
    """Return the trials of a sweep with objectives that can be compared.

    Where trainings pause at rungs, the ``shares``, these are what the search itself has learnt from: those at the end,
    and those at the last rung moved by the median step from there to the end, which are `paused`.
    """
    if not any(record.segments for record in records):
        return [record.trial for record in records]
    rungs = Rungs.of(shares)
    names = {str(stop): place for place, stop in enumerate(rungs.stops)}
    trainings = [
        Training(
            record.number,
            record.parameters,
            record.state,
            max((names[stop] for stop in record.by_rung), default=0),
            {names[stop]: value for stop, value in record.by_rung.items()},
        )
        for record in records
    ]
    states = {record.number: record.state for record in records}
    known = (trial for trial in learnt(rungs, trainings) if not trial.pending)
    return [replace(trial, state=states[trial.number]) for trial in known]


def cross_validated(space: Space, trials: Sequence[Trial]) -> float:
    """Return R² of predicting each fifth of the ``trials`` from the others; 0 where their mean would do as well."""
    errors, spread = 0.0, 0.0
    for fold in range(FOLDS):
        kept = [trial for place, trial in enumerate(trials) if place % FOLDS != fold]
        left = [trial for place, trial in enumerate(trials) if place % FOLDS == fold]
        values = np.array([trial.value for trial in left], float)
        expected, _ = surrogate(space, kept).predict(cube.encode(space, [trial.parameters for trial in left]))
        mean = np.mean([trial.value for trial in kept if trial.value is not None])
        errors += float(((values - expected) ** 2).sum())
        spread += float(((values - mean) ** 2).sum())
    return 1 - errors / spread


def border(dimension: Dimension, value: Value) -> str | None:
    """Return `lowest` or `highest` where a number lies at the end of its range, else None.

    An integer lies at the border only at the border itself.
    """
    if dimension.kind == "categorical" or dimension.low == dimension.high:
        return None
    place = float(cube.to_unit(dimension, np.array([float(value)]))[0])
    if dimension.kind == "integer":
        return "lowest" if value == dimension.low else "highest" if value == dimension.high else None
    return "lowest" if place <= BORDER else "highest" if place >= 1 - BORDER else None


def reading(measured: int, parameters: int, learnt: Learnt | None) -> str:
    """Return how far the model can be trusted."""
    if learnt is None:
        return f"{measured} trainings with an objective: at least {FEWEST} that differ are needed to model it."
    fit = f"Left-out trainings predicted from the others: R² = {learnt.r2:.2f}"
    if not learnt.useful:
        return f"{fit}, too little for a ranking (0: no better than their mean)."
    few = f", uncertain with {measured} trainings for {parameters} parameters" if measured < 5 * parameters else ""
    return f"{fit}{few}."
