"""What the search believes of its objective: the model of the finished trials in the objective's own units."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hakken.errors import HakkenError
from hakken.search import cube
from hakken.search.cube import Floats, Points
from hakken.search.gaussian import Encoder, Model, fit
from hakken.search.space import Space
from hakken.search.trial import Trial


@dataclass(frozen=True, eq=False)
class Surrogate:
    """A fitted model; ``r2`` is the R² of leaving each trial out in turn, with the kernel kept.

    R² (1 where every left-out trial is predicted exactly, 0 where the mean would do as well) may be negative.
    """

    encoder: Encoder
    model: Model
    mean: float
    scale: float
    r2: float

    def predict(self, points: Points) -> tuple[Floats, Floats]:
        """Return posterior mean and deviation (m,) at ``points``, in units of the objective."""
        found = self.model.predict(self.encoder.features(points))
        return self.mean + self.scale * found.means[0], abs(self.scale) * found.deviation


def surrogate(space: Space, trials: Sequence[Trial], *, maximise: bool = True) -> Surrogate:
    """Fit the model of the sampler `bayesian` to the measured ``trials``.

    Values are not censored as they are for proposals. ``maximise`` does not change the prediction, only which trials
    are the better half where there are too many to fit. Raises HakkenError where no trial has an objective.
    """
    measured = sorted((trial for trial in trials if trial.measured), key=lambda trial: trial.number)
    if not measured:
        raise HakkenError("no trial has an objective to learn from")
    values = np.array([trial.value or 0.0 for trial in measured])
    sign, scale = (1.0 if maximise else -1.0), float(values.std()) or 1.0
    y = sign * (values - values.mean()) / scale
    encoder = Encoder.of(space)
    model = fit(encoder, encoder.features(cube.encode(space, [trial.parameters for trial in measured])), y)
    return Surrogate(encoder, model, float(values.mean()), sign * scale, _left_out(model, y))


def _left_out(model: Model, y: Floats) -> float:
    """Return R² of leave-one-out predictions (Rasmussen & Williams 2006, equation 5.12)."""
    inverse = np.linalg.inv(model.lower @ model.lower.T)
    errors = model.alpha / np.diag(inverse)
    total = float(((y - y.mean()) ** 2).sum())
    return 1.0 - float(errors @ errors) / total if total > 0 else 0.0
