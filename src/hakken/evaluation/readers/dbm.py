"""The Dorfman-Berbaum-Metz analysis: an analysis of variance of jackknife pseudovalues.

Sources: Dorfman, Berbaum and Metz, Invest Radiol 1992;27:723-731; Hillis, Berbaum and Metz, Acad Radiol 2008;15:647-661
(pseudovalues shifted to the figure of merit, only as much model reduction as is needed, degrees of freedom).
With them it gives the same RRRC and RRFC tests as Obuchowski-Rockette with jackknife covariances, by another way; FRRC
differs in taking F with the cases' degrees of freedom in place of chi-square.
Notation: Y (I, J, K) pseudovalues of I modalities, J readers, K cases; T, R, C stand for the three factors.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

import numpy as np

from hakken.evaluation.findings import Floats
from hakken.evaluation.readers.intervals import ROUNDING, Inference, Level, Scope, difference, f_test, hillis, level
from hakken.evaluation.readers.merit import Merit


@dataclass(frozen=True)
class MeanSquares:
    """Mean squares of the three-way analysis of variance without replication."""

    t: float
    r: float
    c: float
    tr: float
    tc: float
    rc: float
    trc: float


@dataclass(frozen=True)
class VarianceComponents:
    """Variances of the random effects, unclipped: one that is below 0 is estimated as 0 in the tests."""

    r: float
    c: float
    tr: float
    tc: float
    rc: float
    error: float


@dataclass(frozen=True)
class DbmAnalysis:
    """Mean squares, variance components and, by each method, what they say about the modalities."""

    mean_squares: MeanSquares
    components: VarianceComponents
    inference: dict[Scope, Inference]


def mean_squares(y: Floats) -> MeanSquares:
    """Return the mean squares of pseudovalues (I, J, K)."""
    effects: dict[str, Floats] = {}
    squares: dict[str, float] = {}
    for size in (1, 2, 3):
        for factors in itertools.combinations("trc", size):
            axes = tuple(axis for axis, name in enumerate("trc") if name not in factors)
            effect = y.mean(axis=axes, keepdims=True) - y.mean()
            for smaller, known in effects.items():
                if set(smaller) < set(factors):
                    effect = effect - known
            name = "".join(factors)
            effects[name] = effect
            df = math.prod(y.shape["trc".index(factor)] - 1 for factor in factors)
            copies = math.prod(y.shape[axis] for axis in axes)
            square = float(copies * (effect**2).sum() / df)
            squares[name] = square if square > ROUNDING * y.shape[2] else 0.0
    return MeanSquares(**squares)


def variance_components(ms: MeanSquares, shape: tuple[int, ...]) -> VarianceComponents:
    """Return the variance components for (I, J, K)."""
    modalities, readers, cases = shape
    return VarianceComponents(
        r=(ms.r - ms.tr - ms.rc + ms.trc) / (modalities * cases),
        c=(ms.c - ms.tc - ms.rc + ms.trc) / (modalities * readers),
        tr=(ms.tr - ms.trc) / cases,
        tc=(ms.tc - ms.trc) / readers,
        rc=(ms.rc - ms.trc) / modalities,
        error=ms.trc,
    )


def analyse(merit: Merit, modality: tuple[str, ...]) -> DbmAnalysis:
    """Analyse the figures of merit of I >= 2 modalities and J >= 2 readers; differences are later minus earlier."""
    y = merit.pseudovalues
    ms = mean_squares(y)
    return DbmAnalysis(
        ms,
        variance_components(ms, y.shape),
        {scope: _infer(scope, y, ms, modality) for scope in ("RRRC", "FRRC", "RRFC")},
    )


def _infer(scope: Scope, y: Floats, ms: MeanSquares, modality: tuple[str, ...]) -> Inference:
    modalities, readers, cases = y.shape
    error, df = _error(scope, ms, y.shape)
    mean = y.mean(axis=(1, 2))
    scale = 2 * error / (readers * cases)
    return Inference(
        scope,
        f_test(ms.t, error, modalities - 1, df),
        tuple(
            difference(modality[b], modality[a], float(mean[b] - mean[a]), scale, df)
            for a, b in itertools.combinations(range(modalities), 2)
        ),
        tuple(_level(scope, y[i], modality[i]) for i in range(modalities)),
    )


def _error(scope: Scope, ms: MeanSquares, shape: tuple[int, ...]) -> tuple[float, float | None]:
    """Return the mean square in the denominator and its degrees of freedom; MS(TC) - MS(TRC) counts from 0 up."""
    modalities, readers, cases = shape
    if scope == "FRRC":
        return ms.tc, (modalities - 1) * (cases - 1)
    interaction = (modalities - 1) * (readers - 1)
    if scope == "RRFC":
        return ms.tr, interaction
    error = ms.tr + max(ms.tc - ms.trc, 0.0)
    return error, hillis(error, ms.tr, interaction)


def _level(scope: Scope, y: Floats, name: str) -> Level:
    """Return the level of one modality from its pseudovalues (J, K) alone."""
    readers, cases = y.shape
    mean, by_reader, by_case = y.mean(), y.mean(axis=1), y.mean(axis=0)
    ms_r = float(cases * by_reader.var(ddof=1))
    ms_c = float(readers * by_case.var(ddof=1))
    rest = y - by_reader[:, None] - by_case + mean
    ms_rc = float(np.sum(rest**2) / ((readers - 1) * (cases - 1)))
    if scope == "FRRC":
        return level(name, float(mean), ms_c / (readers * cases), cases - 1)
    if scope == "RRFC":
        return level(name, float(mean), ms_r / (readers * cases), readers - 1)
    error = ms_r + max(ms_c - ms_rc, 0.0)
    return level(name, float(mean), error / (readers * cases), hillis(error, ms_r, readers - 1))
