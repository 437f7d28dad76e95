"""The regions of a case: a label image of organs, n for the region n of `cohort.regions`, beside the lesions' truth."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray

from hakken.core.errors import HakkenError
from hakken.core.problems import Problem
from hakken.core.volume import Geometry, Volume
from hakken.imaging.case_files import CaseFiles, problem_of
from hakken.imaging.lesions import placed
from hakken.imaging.registration import resample
from hakken.imaging.segmentation_objects import read_structures
from hakken.study import REGIONS, Study

TOLERANCE = 0.01
"""How far apart grids may lie, of the smallest spacing."""
WHOLE = 1e-4
"""How far from a whole number the value of a mask may be that was resampled or kept as a float."""
SHOWN = 5

RegionLabels = NDArray[np.uint8]


def read_region_labels(path: Path, grid: Geometry, reference: Path, study: Study) -> RegionLabels:
    """Return the labels (z, y, x), uint8, of a file on ``grid``, that of the image file ``reference``.

    An image holds n for the region n of `cohort.regions`; of a DICOM segmentation or structure set the structures are
    taken that have the regions' names. Raises HakkenError for labels on another grid, values that are no region, and an
    image without any region.
    """
    volume = placed(read_structures(path, grid, reference, study.cohort), grid)
    if not volume.matches(grid, TOLERANCE * min(grid.spacing)):
        raise HakkenError(
            f"{path}: lies on another grid than the reference channel {study.reference}: regions {volume.geometry}; "
            f"{study.reference} {grid}; resample the labels onto the reference channel by nearest neighbour"
        )
    _check_values(path, volume.array, study.cohort.regions)
    return np.asarray(np.rint(volume.array), np.uint8)


def check_region_labels(case: CaseFiles, study: Study, reference: Volume) -> tuple[list[Problem], str | None]:
    """Return what is wrong with the regions of a case, and their digest; nothing where the study names none."""
    if not study.cohort.regions:
        return [], None
    if case.regions is None:
        return [Problem(case.case_id, REGIONS, "no label image of the regions", "fill in its path", case.row)], None
    try:
        labels = read_region_labels(case.regions, reference.geometry, case.channels[study.reference], study)
    except HakkenError as error:
        return [problem_of(case, REGIONS, error)], None
    return [], labels_digest(labels)


def labels_digest(labels: RegionLabels) -> str:
    """Return the SHA-256 of labels (z, y, x) and their shape, whatever file they came from."""
    digest = hashlib.sha256(repr(labels.shape).encode())
    digest.update(np.ascontiguousarray(labels).data)
    return digest.hexdigest()


def moved_labels(labels: RegionLabels, reference: Geometry, grid: Geometry) -> RegionLabels:
    """Return labels on the grid ``reference`` as they are on another, by nearest neighbour; 0 beyond the first.

    Raises HakkenError where they are not on ``reference``.
    """
    if labels.shape != reference.shape_zyx:
        raise HakkenError(f"regions {labels.shape} on another grid than the reference {reference}; resample them")
    moved = resample(Volume.on(reference, labels), grid, sitk.Transform(), nearest=True)
    return np.asarray(moved.array, np.uint8)


def _check_values(path: Path, array: NDArray[Any], regions: tuple[str, ...]) -> None:
    """Raise HakkenError for values that are no region of the study, and for an image without any."""
    values = np.unique(np.asarray(array, float))
    near = np.abs(values - np.rint(values)) <= WHOLE
    unknown = values[~np.isfinite(values) | ~near | (values < -WHOLE) | (values > len(regions) + WHOLE)]
    known = ", ".join(["0 is none", *(f"{number} {name}" for number, name in enumerate(regions, start=1))])
    if unknown.size:
        shown = ", ".join(f"{value:g}" for value in unknown[:SHOWN].tolist()) + (
            ", ..." if len(unknown) > SHOWN else ""
        )
        raise HakkenError(
            f"{path}: holds values that are no region: {shown} (`cohort.regions`: {known}); write whole numbers from 0 "
            f"to {len(regions)}, or name further regions"
        )
    if not (values > WHOLE).any():
        raise HakkenError(f"{path}: holds no region, it is 0 everywhere; write n for the region n ({known})")
