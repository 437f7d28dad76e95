"""The model: a Gaussian process with an additive and a full Matérn-5/2 kernel, fitted by maximum a posteriori.

Notation: n finished trials, p pending ones, m points to predict, s fantasies, d parameters.
    y (n,)  targets of the finished trials with mean 0 and variance 1, larger is better
    D_j     squared distance of two points in parameter j (see `Encoder`), l_j its length scale
    k(x, x') = A M(sqrt(Σ_j D_j / l_j²)) + B/d Σ_j M(sqrt(D_j) / l_j),   M Matérn 5/2
    K = k(x, x) + noise I = L Lᵀ                                     Rasmussen & Williams 2006, algorithm 2.1

The additive part (Duvenaud, Nickisch & Rasmussen 2011, first order) learns from few trials what each parameter does on
its own; the full part adds how they act together. The kernel is fitted to finished trials only and stays as it is when
pending trials join as fantasies: joint samples of what the model expects of them (Snoek, Larochelle & Adams 2012,
section 3.2).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_solve, cholesky, solve_triangular
from scipy.optimize import Bounds, minimize

from hakken.search.cube import Floats, Points
from hakken.search.space import Space

FANTASIES = 32
# Normal priors of the logarithms of the kernel's parameters: mean, standard deviation.
FULL = (np.log(0.25), 1.0)
ADDITIVE = (np.log(0.75), 1.0)
LENGTH = (0.0, 0.8)
NOISE = (-6.0, 1.5)
REACH = 4.0  # bounds of the fit, in standard deviations of the priors
JITTER = 1e-8
MISMATCH = 0.25  # squared distance between a parameter that is active and one that is not, beside that of its values
MOST_FITTED = 200  # trials that the kernel's parameters are fitted to; all count in predictions
ITERATIONS = 60
CHUNK = 400_000  # elements (rows x points) of a block of covariances held at once
ROOT5 = np.sqrt(5.0)


@dataclass(frozen=True)
class Encoder:
    """Squared distances of points in each parameter that varies.

    Numbers differ by their coordinates in [0, 1] on their scale, choices by 1. A parameter that is inactive lies in
    the middle of its axis (or is a choice of its own), and `MISMATCH` away from where it is active. All of these are
    distances in a Euclidean space, which keeps the kernel positive definite.
    """

    columns: tuple[int, ...]
    categorical: NDArray[np.bool_]  # (d,)

    @classmethod
    def of(cls, space: Space) -> Encoder:
        """Return the encoder of ``space``."""
        varying = tuple(place for place, dimension in enumerate(space.dimensions) if dimension.count > 1)
        return cls(varying, np.array([space.dimensions[place].kind == "categorical" for place in varying], dtype=bool))

    def features(self, points: Points) -> Floats:
        """Return features (m, 2 d) of ``points``: coordinates, and -1 or the square root of `MISMATCH`."""
        columns = list(self.columns)
        u, active = points.u[:, columns], points.active[:, columns]
        return np.hstack([np.where(~active & self.categorical, -1.0, u), active.astype(float)])

    def distances(self, a: Floats, b: Floats) -> Floats:
        """Return the squared distances (d, n, m) of features ``a`` (n, 2 d) and ``b`` (m, 2 d)."""
        d = len(self.columns)
        u = a[:, :d].T[:, :, None] - b[:, :d].T[:, None, :]
        squared = u * u
        for place, categorical in enumerate(self.categorical):
            if categorical:
                squared[place] = u[place] != 0
            elif not (a[:, d + place].all() and b[:, d + place].all()):
                squared[place] += MISMATCH * (a[:, d + place][:, None] != b[:, d + place][None, :])
        return np.asarray(squared)


@dataclass(frozen=True)
class Kernel:
    """Covariances under fixed parameters: variances of the full and of the additive part, length scales (d,)."""

    encoder: Encoder
    full: float
    additive: float
    lengths: Floats

    @property
    def variance(self) -> float:
        """Prior variance of a point."""
        return self.full + self.additive

    def __call__(self, a: Floats, b: Floats) -> Floats:
        """Return the covariances (n, m) of features ``a`` (n, f) and ``b`` (m, f)."""
        step = max(1, CHUNK // max(1, len(a)))
        blocks = [self._block(a, b[start : start + step]) for start in range(0, len(b), step)]
        return np.hstack(blocks) if blocks else np.empty((len(a), 0))

    def _block(self, a: Floats, b: Floats) -> Floats:
        scaled = self.encoder.distances(a, b)
        scaled /= (self.lengths**2)[:, None, None]
        full = self.full * _matern(scaled.sum(axis=0))
        return np.asarray(full + self.additive / max(1, len(self.lengths)) * _matern(scaled).sum(axis=0))


class Covariance(Protocol):
    """A kernel with fixed parameters."""

    @property
    def variance(self) -> float:
        """Prior variance of a point."""
        ...

    def __call__(self, a: Floats, b: Floats) -> Floats:
        """Return the covariances (n, m) of features ``a`` (n, f) and ``b`` (m, f)."""
        ...


@dataclass(frozen=True)
class Prediction:
    """What the model expects at m points under s fantasies: ``means`` (s, m) and the common ``deviation`` (m,)."""

    means: Floats
    deviation: Floats


@dataclass(frozen=True)
class Model:
    """A fitted Gaussian process, perhaps conditioned on fantasies of pending trials."""

    kernel: Covariance
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
        variance = self.kernel.variance - np.sum(v**2, axis=0)
        means = np.tile(mean, (self.weights.shape[1], 1))
        if len(self.pending):
            covariance = self.kernel(self.pending, x) - self._pending_explained.T @ v
            means += (covariance.T @ self.weights).T
            variance -= np.sum(solve_triangular(self.pending_lower, covariance, lower=True) ** 2, axis=0)
        return Prediction(means, np.sqrt(np.maximum(variance, 1e-12)))

    def imagine(self, pending: Floats, rng: np.random.Generator, fantasies: int = FANTASIES) -> Model:
        """Return the model that has also seen ``pending`` (p, f), once for each fantasy; without any, itself."""
        if not len(pending):
            return self
        v = solve_triangular(self.lower, self.kernel(self.x, pending), lower=True)
        covariance = self.kernel(pending, pending) - v.T @ v + (self.noise + JITTER) * np.eye(len(pending))
        lower = cholesky(covariance, lower=True)
        normal = rng.standard_normal((len(pending), fantasies))
        weights = solve_triangular(lower, normal, lower=True, trans="T")
        return Model(self.kernel, self.noise, self.x, self.lower, self.alpha, pending, lower, weights)

    @cached_property
    def _pending_explained(self) -> Floats:
        """L⁻¹ k(x, pending), (n, p)."""
        return np.asarray(solve_triangular(self.lower, self.kernel(self.x, self.pending), lower=True))


@dataclass(frozen=True)
class Fitted:
    """A kernel and a variance of the noise, and the logarithm of their posterior density, up to a constant."""

    kernel: Covariance
    noise: float
    log_posterior: float = 0.0


def fit(encoder: Encoder, x: Floats, y: Floats) -> Model:
    """Fit the kernel's parameters to features ``x`` (n, f) and ``y`` (n,) by maximum a posteriori."""
    return condition(posterior_mode(encoder, x, y), x, y)


def condition(fitted: Fitted, x: Floats, y: Floats) -> Model:
    """Return the model with a given kernel that has seen ``x`` (n, f) and ``y`` (n,)."""
    kernel, noise = fitted.kernel, fitted.noise
    lower = cholesky(kernel(x, x) + (noise + JITTER) * np.eye(len(x)), lower=True)
    alpha = cho_solve((lower, True), y)
    none = np.empty((0, x.shape[1]))
    return Model(kernel, noise, x, lower, alpha, none, np.empty((0, 0)), np.empty((0, 1)))


def most_telling(y: Floats, count: int) -> NDArray[np.intp]:
    """Return the places of all trials, or of many the best half of ``count`` and an even choice of the rest."""
    if len(y) <= count:
        return np.arange(len(y))
    ranked = np.argsort(-y, kind="stable")
    best, rest = ranked[: count // 2], ranked[count // 2 :]
    even = rest[np.linspace(0, len(rest) - 1, count - len(best)).astype(int)]
    return np.sort(np.concatenate([best, even]))


def posterior_mode(encoder: Encoder, x: Floats, y: Floats) -> Fitted:
    """Fit to at most `MOST_FITTED` of the features ``x`` (n, f) and ``y`` (n,): the most probable kernel and noise.

    Minimises the negative log likelihood plus the negative log prior of the logarithms (2 + d + 1 of them).
    """
    few = most_telling(y, MOST_FITTED)
    x, y = x[few], y[few]
    d = len(encoder.columns)
    centre = np.array([FULL[0], ADDITIVE[0], *[LENGTH[0]] * d, NOISE[0]])
    spread = np.array([FULL[1], ADDITIVE[1], *[LENGTH[1]] * d, NOISE[1]])
    loss = _loss(encoder.distances(x, x), y)

    def penalised(theta: Floats) -> tuple[float, Floats]:
        value, gradient = loss(theta)
        distance = (theta - centre) / spread
        return value + 0.5 * float(distance @ distance), gradient + distance / spread

    bounds = Bounds(centre - REACH * spread, centre + REACH * spread)
    options = {"maxiter": ITERATIONS}
    found = minimize(  # type: ignore[call-overload]
        penalised, centre, jac=True, method="L-BFGS-B", bounds=bounds, options=options
    )
    full, additive, *lengths, noise = np.exp(found.x)
    return Fitted(Kernel(encoder, float(full), float(additive), np.array(lengths)), float(noise), -float(found.fun))


def _loss(distances: Floats, y: Floats) -> Callable[[Floats], tuple[float, Floats]]:
    """Return the negative log likelihood and its gradient as a function of the logarithms of the parameters.

    ``distances`` (d, n, n). Only pairs a < b are computed; the matrix is symmetric with a known diagonal.
    """
    d, n = distances.shape[:2]
    rows, columns = np.triu_indices(n, 1)
    pairs = distances[:, rows, columns]

    def loss(theta: Floats) -> tuple[float, Floats]:
        full, additive, noise = np.exp(theta[0]), np.exp(theta[1]) / max(1, d), np.exp(theta[-1])
        scaled = pairs * np.exp(-2 * theta[2:-1])[:, None]
        together, slope = _matern_with_slope(scaled.sum(axis=0))
        alone, slopes = _matern_with_slope(scaled)
        covariance = np.zeros((n, n))
        covariance[columns, rows] = full * together + additive * alone.sum(axis=0)
        np.fill_diagonal(covariance, full + additive * d + noise + JITTER)
        lower = cholesky(covariance, lower=True, overwrite_a=True, check_finite=False)
        alpha = cho_solve((lower, True), y, check_finite=False)
        value = 0.5 * float(y @ alpha) + float(np.log(np.diag(lower)).sum())
        # W = αᵀα - K⁻¹; the gradient of the likelihood is half the sum of W ∘ ∂K, and pairs stand in K twice.
        weight = np.outer(alpha, alpha) - cho_solve((lower, True), np.eye(n), check_finite=False)
        weights, trace = weight[rows, columns], float(np.trace(weight))
        gradient = np.empty(d + 3)
        gradient[0] = full * (weights @ together + 0.5 * trace)
        gradient[1] = additive * (float((alone @ weights).sum()) + 0.5 * trace * d)
        gradient[2:-1] = -2 * ((scaled * (full * slope + additive * slopes)) @ weights)
        gradient[-1] = 0.5 * noise * trace
        return value, -gradient

    return loss


def _matern(squared: Floats) -> Floats:
    """Return Matérn 5/2 correlations at squared scaled distances."""
    r = ROOT5 * np.sqrt(squared)
    return np.asarray((1 + r + r * r / 3) * np.exp(-r))


def _matern_with_slope(squared: Floats) -> tuple[Floats, Floats]:
    """Return Matérn 5/2 correlations and their derivatives with respect to the squared scaled distance."""
    r = ROOT5 * np.sqrt(squared)
    decay = np.exp(-r)
    return (1 + r + r * r / 3) * decay, -5 / 6 * (1 + r) * decay
