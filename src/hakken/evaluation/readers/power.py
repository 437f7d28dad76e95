"""Power of a planned reader study, from the variance components of a pilot study.

Source: Hillis, Obuchowski and Berbaum, Acad Radiol 2011;18:129-142 (equations for the Obuchowski-Rockette model).
Error covariances shrink with the number of cases: with k = pilot cases / planned cases, two modalities, J readers, a
true difference d, and D = max(Cov2 - Cov3, 0), Var(TR) = max(Var(TR), 0), E = Var - Cov1,

    RRRC  non-centrality  J d^2 / 2 / (Var(TR) + k (E + (J - 1) D))
          df2             (J - 1) ((Var(TR) + k (E + (J - 1) D)) / (Var(TR) + k (E - D)))^2
    FRRC                  J d^2 / 2 / (k (E + (J - 1) D)), chi-square
    RRFC                  J d^2 / 2 / (Var(TR) + k (E - D)), df2 = J - 1

The planned cases are taken to hold the same share of diseased cases as the pilot.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from hakken.core.errors import HakkenError
from hakken.evaluation.findings import Floats
from hakken.evaluation.readers.intervals import Scope

CENTRAL = 1e-9
"""A non-centrality below this makes no difference to the power."""


@dataclass(frozen=True)
class Pilot:
    """Variance components of the Obuchowski-Rockette model, and the number of cases that they were estimated from.

    Raises HakkenError where no power can be computed from them.
    """

    var_tr: float
    var: float
    cov1: float
    cov2: float
    cov3: float
    cases: int

    def __post_init__(self) -> None:
        if self.var <= 0:
            raise HakkenError(f"variance components: Var is {self.var:g}; power needs a variance above 0")
        if self.cases < 2:
            raise HakkenError(
                f"variance components: {self.cases} pilot cases; give the number they were estimated from"
            )
        if not np.isfinite([self.var_tr, self.var, self.cov1, self.cov2, self.cov3]).all():
            raise HakkenError("variance components: one is not finite; give numbers")
        if self.error <= self.shared:
            raise HakkenError(
                f"variance components: Var - Cov1 - max(Cov2 - Cov3, 0) is {self.error - self.shared:g}, not above 0; "
                "no power follows from them, so take a larger pilot study"
            )

    @property
    def error(self) -> float:
        """Var - Cov1."""
        return self.var - self.cov1

    @property
    def shared(self) -> float:
        """Cov2 - Cov3, and 0 where it is negative."""
        return max(self.cov2 - self.cov3, 0.0)


@dataclass(frozen=True, eq=False)
class Power:
    """Power, non-centrality and denominator degrees of freedom (infinite: chi-square), each of one shape."""

    power: Floats
    noncentrality: Floats
    df: Floats


@dataclass(frozen=True)
class Smallest:
    """For a number of readers the fewest cases that reach the wanted power, None where none of those looked at do."""

    readers: int
    cases: int | None
    power: float | None


def power(
    pilot: Pilot,
    true_difference: float,
    readers: Sequence[int],
    cases: Sequence[int],
    *,
    scope: Scope,
    alpha: float = 0.05,
) -> Power:
    """Return the power to find ``true_difference`` with each number of ``readers`` (r,) and ``cases`` (c,): (r, c)."""
    j, k = np.array(readers, float)[:, None], pilot.cases / np.array(cases, float)[None, :]
    interaction = max(pilot.var_tr, 0.0) + k * (pilot.error - pilot.shared)
    by_cases = k * (pilot.error + (j - 1) * pilot.shared)
    if scope == "FRRC":
        variance, df = by_cases, np.full(by_cases.shape, np.inf)
    elif scope == "RRFC":
        variance, df = interaction + 0 * j, j - 1 + 0 * k
    else:
        variance = max(pilot.var_tr, 0.0) + by_cases
        df = (j - 1) * (variance / interaction) ** 2
    noncentrality = j * true_difference**2 / 2 / variance
    if scope == "FRRC":
        reached = stats.ncx2.sf(stats.chi2.isf(alpha, 1), 1, noncentrality)
    else:
        reached = stats.ncf.sf(stats.f.isf(alpha, 1, df), 1, df, noncentrality)
    # Without a difference a test is significant as often as its level says; scipy's non-central F does not know.
    return Power(np.where(noncentrality > CENTRAL, reached, alpha), noncentrality, df)


def smallest_designs(
    pilot: Pilot,
    true_difference: float,
    readers: Sequence[int],
    most_cases: int,
    *,
    scope: Scope,
    wanted: float,
    alpha: float = 0.05,
) -> list[Smallest]:
    """Return for each number of readers the fewest cases, 2 to ``most_cases``, that reach the power ``wanted``."""
    cases = np.arange(2, most_cases + 1)
    table = power(pilot, true_difference, readers, cases.tolist(), scope=scope, alpha=alpha).power
    found = []
    for number, row in zip(readers, table, strict=True):
        # First reached, not monotone: with more cases the degrees of freedom fall while the non-centrality grows.
        enough = np.flatnonzero(row >= wanted)
        place = int(enough[0]) if enough.size else None
        found.append(
            Smallest(
                number,
                None if place is None else int(cases[place]),
                None if place is None else float(row[place]),
            )
        )
    return found
