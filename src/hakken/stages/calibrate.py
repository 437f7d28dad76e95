"""Stage `calibrate`: whether the z of cases without disease is normal with mean 0 and standard deviation 1."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hakken.console import progress
from hakken.errors import HakkenError
from hakken.evaluation.calibration_z import MEAN_WITHIN, SD_WITHIN, Voxels, calibrate_z, edges
from hakken.files import write_json
from hakken.imaging.prepared import PreparedCase, prepared_cases
from hakken.report.figure import digest
from hakken.seeds import derive_seed
from hakken.stages import stage
from hakken.study import Study


@stage
def calibrate(*, study: Study, expected: Path, prepared: list[Path], output: Path) -> None:
    """Measure z on the cases in the folders ``prepared`` that have no lesion and write it to ``output`` (JSON).

    ``expected`` is the folder of `expect`. Raises HakkenError where every case has a lesion.
    """
    cases = [case for folder in prepared for case in prepared_cases(folder) if not case.lesions]
    if not cases:
        raise HakkenError("every case has a lesion; the calibration of z needs cases without")
    voxels = Voxels.of([z_of(case, study, expected)[case.mask() > 0] for case in cases], [c.patient for c in cases])
    found = calibrate_z(voxels, study.evaluation.bootstrap, derive_seed(study.seed, "bootstrap"))
    ids = {"case_ids": [case.case_id for case in cases], "patients_of": [case.patient for case in cases]}
    shown = {"edges": edges().tolist(), "histogram": voxels.histogram.sum(0).astype(int).tolist()}
    goals = {"mean_within": MEAN_WITHIN, "sd_within": SD_WITHIN}
    write_json(output, asdict(found) | ids | shown | {"goals": goals, "hashes": {"expected": digest(expected)}})
    progress(
        f"{len(cases)} cases without lesions: z has mean {found.mean.value:.3f} ({verdict(found.mean_met)}), "
        f"SD {found.sd.value:.3f} ({verdict(found.sd_met)})"
    )


def z_of(case: PreparedCase, study: Study, expected: Path) -> NDArray[np.float32]:
    """Return z (z, y, x) of a prepared case from the folder of `expect`; raises HakkenError where it does not fit."""
    mean, sigma = read_expected(case, expected)
    return np.asarray((target_of(case, study) - mean) / sigma, np.float32)


def read_expected(case: PreparedCase, expected: Path) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return mean and sigma (z, y, x) of a case, in shares of the target's window."""
    path = expected / f"{case.case_id}.npy"
    both: NDArray[Any] = np.load(path, mmap_mode="r", allow_pickle=False)
    if both.shape != (2, *case.geometry.shape_zyx):
        raise HakkenError(f"{path}: holds {both.shape}, the case {case.geometry.shape_zyx}; delete {expected}")
    mean, sigma = np.asarray(both, np.float32)
    return mean, sigma


def target_of(case: PreparedCase, study: Study) -> NDArray[np.float32]:
    """Return the channel (z, y, x) that is to be predicted, in shares of its window."""
    index = next(number for number, name in enumerate(study.channels) if name not in study.inputs)
    return np.asarray(case.image()[index], np.float32)


def verdict(met: bool) -> str:
    """Return how a goal is printed.

    >>> verdict(False)
    'missed'
    """
    return "met" if met else "missed"
