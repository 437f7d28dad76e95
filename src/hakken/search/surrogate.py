"""What the search believes of its objective: the model of the finished trials in the objective's own units."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.linalg import solve_triangular

from hakken.core.errors import HakkenError
from hakken.search import cube
from hakken.search.cube import Floats, Points
from hakken.search.gaussian import Encoder, Model, fit
from hakken.search.space import Space
from hakken.search.trial import Trial


@dataclass(frozen=True, eq=False)
class Surrogate:
    """A fitted model, and ``mean`` and ``scale`` by which its predictions become objectives."""

    encoder: Encoder
    model: Model
    mean: float
    scale: float

    def predict(self, points: Points) -> tuple[Floats, Floats]:
        """Return posterior mean and deviation (m,) at ``points``, in units of the objective."""
        found = self.model.predict(self.encoder.features(points))
        return self.mean + self.scale * found.means[0], abs(self.scale) * found.deviation

    def average(self, points: Points) -> tuple[float, float]:
        """Return mean and deviation of the posterior of the objective averaged over ``points`` (m,).

        With k̄ the mean covariance of the trials with the points, the variance is the mean of k(points, points) less
        k̄ᵀ K⁻¹ k̄: smaller than that of a point, because the points' own errors average out.
        """
        process, features = self.model, self.encoder.features(points)
        known = solve_triangular(process.lower, process.kernel(process.x, features).mean(axis=1), lower=True)
        variance = float(process.kernel(features, features).mean() - known @ known)
        return float(self.predict(points)[0].mean()), abs(self.scale) * float(np.sqrt(max(variance, 0.0)))


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
    return Surrogate(encoder, model, float(values.mean()), sign * scale)
