"""A user's own region of interest: a mask in the column `mask` of the case table, always taken as it is."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from hakken.core.errors import HakkenError
from hakken.core.problems import Problem
from hakken.core.volume import Geometry, Volume
from hakken.imaging.case_files import CaseFiles, problem_of
from hakken.imaging.lesions import placed
from hakken.imaging.pieces import Mask
from hakken.imaging.segmentation_objects import read_mask
from hakken.study import REGION, Study

TOLERANCE = 0.01  # of the smallest spacing


def read_region(path: Path, grid: Geometry, reference: Path, study: Study) -> Mask:
    """Return the mask (z, y, x) of a file, every label inside, on ``grid``, that of the image file ``reference``.

    Raises HakkenError for a mask on another grid, an empty one, and one that holds no labels but an image.
    """
    cohort = study.cohort.model_copy(update={"labels": "binary", "structures": ()})
    volume = placed(read_mask(path, grid, reference, cohort), grid)
    if not volume.matches(grid, TOLERANCE * min(grid.spacing)):
        raise HakkenError(
            f"{path}: lies on another grid than the reference channel {study.reference}: mask {volume.geometry}; "
            f"{study.reference} {grid}; resample the mask onto the reference channel by nearest neighbour"
        )
    _check_values(path, volume)
    return np.asarray(volume.array != 0)


def check_region(case: CaseFiles, study: Study, reference: Volume) -> list[Problem]:
    """Return what is wrong with the region of interest that a case brings, where the study asks for one."""
    path = case.channels.get(REGION)
    if study.preparation.mask != "given" or path is None:
        return []
    try:
        read_region(path, reference.geometry, case.channels[study.reference], study)
    except HakkenError as error:
        return [problem_of(case, REGION, error)]
    return []


def _check_values(path: Path, volume: Volume) -> None:
    """Raise HakkenError for fractions, negative numbers and what is none, and for a mask that holds nothing."""
    array = np.asarray(volume.array, float)
    wrong = array[~np.isfinite(array) | (array < 0) | (np.abs(array - np.rint(array)) > 1e-4)]
    if wrong.size:
        raise HakkenError(f"{path}: holds {wrong[0]:g}, which is no label; write 0 outside of the region and 1 inside")
    if not array.any():
        raise HakkenError(f"{path}: the region of interest is empty; give a mask that holds voxels above 0")
