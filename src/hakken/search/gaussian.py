"""The model: scikit-optimize's Gaussian process on scikit-optimize's encoding of the space, conditioned by ourselves.

Notation: n finished trials, p pending ones, m points to predict, s fantasies, f features.
    x (n, f) features of the finished trials, y (n,) their targets with mean 0 and variance 1, larger is better
    K = k(x, x) + noise I = L Lᵀ                                     Rasmussen & Williams 2006, algorithm 2.1

The kernel is fitted to finished trials only and stays as it is when pending trials join as fantasies: joint samples of
what the model expects of them (Snoek, Larochelle & Adams 2012, section 3.2).

Importing scikit-optimize takes more than a second, so it happens where a model is fitted.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.linalg import cho_factor, solve_triangular
from scipy.optimize import minimize

from hakken.search import cube
from hakken.search.cube import Floats, Points
from hakken.search.space import Dimension, Space

FANTASIES = 32
# Normal priors of the logarithms of the kernel's parameters: mean, standard deviation.
AMPLITUDE = (0.0, 1.0)
LENGTH = (np.log(0.5), 0.8)
NOISE = (-4.0, 1.5)
JITTER = 1e-8


@dataclass(frozen=True)
class Encoder:
    """Turns points of a space into features for the kernel.

    Real and integer parameters lie in [0, 1] on their scale, choices are one-hot; where a parameter is inactive its
    features are 0.5, and a column of its own says so. Parameters with one value only (which scikit-optimize refuses)
    are left out.
    """

    space: Space
    columns: tuple[tuple[int, Any], ...]  # place in the space, scikit-optimize's dimension

    @classmethod
    def of(cls, space: Space) -> Encoder:
        """Return the encoder of ``space``."""
        varying = [place for place, dimension in enumerate(space.dimensions) if dimension.count > 1]
        return cls(space, tuple((place, _skopt_dimension(space.dimensions[place])) for place in varying))

    def features(self, points: Points) -> Floats:
        """Return the features (m, f) of ``points`` (m, d)."""
        blocks = [np.empty((len(points), 0))]
        for place, transformer in self.columns:
            dimension, active = self.space.dimensions[place], points.active[:, place]
            numbers = cube.from_unit(dimension, points.u[:, place])
            block = np.asarray(transformer.transform(numbers), dtype=float).reshape(len(points), -1)
            blocks.append(np.where(active[:, None], block, cube.NEUTRAL))
            if dimension.when:
                blocks.append(active[:, None].astype(float))
        return np.hstack(blocks)


@dataclass(frozen=True)
class Prediction:
    """What the model expects at m points under s fantasies: ``means`` (s, m) and the common ``deviation`` (m,)."""

    means: Floats
    deviation: Floats


@dataclass(frozen=True)
class Model:
    """A fitted Gaussian process, perhaps conditioned on fantasies of pending trials."""

    kernel: Callable[..., Floats]
    noise: float
    x: Floats  # (n, f)
    lower: Floats  # (n, n), L
    alpha: Floats  # (n,), K⁻¹ y
    pending: Floats  # (p, f)
    pending_lower: Floats  # (p, p), Cholesky factor of the pending trials' posterior covariance
    weights: Floats  # (p, s), what each fantasy adds to the mean per unit of covariance with the pending trials

    def predict(self, x: Floats) -> Prediction:
        """Return the posterior at ``x`` (m, f)."""
        cross = self.kernel(self.x, x)
        mean = cross.T @ self.alpha
        v = solve_triangular(self.lower, cross, lower=True)
        variance = np.asarray(self.kernel.diag(x)) - np.sum(v**2, axis=0)  # type: ignore[attr-defined]
        means = np.tile(mean, (self.weights.shape[1], 1))
        if len(self.pending):
            covariance = self.kernel(self.pending, x) - self._explained(self.pending).T @ v
            means += (covariance.T @ self.weights).T
            variance -= np.sum(solve_triangular(self.pending_lower, covariance, lower=True) ** 2, axis=0)
        return Prediction(means, np.sqrt(np.maximum(variance, 1e-12)))

    def imagine(self, pending: Floats, rng: np.random.Generator, fantasies: int = FANTASIES) -> Model:
        """Return the model that has also seen ``pending`` (p, f), once for each fantasy; without any, itself."""
        if not len(pending):
            return self
        v = self._explained(pending)
        covariance = self.kernel(pending) - v.T @ v + (self.noise + JITTER) * np.eye(len(pending))
        lower = np.tril(cho_factor(covariance, lower=True)[0])
        normal = rng.standard_normal((len(pending), fantasies))
        weights = solve_triangular(lower, normal, lower=True, trans="T")
        return Model(self.kernel, self.noise, self.x, self.lower, self.alpha, pending, lower, weights)

    def _explained(self, x: Floats) -> Floats:
        """Return L⁻¹ k(x, ·), (n, m)."""
        return np.asarray(solve_triangular(self.lower, self.kernel(self.x, x), lower=True))


def fit(x: Floats, y: Floats) -> Model:
    """Fit the kernel's parameters to ``x`` (n, f) and ``y`` (n,) by maximum a posteriori."""
    from skopt.learning import GaussianProcessRegressor
    from skopt.learning.gaussian_process.kernels import ConstantKernel, Matern

    kernel = ConstantKernel(1.0) * Matern(np.full(x.shape[1], np.exp(LENGTH[0])), nu=2.5)
    process = GaussianProcessRegressor(kernel, alpha=JITTER, noise="gaussian", optimizer=_maximum_a_posteriori)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        process.fit(x, y)
    none = np.empty((0, x.shape[1]))
    noise = float(process.noise_)
    return Model(process.kernel_, noise, x, process.L_, process.alpha_, none, np.empty((0, 0)), np.empty((0, 1)))


def _maximum_a_posteriori(
    objective: Callable[..., tuple[float, Floats]], start: Floats, bounds: Floats
) -> tuple[Floats, float]:
    """Minimise the negative log likelihood plus the negative log prior of the logarithms (1 + f + 1 of them)."""
    lengths = len(start) - 2
    centre = np.array([AMPLITUDE[0], *[LENGTH[0]] * lengths, NOISE[0]])
    spread = np.array([AMPLITUDE[1], *[LENGTH[1]] * lengths, NOISE[1]])

    def loss(theta: Floats) -> tuple[float, Floats]:
        value, gradient = objective(theta, eval_gradient=True)
        distance = (theta - centre) / spread
        return float(value + 0.5 * distance @ distance), gradient + distance / spread

    limits = list(zip(centre - 4 * spread, centre + 4 * spread, strict=True))
    found = minimize(loss, centre, jac=True, method="L-BFGS-B", bounds=limits, options={"maxiter": 100})
    return found.x, float(found.fun)


def _skopt_dimension(dimension: Dimension) -> Any:
    from skopt.space import Categorical, Integer, Real

    if dimension.kind == "categorical":
        return Categorical([float(place) for place in range(len(dimension.choices))], transform="onehot")
    prior = "log-uniform" if dimension.log else "uniform"
    if dimension.kind == "integer":
        return Integer(int(dimension.low), int(dimension.high), prior=prior, transform="normalize")
    return Real(dimension.low, dimension.high, prior=prior, transform="normalize")
