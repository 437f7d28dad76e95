"""What can be wrong with the truth of one case: its lesion mask or its table of lesions."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hakken.core.errors import HakkenError
from hakken.core.problems import Problem
from hakken.core.volume import Geometry, Points, Volume
from hakken.imaging.case_files import CaseFiles, problem_of
from hakken.imaging.files import read_volume
from hakken.imaging.lesions import read_lesion_table
from hakken.study import Study

GRID_TOLERANCE = 0.01
SHOWN_VALUES = 5
WHITE = 255  # the lesion's value in a mask that was saved as a picture


def check_truth(case: CaseFiles, study: Study, reference: Volume) -> list[Problem]:
    """Return what is wrong with the truth of ``case``, whose reference channel is ``reference``."""
    if study.cohort.truth == "lesion_table":
        return [] if case.lesion_table is None else _check_lesion_table(case, case.lesion_table, reference.geometry)
    if case.lesion_mask is None:
        return []
    try:
        mask = read_volume(case.lesion_mask)
    except HakkenError as error:
        return [problem_of(case, "lesion_mask", error)]
    if not mask.matches(reference, tolerance_mm=GRID_TOLERANCE * min(reference.spacing)):
        reason = f"lies on another grid than the reference channel {study.reference}: mask {mask.geometry}; "
        reason += f"{study.reference} {reference.geometry}"
        remedy = "resample the mask onto the reference channel by nearest neighbour"
        return [Problem(case.case_id, "lesion_mask", reason, remedy, case.row)]
    return _check_values(case, study, mask)


def _check_values(case: CaseFiles, study: Study, mask: Volume) -> list[Problem]:
    """Lesion masks hold whole numbers from 0; binary ones hold 0 and 1, or 0 and 255 as pictures do."""
    values = np.unique(mask.array[np.isfinite(mask.array)]).astype(float)
    if study.cohort.labels == "binary":
        unknown = values[~np.isin(values, (0, WHITE) if 1 not in values else (0, 1))]
    else:
        unknown = values[(values < 0) | (values > np.iinfo(np.int16).max) | (values != np.rint(values))]
    missing = int(np.count_nonzero(~np.isfinite(mask.array)))
    if unknown.size == 0 and missing == 0:
        return []
    shown = ", ".join([f"{value:g}" for value in unknown[:SHOWN_VALUES]] + (["NaN or infinity"] if missing else []))
    if study.cohort.labels == "binary":
        reason = f"label values that the study does not know: {shown} (`cohort.labels: binary` knows 0 and 1)"
        remedy = "write 0 and 1, or set `cohort.labels: instances` if n stands for lesion n"
    else:
        reason = f"label values that the study does not know: {shown} (0 is background, n = 1, 2, ... is lesion n)"
        remedy = "write whole numbers from 0"
    return [Problem(case.case_id, "lesion_mask", reason, remedy, case.row)]


def _check_lesion_table(case: CaseFiles, path: Path, reference: Geometry) -> list[Problem]:
    try:
        lesions = read_lesion_table(path)
    except HakkenError as error:
        return [problem_of(case, "lesion_table", error)]
    places = reference.to_voxel([lesion.centre for lesion in lesions])
    inside = inside_grid(places, reference)
    return [
        Problem(
            case.case_id,
            "lesion_table",
            f"{path}: lesion {lesion.lesion} lies outside the image, at {lesion.x:g}, {lesion.y:g}, {lesion.z:g} mm",
            "give x, y, z in mm in the LPS convention",
            case.row,
        )
        for lesion, within in zip(lesions, inside.tolist(), strict=True)
        if not within
    ]


def inside_grid(places: Points, grid: Geometry) -> NDArray[np.bool_]:
    """Whether voxel indices (n, 3) z, y, x lie inside the outermost voxels, (n,)."""
    inside = (places >= -0.5) & (places <= np.asarray(grid.shape_zyx) - 0.5)
    return np.asarray(np.all(inside, axis=1))
