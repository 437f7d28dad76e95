"""One stand-alone system against a group of readers on the same cases.

The system has no population of its own: it is one fixed reader. The difference system minus reader is taken for each
reader, psi_j = theta_0 - theta_j, and the J differences are analysed as one modality (1T-RRRC and 1T-RRFC of
Chakraborty, Observer Performance Methods for Diagnostic Imaging, 2017, chapter on stand-alone CAD; the single-modality
analysis is that of Hillis, Obuchowski, Schartz and Berbaum, Statistics in Medicine 2005;24:1579-1607, and Hillis 2007).
FRRC beside them speaks of these readers alone, on other cases.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hakken.evaluation.readers.intervals import (
    SCOPES,
    Difference,
    Level,
    ReaderDifference,
    Scope,
    difference,
    level,
    single_modality,
)
from hakken.evaluation.readers.merit import Merit


@dataclass(frozen=True)
class SystemComparison:
    """The system's figure, the readers' mean, and system minus readers by each method; MS(R), Var, Cov2 of psi."""

    system: str
    readers: str
    system_level: Level
    readers_level: dict[Scope, Level]
    difference: dict[Scope, Difference]
    reader_differences: tuple[ReaderDifference, ...]
    ms_r: float
    var: float
    cov2: float


def compare(
    system: Merit, readers: Merit, *, system_name: str, readers_name: str, reader: tuple[str, ...]
) -> SystemComparison:
    """Compare a system (1, 1) with the readers (1, J >= 2) of one modality, by the same figure on the same cases."""
    psi = system.value[0] - readers.value[0]
    # The jackknife of a difference is the difference of the jackknives: the cases are the same.
    left_out = system.jackknife - readers.jackknife
    covariance = Merit(system.name, psi[None], left_out, readers.unit).covariance[0, :, 0]
    count = len(psi)
    diagonal = float(np.trace(covariance))
    levels = single_modality(psi, covariance, system_name)
    return SystemComparison(
        system=system_name,
        readers=readers_name,
        system_level=_own_level(system, system_name),
        readers_level=single_modality(readers.value[0], readers.covariance[0, :, 0], readers_name),
        difference={
            scope: difference(system_name, readers_name, found.estimate, found.se**2, found.df)
            for scope, found in ((scope, levels[scope]) for scope in SCOPES)
        },
        reader_differences=tuple(
            ReaderDifference(name, difference(system_name, readers_name, float(value), float(variance), None))
            for name, value, variance in zip(reader, psi, np.diag(covariance), strict=True)
        ),
        ms_r=float(psi.var(ddof=1)),
        var=diagonal / count,
        cov2=float(covariance.sum() - diagonal) / (count * (count - 1)),
    )


def _own_level(system: Merit, name: str) -> Level:
    """Return the system's figure with its jackknife interval over cases (normal distribution)."""
    return level(name, float(system.value[0, 0]), float(system.covariance[0, 0, 0, 0]), None)
