"""Outcome `expectations`: what one channel is expected to show at each voxel, and with which standard deviation.

A method predicts mean and sigma (2, z, y, x) of the target channel, in shares of its window; where it has recalibrated
them, both follow as they were before (4, z, y, x). They are kept as `expectations/<case>.npy`, float16. Measured is the
calibration: on cases without a lesion, z = (y - mean) / sigma is to be standard normal, also by region of the body and
by scanner.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hakken.core.errors import HakkenError
from hakken.evaluation.calibration_z import MEAN_WITHIN, SD_WITHIN, Voxels, ZCalibration, calibrate_z, edges
from hakken.imaging.prepared import PreparedCase
from hakken.outcomes import Measured, Part, Row, Table
from hakken.outcomes._arrays import Predictions, read_arrays, write_arrays
from hakken.outcomes._calibration_groups import GROUPS, Pairs, group_rows, missed
from hakken.study import Section, Study

FOLDER = "expectations"
FIGURES = ("calibration", "expectations")
MEASURED_ON = ("normal",)


class Settings(Section):
    """How the calibration is measured: there is nothing to set."""


def write(folder: Path, found: Predictions, part: Part) -> None:
    """Write mean and sigma of a part."""
    write_arrays(folder / FOLDER, found, part.case_ids, "float16")


def read(folder: Path, part: Part) -> Predictions:
    """Return mean and sigma of a part, memory-mapped; raises HakkenError naming a file that does not fit its case."""
    shapes = {case.case_id: case.geometry.shape_zyx for case in part.images}
    layers = ({name: (number, *shape) for name, shape in shapes.items()} for number in (2, 4))
    return read_arrays(folder / FOLDER, *layers)


def measure(found: Predictions, part: Part) -> Measured:
    """Measure z on the cases that have no lesion; raises HakkenError where every case has one."""
    cases = [case for case in part.images if not case.lesions]
    if not cases:
        raise HakkenError("every case has a lesion; the calibration of z needs cases without")
    pairs = [(case, z_of(case, part.study, found)) for case in cases]
    voxels = _voxels(pairs)
    measured = calibrate_z(voxels, part.resamples, part.seed)
    groups = group_rows("as used", pairs, part)
    shown = {"edges": edges().tolist(), "histogram": voxels.histogram.sum(0).astype(int).tolist()}
    details: Mapping[str, Any] = {
        **asdict(measured),
        "case_ids": [case.case_id for case in cases],
        "patients_of": [case.patient for case in cases],
        **shown,
        "goals": {"mean_within": MEAN_WITHIN, "sd_within": SD_WITHIN},
    }
    mean, sd = measured.mean, measured.sd
    rows = tuple(
        Row(name, one.value, one.low, one.high, warning="" if met else f"calibration of z missed, {one.value:.3f}")
        for name, one, met in (
            (f"mean of z without lesions (goal 0 ± {MEAN_WITHIN:g})", mean, measured.mean_met),
            (f"SD of z without lesions (goal 1 ± {SD_WITHIN:g})", sd, measured.sd_met),
        )
    )
    if all(len(found[case.case_id]) == 4 for case in cases):
        raw = [(case, z_of(case, part.study, found, before=True)) for case in cases]
        groups += group_rows("uncorrected", raw, part)
        rows += tuple(_uncorrected(calibrate_z(_voxels(raw), part.resamples, part.seed)))
    counts = {"normal cases": measured.cases, "patients": measured.patients}
    tables = {"groups": Table(GROUPS, tuple(groups))}
    said = tuple(missed(groups))
    return Measured(objective=None, rows=rows, counts=counts, details=details, tables=tables, warnings=said)


def _voxels(pairs: Pairs) -> Voxels:
    return Voxels.of([z[case.mask() > 0] for case, z in pairs], [case.patient for case, _ in pairs])


def _uncorrected(measured: ZCalibration) -> Iterator[Row]:
    """Yield mean and SD of z before it was recalibrated."""
    for name, one in (("mean", measured.mean), ("SD", measured.sd)):
        yield Row(f"{name} of z before recalibration", one.value, one.low, one.high)


def z_of(case: PreparedCase, study: Study, found: Predictions, before: bool = False) -> NDArray[np.float32]:
    """Return z (z, y, x) of a prepared case, or what it was ``before`` a recalibration."""
    mean, sigma = np.asarray(found[case.case_id], np.float32)[2:4] if before else used(found[case.case_id])
    return np.asarray((target_of(case, study) - mean) / sigma, np.float32)


def used(expected: NDArray[Any]) -> NDArray[np.float32]:
    """Return mean and sigma (2, ...) that count, of what is kept of a case, (2, ...) or (4, ...)."""
    return np.asarray(expected[:2], np.float32)


def target_of(case: PreparedCase, study: Study) -> NDArray[np.float32]:
    """Return the channel (z, y, x) that is to be predicted, in shares of its window."""
    return np.asarray(case.image()[case.channels.index(study.targets[0])], np.float32)
