"""Analysis of variance of independent observations by least squares: Type II and Type III tests of every effect.

Notation: y (n,) the response; X = [1, X_1, X_2, ...] the columns of the intercept and of each effect. A factor of k
levels has k - 1 columns of sum contrasts: level i is 1 in column i, the last level -1 in all; an interaction has the
products of its factors' columns. The sum of squares of an effect is what its columns add to the fit of others:
Type III, of all other effects; Type II, of all that do not contain it (Fox, Applied Regression Analysis, section 8.2;
Maxwell and Delaney, Designing Experiments, chapter 7). The error is that of the whole model in both.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from scipy import stats

from hakken.core.errors import HakkenError
from hakken.evaluation.findings import Floats, Ints

Term = tuple[int, ...]
"""The factors of an effect by their places: (0,) a main effect, (0, 1) an interaction."""

NAMED = 3
ROUNDING = 8 * np.finfo(float).eps
"""Differences of the response below this share of its largest value are rounding."""


@dataclass(frozen=True, eq=False)
class Factor:
    """A factor: its levels and which of them each observation has, ``index`` (n,)."""

    name: str
    levels: tuple[str, ...]
    index: Ints

    @classmethod
    def of(cls, name: str, values: Sequence[str]) -> Self:
        """Return a factor from its cells; levels that are all numbers ascend, others keep their first order.

        Raises HakkenError where there are fewer than two levels.
        """
        levels = list(dict.fromkeys(values))
        if len(levels) < 2:
            held = f"one level ({levels[0]}) in every row" if levels else "no row"
            raise HakkenError(f"factor {name}: {held}; a factor needs two levels or more")
        if all(_is_number(level) for level in levels):
            levels.sort(key=float)
        place = {level: number for number, level in enumerate(levels)}
        return cls(name, tuple(levels), np.array([place[value] for value in values], np.int64))

    @property
    def columns(self) -> Floats:
        """The sum contrasts of the observations (n, levels - 1)."""
        k = len(self.levels)
        return np.asarray(np.vstack([np.eye(k - 1), -np.ones(k - 1)])[self.index])


@dataclass(frozen=True)
class Effect:
    """One line of the table; ``f``, ``p`` and ``partial_eta_squared`` are None where there is no error to divide by.

    Partial eta squared is SS / (SS + SS of the error).
    """

    effect: str
    ss: float
    df: int
    f: float | None
    p: float | None
    partial_eta_squared: float | None


@dataclass(frozen=True)
class Cell:
    """The observations of one combination of levels; sd with n - 1, None for a single one."""

    levels: tuple[str, ...]
    n: int
    mean: float | None
    sd: float | None


@dataclass(frozen=True)
class Anova:
    """Type II and Type III tables, the error that both are tested against, and the cells."""

    type_ii: tuple[Effect, ...]
    type_iii: tuple[Effect, ...]
    error_ss: float
    error_df: int
    cells: tuple[Cell, ...]

    @property
    def error_ms(self) -> float:
        """The mean square of the error."""
        return self.error_ss / self.error_df


def anova(factors: Sequence[Factor], response: Floats, order: int | None = None) -> Anova:
    """Test all main effects and the interactions of up to ``order`` factors (None: of all) on ``response`` (n,).

    Raises HakkenError where an effect is aliased, naming an empty cell, and where no degree of freedom is left for
    the error.
    """
    terms = effects_of(len(factors), order)
    blocks = {term: _block([factors[place] for place in term]) for term in terms}
    design = np.hstack([np.ones((len(response), 1)), *blocks.values()])
    _check_estimable(factors, blocks, design)
    centred = np.asarray(response, float) - np.mean(response)
    error_df = len(response) - design.shape[1]
    basis = np.linalg.qr(design)[0]
    error_ss = float(((centred - basis @ (basis.T @ centred)) ** 2).sum())
    exact = error_ss <= rounding_ss(response)

    def table(left_out: Mapping[Term, Sequence[Term]]) -> tuple[Effect, ...]:
        rows = []
        for term in terms:
            rest = [blocks[other] for other in terms if other not in left_out[term]]
            ss, df = _added(np.hstack([design[:, :1], *rest]), blocks[term], centred), blocks[term].shape[1]
            rows.append(_effect(name_of(factors, term), ss, df, 0.0 if exact else error_ss, error_df))
        return tuple(rows)

    containing = {term: [other for other in terms if set(term) <= set(other)] for term in terms}
    return Anova(
        type_ii=table(containing),
        type_iii=table({term: [term] for term in terms}),
        error_ss=error_ss,
        error_df=error_df,
        cells=cells_of(factors, response),
    )


def effects_of(factors: int, order: int | None = None) -> tuple[Term, ...]:
    """Return the main effects, then the interactions of two factors, and so on up to ``order`` of them."""
    if order is not None and not 1 <= order <= factors:
        raise HakkenError(f"order {order}: use 1 (main effects alone) to {factors}, the number of factors")
    sizes = range(1, (order or factors) + 1)
    return tuple(term for size in sizes for term in itertools.combinations(range(factors), size))


def name_of(factors: Sequence[Factor], term: Term) -> str:
    """Return the name of an effect: `network`, `network:misregistration`."""
    return ":".join(factors[place].name for place in term)


def words_of(factors: Sequence[Factor], levels: Sequence[int]) -> str:
    """Return a combination of levels as people read it: `network = A, misregistration = 2`."""
    return ", ".join(f"{factor.name} = {factor.levels[level]}" for factor, level in zip(factors, levels, strict=True))


def cells_of(factors: Sequence[Factor], response: Floats) -> tuple[Cell, ...]:
    """Return every combination of levels, the last factor fastest, with what was observed there."""
    shape = tuple(len(factor.levels) for factor in factors)
    place = np.ravel_multi_index(tuple(factor.index for factor in factors), shape)
    found = []
    for number, levels in enumerate(np.ndindex(shape)):
        values = response[place == number]
        names = tuple(factor.levels[level] for factor, level in zip(factors, levels, strict=True))
        mean = float(values.mean()) if len(values) else None
        found.append(Cell(names, len(values), mean, float(values.std(ddof=1)) if len(values) > 1 else None))
    return tuple(found)


def rounding_ss(response: Floats) -> float:
    """Return the sum of squares that rounding alone may leave of the ``response`` (any shape)."""
    return float(response.size * (ROUNDING * np.abs(response).max()) ** 2)


def f_test(ss: float, df: int, error_ss: float, error_df: float) -> tuple[float | None, float | None, float | None]:
    """Return F, its p and partial eta squared, None each where the error is 0."""
    if error_ss <= 0:
        return None, None, None
    f = ss / df / (error_ss / error_df)
    return f, float(stats.f.sf(f, df, error_df)), ss / (ss + error_ss)


def _effect(name: str, ss: float, df: int, error_ss: float, error_df: int) -> Effect:
    return Effect(name, ss, df, *f_test(ss, df, error_ss, error_df))


def _block(factors: Sequence[Factor]) -> Floats:
    """Return the columns of an effect: the products of the contrasts of its factors."""
    columns = factors[0].columns
    for factor in factors[1:]:
        columns = (columns[:, :, None] * factor.columns[:, None, :]).reshape(len(columns), -1)
    return columns


def _added(rest: Floats, columns: Floats, centred: Floats) -> float:
    """Return the sum of squares that ``columns`` add to a fit of ``rest``: that of their part orthogonal to it."""
    basis = np.linalg.qr(rest)[0]
    apart = columns - basis @ (basis.T @ columns)
    apart -= basis @ (basis.T @ apart)  # once more: rounding left a little of it
    return float(((np.linalg.qr(apart)[0].T @ centred) ** 2).sum())


def _check_estimable(factors: Sequence[Factor], blocks: Mapping[Term, Floats], design: Floats) -> None:
    """Raise HakkenError where the columns of an effect are made up of those of others, or leave no error."""
    if np.linalg.matrix_rank(design) < design.shape[1]:
        term = _aliased(blocks, design)
        own = _empty_cells([factors[place] for place in term])
        cells = own or _empty_cells(factors)
        more = f" and {len(cells) - NAMED} cells more" if len(cells) > NAMED else ""
        raise HakkenError(
            f"effect {name_of(factors, term)} cannot be told from the others (it is aliased): no row has "
            f"{'; '.join(cells[:NAMED])}{more}; fill the cells, or lower the order of the interactions"
        )
    if len(design) == design.shape[1]:
        raise HakkenError(
            f"{len(design)} rows for as many parameters leave no degree of freedom for the error; "
            "repeat the observations, or lower the order of the interactions"
        )


def _aliased(blocks: Mapping[Term, Floats], design: Floats) -> Term:
    """Return the first effect whose columns depend on those before it."""
    used = 1
    for term, block in blocks.items():
        used += block.shape[1]
        if np.linalg.matrix_rank(design[:, :used]) < used:
            return term
    raise AssertionError("the design has full rank")


def _empty_cells(factors: Sequence[Factor]) -> list[str]:
    shape = tuple(len(factor.levels) for factor in factors)
    filled = np.zeros(shape, bool)
    filled[tuple(factor.index for factor in factors)] = True
    return [words_of(factors, levels) for levels in np.argwhere(~filled).tolist()]


def _is_number(text: str) -> bool:
    try:
        return bool(np.isfinite(float(text)))
    except ValueError:
        return False
