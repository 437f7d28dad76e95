"""What is asked about a table of lesions that can be read: rows, sizes and places that are hardly those of lesions.

| name | what is odd | stops |
| --- | --- | --- |
| `many_lesions` | more lesions than a reader marks | no |
| `outside_content` | lesions where the image is background | where it is even, all are there, and ten voxels |
| `tiny_lesions` | all diameters are below the smallest side of a voxel: they may be in cm | no |
| `twice` | two rows with one place and one size, or nearly so | no |
| `voxel_indices` | all places are whole numbers below the number of voxels: they may be no mm | no |
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.spatial import cKDTree

from hakken.core.volume import Geometry, Volume
from hakken.imaging.lesions import draw_lesions
from hakken.imaging.prepared import Lesion
from hakken.imaging.truth_questions import Asked, many, places, some

Places = NDArray[np.float64]
SAME_PLACE, SAME_SIZE = 0.1, 0.15
"""Of the diameter: so near to each other, and so alike in size, are two rows of one lesion."""
SEVERAL = 2
"""Lesions whose places are all whole numbers, and no accident."""


def asked_of_table(lesions: tuple[Lesion, ...], reference: Volume) -> Iterator[Asked]:
    """Yield the questions about the lesions of a table that belongs to the image ``reference``."""
    if not lesions:
        return
    yield from many(lesions)
    yield from _twice(lesions)
    yield from _tiny(lesions, reference.geometry)
    yield from _indices(lesions, reference.geometry)
    labels = draw_lesions(lesions, reference.geometry)
    boxes = ndimage.find_objects((labels > 0).astype(np.uint8))
    if not boxes:
        return
    near = labels[boxes[0]]
    seen = [number for number, where in enumerate(ndimage.find_objects(near), start=1) if where is not None]
    drawn = tuple(lesion for lesion in lesions if lesion.lesion in seen)
    for one in places(near, drawn, np.asarray(reference.array), boxes[0]):
        hint = meant(lesions, reference)
        yield replace(one, remedy=f"{one.remedy}{hint}") if one.name == "outside_content" else one


def meant(lesions: tuple[Lesion, ...], reference: Volume) -> str:
    """Return how places could be meant that are not in the image: in RAS, or as voxel indices; empty if in neither."""
    grid, given = reference.geometry, np.array([lesion.centre for lesion in lesions])
    if grid.unit != "mm":
        return ""
    if not np.allclose(given[:, :2], 0) and _lie_inside(given * [-1, -1, 1], reference):
        return "; with the other sign of x and y (RAS) all would lie inside, so turn both signs"
    if _lie_inside(grid.to_world(given[:, ::-1]), reference):
        return "; as voxel indices all would lie inside, so convert them to mm"
    return ""


def _lie_inside(points: Places, reference: Volume) -> bool:
    """Whether all points (n, 3) x, y, z in mm lie in voxels of the image that hold more than its lowest value."""
    voxels = np.rint(reference.geometry.to_voxel(points)).astype(int)
    if not ((voxels >= 0) & (voxels < reference.array.shape)).all():
        return False
    return bool((reference.array[tuple(voxels.T)] > reference.array.min()).all())


def _twice(lesions: tuple[Lesion, ...]) -> Iterator[Asked]:
    """Ask about rows of one place and size, exactly so or nearly."""
    centres = np.array([lesion.centre for lesion in lesions])
    widths = np.array([lesion.diameter for lesion in lesions])
    exactly, nearly = [], []
    for one, other in sorted(cKDTree(centres).query_pairs(SAME_PLACE * float(widths.max()) + 1e-9)):
        apart, width = float(np.linalg.norm(centres[one] - centres[other])), float(widths[[one, other]].max())
        names = f"{lesions[one].lesion} and {lesions[other].lesion}"
        if apart == 0 and widths[one] == widths[other]:
            exactly.append(names)
        elif apart <= SAME_PLACE * width and abs(widths[one] - widths[other]) <= SAME_SIZE * width:
            nearly.append(names)
    for found, how in ((exactly, ""), (nearly, "nearly ")):
        if found:
            yield Asked("twice", f"lesions {some(found)} have {how}one place and one size", "remove one of the rows")


def _tiny(lesions: tuple[Lesion, ...], grid: Geometry) -> Iterator[Asked]:
    """Ask where no lesion is as wide as a voxel."""
    least = min(grid.spacing[: 2 if grid.is_flat else 3])
    widest = max(lesion.diameter for lesion in lesions)
    if widest < least:
        yield Asked(
            "tiny_lesions",
            f"the widest lesion is {widest:g} {grid.unit} across, less than a voxel ({least:.3g} {grid.unit})",
            f"give diameters in {grid.unit}; they may be in cm, or radii",
        )


def _indices(lesions: tuple[Lesion, ...], grid: Geometry) -> Iterator[Asked]:
    """Ask where places in mm look like voxel indices, and are not the same as these."""
    given = np.array([lesion.centre for lesion in lesions])
    sizes = np.array(grid.shape_zyx[::-1])
    whole = (given == np.rint(given)).all() and (given >= 0).all() and (given < sizes).all()
    same = np.allclose(grid.to_world(given[:, ::-1]), given)
    if grid.unit == "mm" and not grid.is_flat and len(lesions) >= SEVERAL and whole and not same:
        yield Asked(
            "voxel_indices",
            "all places are whole numbers from 0 to the number of voxels, as voxel indices are",
            "give x, y, z in mm in the LPS convention",
        )
