"""scikit-optimize's Gaussian process on scikit-optimize's encoding of the space, used with care: sampler `skopt`.

Its kernel is fitted to finished trials only, by maximum a posteriori; pending trials, the acquisition and the choice
among the valid points are those of the sampler `bayesian`. Of scikit-optimize's own optimiser nothing is used: it lets
made-up results of pending trials into the fit, counts them as results, and depends on the order of the trials.

Importing scikit-optimize takes more than a second, so it happens where a model is fitted.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.optimize import minimize

from hakken.core.errors import HakkenError
from hakken.search import cube
from hakken.search.cube import Floats, Points
from hakken.search.gaussian import JITTER, Fitted, Model, condition
from hakken.search.space import Dimension, Space

# Normal priors of the logarithms of the kernel's parameters: mean, standard deviation.
AMPLITUDE = (0.0, 1.0)
LENGTH = (np.log(0.5), 0.8)
NOISE = (-4.0, 1.5)


@dataclass(frozen=True)
class ScikitEncoder:
    """Turns points of a space into features for the kernel.

    Real and integer parameters lie in [0, 1] on their scale, choices are one-hot; where a parameter is inactive its
    features are 0.5, and a column of its own says so. Parameters with one value only (which scikit-optimize refuses)
    are left out.
    """

    space: Space
    columns: tuple[tuple[int, Any], ...]  # place in the space, scikit-optimize's dimension

    @classmethod
    def of(cls, space: Space) -> ScikitEncoder:
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
class ScikitKernel:
    """scikit-optimize's fitted kernel as the model needs it; ``variance`` is the prior variance of a point."""

    fitted: Callable[..., Floats]
    variance: float

    def __call__(self, a: Floats, b: Floats) -> Floats:
        """Return the covariances (n, m) of features ``a`` (n, f) and ``b`` (m, f)."""
        return np.asarray(self.fitted(a, b))


def fit_scikit(x: Floats, y: Floats) -> Model:
    """Fit the kernel's parameters to ``x`` (n, f) and ``y`` (n,) by maximum a posteriori."""
    from skopt.learning import GaussianProcessRegressor
    from skopt.learning.gaussian_process.kernels import ConstantKernel, Matern

    kernel = ConstantKernel(1.0) * Matern(np.full(x.shape[1], np.exp(LENGTH[0])), nu=2.5)
    process = GaussianProcessRegressor(kernel, alpha=JITTER, noise="gaussian", optimizer=_maximum_a_posteriori)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        process.fit(x, y)
    variance = float(process.kernel_.diag(x[:1])[0])
    return condition(Fitted(ScikitKernel(process.kernel_, variance), float(process.noise_)), x, y)


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
    if dimension.log and dimension.low * dimension.high == 0:  # scikit-optimize multiplies the two to see a zero
        raise HakkenError(
            f"search space: `{dimension.name}`: {dimension.low:g} to {dimension.high:g} is too small for the sampler "
            "`skopt` on a log scale; use another sampler or other units"
        )
    if dimension.kind == "integer":
        return Integer(int(dimension.low), int(dimension.high), prior=prior, transform="normalize")
    return Real(dimension.low, dimension.high, prior=prior, transform="normalize")
