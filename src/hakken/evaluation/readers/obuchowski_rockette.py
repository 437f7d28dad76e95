"""The Obuchowski-Rockette analysis with the degrees of freedom of Hillis.

Sources: Obuchowski and Rockette, Commun Stat Simul 1995;24:285-308; Hillis, Statistics in Medicine 2007;26:596-619
(degrees of freedom, single modalities); Hillis, Statistics in Medicine 2014;33:330-360 (all forms in one place).
Model: theta_ij = mu + t_i + R_j + (tR)_ij + e_ij, errors correlated between readings of the same cases: Var (same
reading), Cov1 (same reader, other modality), Cov2 (other reader, same modality), Cov3 (both differ).
Notation: I modalities, J readers, theta (I, J) figures of merit, MS mean squares.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np

from hakken.evaluation.findings import Floats
from hakken.evaluation.readers.intervals import (
    ROUNDING,
    Inference,
    ReaderDifference,
    Scope,
    difference,
    f_test,
    hillis,
    single_modality,
)
from hakken.evaluation.readers.merit import Merit


@dataclass(frozen=True)
class Components:
    """Mean squares of theta, error covariances, and the variances of readers and of readers by modalities."""

    ms_t: float
    ms_r: float
    ms_tr: float
    var: float
    cov1: float
    cov2: float
    cov3: float
    var_r: float
    var_tr: float

    @property
    def shared(self) -> float:
        """Cov2 - Cov3, and 0 where it is negative: how far the readers' differences move together over cases."""
        return max(self.cov2 - self.cov3, 0.0) if abs(self.cov2 - self.cov3) > 1e-12 * self.var else 0.0


@dataclass(frozen=True)
class Analysis:
    """Components and, by each method, what they say about the modalities; differences of every reader apart."""

    components: Components
    inference: dict[Scope, Inference]
    reader_differences: tuple[ReaderDifference, ...]


def components(values: Floats, covariance: Floats) -> Components:
    """Return the components from theta (I, J) and its covariances (I, J, I, J); I and J are at least 2."""
    modalities, readers = values.shape
    row, column, mean = values.mean(axis=1), values.mean(axis=0), values.mean()
    ms_t = readers * ((row - mean) ** 2).sum() / (modalities - 1)
    ms_r = modalities * ((column - mean) ** 2).sum() / (readers - 1)
    rest = values - row[:, None] - column + mean
    ms_tr = (rest**2).sum() / ((modalities - 1) * (readers - 1))
    ms_t, ms_r, ms_tr = (float(square) if square > ROUNDING else 0.0 for square in (ms_t, ms_r, ms_tr))
    var, cov1, cov2, cov3 = error_covariances(covariance)
    return Components(
        ms_t=ms_t,
        ms_r=ms_r,
        ms_tr=ms_tr,
        var=var,
        cov1=cov1,
        cov2=cov2,
        cov3=cov3,
        var_r=(ms_r - ms_tr) / modalities - cov1 + cov3,
        var_tr=ms_tr - var + cov1 + max(cov2 - cov3, 0.0),
    )


def error_covariances(covariance: Floats) -> tuple[float, float, float, float]:
    """Return Var, Cov1, Cov2 and Cov3, the means of the covariances (I, J, I, J) of each kind."""
    modalities, readers = covariance.shape[:2]
    diagonal = float(np.einsum("ijij->", covariance))
    same_reader = float(np.einsum("ijkj->", covariance)) - diagonal
    same_modality = float(np.einsum("ijil->", covariance)) - diagonal
    neither = float(covariance.sum()) - diagonal - same_reader - same_modality
    readings = modalities * readers
    return (
        diagonal / readings,
        same_reader / (readings * (modalities - 1)),
        same_modality / (readings * (readers - 1)),
        neither / (readings * (modalities - 1) * (readers - 1)),
    )


def analyse(merit: Merit, modality: tuple[str, ...], reader: tuple[str, ...]) -> Analysis:
    """Analyse the figures of merit of I >= 2 modalities and J >= 2 readers; differences are later minus earlier."""
    covariance = merit.covariance
    found = components(merit.value, covariance)
    return Analysis(
        found,
        {scope: _infer(scope, merit.value, covariance, found, modality) for scope in ("RRRC", "FRRC", "RRFC")},
        tuple(_by_reader(merit.value, covariance, modality, reader)),
    )


def error_term(found: Components, scope: Scope, modalities: int, readers: int) -> tuple[float, float | None]:
    """Return the mean square that MS(T) is divided by, and its degrees of freedom (None: chi-square).

    RRRC MS(TR) + J max(Cov2 - Cov3, 0); FRRC Var - Cov1 + (J - 1) max(Cov2 - Cov3, 0); RRFC MS(TR).
    """
    interaction = (modalities - 1) * (readers - 1)
    if scope == "FRRC":
        return max(found.var - found.cov1, 0.0) + (readers - 1) * found.shared, None
    if scope == "RRFC":
        return found.ms_tr, interaction
    error = found.ms_tr + readers * found.shared
    return error, hillis(error, found.ms_tr, interaction)


def _infer(scope: Scope, values: Floats, covariance: Floats, found: Components, modality: tuple[str, ...]) -> Inference:
    modalities, readers = values.shape
    error, df = error_term(found, scope, modalities, readers)
    if error <= 1e-12 * found.var:  # differences of covariances that are equal up to rounding
        error = 0.0
    mean = values.mean(axis=1)
    pairs = itertools.combinations(range(modalities), 2)
    return Inference(
        scope,
        f_test(found.ms_t, error, modalities - 1, df),
        tuple(
            difference(modality[b], modality[a], float(mean[b] - mean[a]), 2 * error / readers, df) for a, b in pairs
        ),
        tuple(single_modality(values[i], covariance[i, :, i], modality[i])[scope] for i in range(modalities)),
    )


def _by_reader(
    values: Floats, covariance: Floats, modality: tuple[str, ...], reader: tuple[str, ...]
) -> list[ReaderDifference]:
    """Return each pair's difference for each reader, with the variances and covariances of that very pair."""
    found = []
    for a, b in itertools.combinations(range(len(modality)), 2):
        for j, name in enumerate(reader):
            own = covariance[:, j, :, j]
            variance = float(own[a, a] + own[b, b] - 2 * own[a, b])
            if variance <= 1e-12 * float(own[a, a] + own[b, b]):
                variance = 0.0
            step = difference(modality[b], modality[a], float(values[b, j] - values[a, j]), variance, None)
            found.append(ReaderDifference(name, step))
    return found
