"""Calibration of z = (y - mu) / sigma on cases without disease: is z normal with mean 0 and standard deviation 1?

Notation: case i has n_i voxels with histogram h_ik over bins k of width `WIDTH`, sum S_i and sum of squares Q_i; over
all cases the mean is S / n and the variance Q / n - (S / n)^2. Voxels of one patient are anything but independent, so
all intervals draw patients, with all their voxels, and never voxels.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from hakken.evaluation.bootstrap import Estimate, estimate
from hakken.evaluation.findings import Floats, Ints
from hakken.evaluation.resampling import over_patients, per_patient

WIDTH = 0.05
END = 12.0
"""The histogram reaches from -END to END; its first and last bin hold all that lies beyond."""

BINS = round(2 * END / WIDTH) + 2
BEYOND = (2.0, 3.0, 4.0)
QUANTILES = (0.001, 0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99, 0.999)
MEAN_WITHIN, SD_WITHIN = 0.05, 0.1
"""How near to 0 the mean and to 1 the standard deviation shall be."""


@dataclass(frozen=True, eq=False)
class Voxels:
    """The z of all voxels of cases (n,), condensed: ``count``, ``total`` and ``squares`` (n,), ``histogram`` (n, BINS).

    ``patient`` (n,) numbers the patient of each case from 0.
    """

    patient: Ints
    count: Floats
    total: Floats
    squares: Floats
    histogram: Floats

    @classmethod
    def of(cls, z: Sequence[NDArray[np.floating]], patient: Sequence[str]) -> Voxels:
        """Condense the z of each case; raises ValueError for a case without voxels or values that are not finite."""
        if any(not len(values) or not np.isfinite(values).all() for values in z):
            raise ValueError("every case needs voxels, and every z must be finite")
        names = {name: number for number, name in enumerate(dict.fromkeys(patient))}
        exact = [np.asarray(values, float) for values in z]
        return cls(
            np.array([names[name] for name in patient], np.int64),
            np.array([len(values) for values in exact], float),
            np.array([values.sum() for values in exact]),
            np.array([(values**2).sum() for values in exact]),
            np.array([histogram(values) for values in exact], float).reshape(len(exact), BINS),
        )


@dataclass(frozen=True)
class CaseZ:
    """Mean and standard deviation of z in one case."""

    mean: float
    sd: float


@dataclass(frozen=True)
class ZCalibration:
    """What z is on cases without disease, with intervals by patient.

    ``beyond`` holds by threshold t the share of voxels with z >= t, ``expected_beyond`` that of a standard normal;
    ``quantiles`` by probability, interpolated within a bin; None where it lies beyond the histogram.
    """

    cases: int
    patients: int
    mean: Estimate
    sd: Estimate
    beyond: Mapping[str, Estimate]
    expected_beyond: Mapping[str, float]
    quantiles: Mapping[str, float | None]
    each: tuple[CaseZ, ...]
    mean_met: bool
    sd_met: bool
    skipped: int


def edges() -> Floats:
    """Return the borders (BINS - 1,) between the bins of a histogram."""
    return np.asarray(np.round(np.linspace(-END, END, BINS - 1), 10))


def histogram(z: NDArray[np.floating]) -> Ints:
    """Return how many of ``z`` (n,) lie in each bin (BINS,); a value on a border counts above it."""
    return np.bincount(np.searchsorted(edges(), np.asarray(z, float), side="right"), minlength=BINS)


def calibrate_z(voxels: Voxels, resamples: int, seed: int) -> ZCalibration:
    """Measure the calibration of z on cases without disease, with 95 % intervals from ``resamples`` of the patients."""
    columns = np.column_stack([voxels.count, voxels.total, voxels.squares, *_above(voxels.histogram).T])
    sums = per_patient(voxels.patient, columns)
    drawn = over_patients(voxels.patient, resamples, seed, lambda counts: _measures(counts @ sums))
    whole = {name: float(values[0]) for name, values in _measures(sums.sum(0)[None]).items()}
    found = {name: estimate(value, drawn.values.get(name, np.empty(0))) for name, value in whole.items()}
    means = voxels.total / voxels.count
    deviations = np.sqrt(np.maximum(voxels.squares / voxels.count - means**2, 0))
    return ZCalibration(
        cases=len(voxels.patient),
        patients=len(sums),
        mean=found["mean"],
        sd=found["sd"],
        beyond={f"{level:g}": found[f"beyond {level:g}"] for level in BEYOND},
        expected_beyond={f"{level:g}": float(stats.norm.sf(level)) for level in BEYOND},
        quantiles={f"{share:g}": quantile(voxels.histogram.sum(0), share) for share in QUANTILES},
        each=tuple(CaseZ(float(mean), float(sd)) for mean, sd in zip(means, deviations, strict=True)),
        mean_met=abs(whole["mean"]) <= MEAN_WITHIN,
        sd_met=abs(whole["sd"] - 1) <= SD_WITHIN,
        skipped=drawn.skipped,
    )


def quantile(counts: Floats, share: float) -> float | None:
    """Return the z below which ``share`` of the voxels of a histogram (BINS,) lie, None where it is in an end bin."""
    reached = np.cumsum(counts)
    wanted = share * reached[-1]
    place = int(np.searchsorted(reached, wanted, side="left"))
    if place in (0, BINS - 1):
        return None
    before = reached[place - 1]
    return float(edges()[place - 1] + WIDTH * (wanted - before) / counts[place])


def _above(histograms: Floats) -> Floats:
    """Return how many voxels (n, levels) of each case lie at or above each level of `BEYOND`."""
    first = [int(np.searchsorted(edges(), level, side="right")) for level in BEYOND]
    return np.stack([histograms[:, bin_:].sum(1) for bin_ in first], -1)


def _measures(sums: Floats) -> dict[str, Floats]:
    """Return mean, SD and shares (R,) from the sums (R, 3 + levels) of resamples."""
    count, total, squares, *above = sums.T
    mean = total / count
    found = {"mean": mean, "sd": np.sqrt(np.maximum(squares / count - mean**2, 0))}
    return found | {f"beyond {level:g}": many / count for level, many in zip(BEYOND, above, strict=True)}
