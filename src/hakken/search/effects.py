"""Which parameters matter, and how: variance shares and partial dependence of a model over the whole space.

Notation: d parameters, m points, f the model's mean, V its variance over the space.
    u       (d,) independent uniform coordinates; `hakken.search.cube.snap` makes a valid point of them
    S_i     first order: the share of V that parameter i explains alone, Var(E[f | u_i]) / V
    T_i     total: the share that is lost when all but parameter i are known, E[Var(f | all but u_i)] / V

The functional analysis of variance of Hutter, Hoos & Leyton-Brown (ICML 2014), on the model that the search itself
used. Both indices are estimated with A, B (m, d) and A with column i taken from B (Jansen 1999; Saltelli et al. 2010):
    S_i = 1 - E[(f(B) - f(AB_i))²] / 2V        T_i = E[(f(A) - f(AB_i))²] / 2V
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from hakken.search import cube
from hakken.search.cube import Floats, Points
from hakken.search.space import Dimension, Space

SAMPLES = 12  # 2^12 points in each of the two samples
OTHERS = 7  # 2^7 settings of the other parameters, over which a curve is averaged
GRID = 25  # places of a curve
FLAT = 1e-12  # a variance below this share of the squared mean is rounding

Means = Callable[[Points], Floats]
Average = Callable[[Points], tuple[float, float]]
"""What the model believes of the objective averaged over points: mean and deviation of that average."""


@dataclass(frozen=True)
class Shares:
    """By parameter, the shares of the variance that it explains alone (``first``) and with others (``total``)."""

    first: dict[str, float]
    total: dict[str, float]

    @property
    def ranking(self) -> list[str]:
        """The names by falling total share."""
        return sorted(self.total, key=lambda name: -self.total[name])


@dataclass(frozen=True, eq=False)
class Curve:
    """Partial dependence: mean and deviation (n,) of the objective averaged over all other parameters, at ``numbers``.

    ``numbers`` (n,) are values of the parameter, or places among its choices.
    """

    numbers: Floats
    mean: Floats
    deviation: Floats


def variance_shares(space: Space, mean: Means, seed: int) -> Shares | None:
    """Return how much of the variance of ``mean`` over the valid points each parameter explains; None where it is flat.

    Shares are clipped to 0 and above: the estimate of a share near zero may be slightly negative.
    """
    d = len(space.dimensions)
    both = _uniform(2 * d, SAMPLES, seed)
    a, b = both[:, :d], both[:, d:]
    f_a, f_b = mean(cube.snap(space, a)), mean(cube.snap(space, b))
    values = np.concatenate([f_a, f_b])
    variance = float(values.var())
    if variance <= FLAT * float(np.mean(values**2)):
        return None
    first, total = {}, {}
    for column, name in enumerate(space.by_name):
        mixed = a.copy()
        mixed[:, column] = b[:, column]
        f_mixed = mean(cube.snap(space, mixed))
        first[name] = max(0.0, 1 - float(np.mean((f_b - f_mixed) ** 2)) / (2 * variance))
        total[name] = float(np.mean((f_a - f_mixed) ** 2)) / (2 * variance)
    return Shares(first, total)


def partial_dependence(space: Space, name: str, average: Average, seed: int) -> Curve:
    """Return what the model believes of the objective against parameter ``name``, averaged over valid other settings.

    Settings under which the parameter is not active do not count; where none is active the curve is empty.
    """
    column = list(space.by_name).index(name)
    others = _uniform(len(space.dimensions), OTHERS, seed)
    others = others[cube.snap(space, others).active[:, column]]
    if not len(others):
        return Curve(*[np.empty(0)] * 3)
    numbers = _places(space[name])
    believed = []
    for place in cube.to_unit(space[name], numbers):
        others[:, column] = place
        believed.append(average(cube.snap(space, others)))
    mean, deviation = np.array(believed).T
    return Curve(numbers, mean, deviation)


def _places(dimension: Dimension) -> Floats:
    """Return where a curve is measured: every choice, or numbers evenly spread on the searched scale."""
    if dimension.kind == "categorical":
        return np.arange(len(dimension.choices), dtype=float)
    return np.unique(cube.from_unit(dimension, np.linspace(0, 1, GRID)))


def _uniform(columns: int, power: int, seed: int) -> Floats:
    """Return 2^power points (., columns) of a scrambled Sobol sequence."""
    from scipy.stats import qmc  # half a second to import

    return np.asarray(qmc.Sobol(columns, scramble=True, rng=np.random.default_rng(seed)).random_base2(power))
