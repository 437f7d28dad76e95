"""Agreement of labels with the truth, or of two readers: confusion matrix, per-class measures, kappa, McNemar.

Notation: a confusion matrix n_ij (..., C, C) counts the cases of true class i that were called j; leading axes, if any,
are resamples. Measures that divide by 0 are NaN.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy.special import chdtrc
from scipy.stats import binomtest

from hakken.evaluation.findings import Flags, Floats, Ints
from hakken.evaluation.proportions import Z

Weighting = Literal["unweighted", "linear", "quadratic"]


@dataclass(frozen=True)
class Kappa:
    """Cohen's kappa with its asymptotic standard error and 95 % interval; None where it is not defined."""

    value: float | None
    se: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True)
class McNemar:
    """Cases that only the first, and only the second, got right, and whether the two numbers differ by chance.

    ``exact_p`` is the two-sided binomial p, ``chi_square`` has the continuity correction (Edwards, Psychometrika
    1948;13:185-187) and one degree of freedom. None where no case tells the two apart.
    """

    only_first: int
    only_second: int
    exact_p: float | None
    chi_square: float | None
    chi_square_p: float | None


def confusion(truth: Ints, prediction: Ints, classes: int) -> Ints:
    """Return the confusion matrix (C, C) of class numbers (n,) from 0."""
    return np.asarray(np.bincount(truth * classes + prediction, minlength=classes**2).reshape(classes, classes))


def accuracy(matrix: Floats | Ints) -> Floats:
    """Return the share of cases on the diagonal (...)."""
    return _ratio(_right(matrix).sum(axis=-1), matrix.sum(axis=(-2, -1)))


def recall(matrix: Floats | Ints) -> Floats:
    """Return, for each class (..., C), the share of its cases that were called so."""
    return _ratio(_right(matrix), matrix.sum(axis=-1))


def precision(matrix: Floats | Ints) -> Floats:
    """Return, for each class (..., C), the share of the cases called so that are of it."""
    return _ratio(_right(matrix), matrix.sum(axis=-2))


def f1(matrix: Floats | Ints) -> Floats:
    """Return F1 of each class (..., C): 2 n_ii / (n_i. + n_.i), 0 where the class is there but never found."""
    return _ratio(2 * _right(matrix), matrix.sum(axis=-1) + matrix.sum(axis=-2))


def balanced_accuracy(matrix: Floats | Ints, among: Flags) -> Floats:
    """Return the mean recall (...) of the classes ``among`` (C,); NaN where one of them has no case."""
    return np.asarray(recall(matrix)[..., among].mean(axis=-1))


def macro_f1(matrix: Floats | Ints, among: Flags) -> Floats:
    """Return the mean F1 (...) of the classes ``among`` (C,); NaN where one of them is neither true nor called."""
    return np.asarray(f1(matrix)[..., among].mean(axis=-1))


def rows_mcc(matrix: Floats | Ints) -> Floats:
    """Return Matthews' correlation coefficient (...) of any number of classes; NaN where truth or calls are all alike.

    With n cases, c of them called rightly, t_k of class k and p_k called so: (c n - sum t_k p_k) / sqrt((n² - sum p_k²)
    (n² - sum t_k²)) (Gorodkin, Computational Biology and Chemistry 2004;28:367-374). Of two classes it is that of
    Matthews (Biochimica et Biophysica Acta 1975;405:442-451).
    """
    counts = np.asarray(matrix, float)
    n, right = counts.sum(axis=(-2, -1)), _right(counts).sum(axis=-1)
    truth, called = counts.sum(axis=-1), counts.sum(axis=-2)
    together = right * n - (truth * called).sum(axis=-1)
    spreads = (n**2 - (called**2).sum(axis=-1)) * (n**2 - (truth**2).sum(axis=-1))
    return np.asarray(np.clip(_ratio(together, np.sqrt(spreads)), -1, 1))


def weights(classes: int, weighting: Weighting) -> Floats:
    """Return the agreement weights (C, C): 1 on the diagonal, falling to 0 at the greatest distance of ordered classes.

    `linear` 1 - |i - j| / (C - 1) is Cicchetti and Allison's, `quadratic` 1 - (i - j)² / (C - 1)² Fleiss and Cohen's.
    """
    if weighting == "unweighted":
        return np.eye(classes)
    distance = np.abs(np.subtract.outer(np.arange(classes), np.arange(classes))) / max(1, classes - 1)
    return np.asarray(1 - (distance if weighting == "linear" else distance**2))


def rows_kappa(matrix: Floats | Ints, weight: Floats) -> Floats:
    """Return Cohen's kappa (...) with agreement weights (C, C): (p_o - p_e) / (1 - p_e); NaN where p_e is 1."""
    total = matrix.sum(axis=(-2, -1))
    observed = (matrix * weight).sum(axis=(-2, -1)) * total
    expected = np.einsum("...i,...j,ij->...", matrix.sum(axis=-1), matrix.sum(axis=-2), weight)
    return _ratio(observed - expected, np.asarray(total, float) ** 2 - expected)


def kappa(matrix: Ints, weight: Floats) -> Kappa:
    """Return kappa of a matrix (C, C) with its interval for independent cases.

    The standard error is that of Fleiss, Cohen and Everitt (Psychological Bulletin 1969;72:323-327) for any true kappa;
    it holds for large numbers of cases.
    """
    value = float(rows_kappa(matrix, weight))
    if math.isnan(value):
        return Kappa(None, None, None, None)
    total = int(matrix.sum())
    share = matrix / total
    rows, columns = share.sum(axis=1), share.sum(axis=0)
    chance = float(rows @ weight @ columns)
    margins = np.add.outer(weight @ columns, rows @ weight)
    spread = float((share * (weight - margins * (1 - value)) ** 2).sum() - (value - chance * (1 - value)) ** 2)
    se = math.sqrt(max(0.0, spread) / total) / (1 - chance)
    return Kappa(value, se, max(-1.0, value - Z * se), min(1.0, value + Z * se))


def mcnemar(first: Flags, second: Flags) -> McNemar:
    """Compare which of the same cases, (n,) each, the first and the second got right (McNemar, 1947)."""
    only_first, only_second = int((first & ~second).sum()), int((second & ~first).sum())
    apart = only_first + only_second
    if not apart:
        return McNemar(0, 0, None, None, None)
    chi_square = max(0, abs(only_first - only_second) - 1) ** 2 / apart
    return McNemar(
        only_first, only_second, float(binomtest(only_first, apart).pvalue), chi_square, float(chdtrc(1, chi_square))
    )


def class_numbers(labels: Sequence[str], classes: Sequence[str]) -> Ints:
    """Return the number of the class (n,) of each label; raises KeyError for one that is no class."""
    known = {name: number for number, name in enumerate(classes)}
    return np.array([known[label] for label in labels], np.int64)


def _right(matrix: Floats | Ints) -> Floats:
    return np.asarray(np.diagonal(matrix, axis1=-2, axis2=-1), float)


def _ratio(part: Floats | Ints, total: Floats | Ints) -> Floats:
    part, total = np.broadcast_arrays(np.asarray(part, float), np.asarray(total, float))
    return np.asarray(np.divide(part, total, out=np.full(part.shape, np.nan), where=total != 0))
