"""Lesions of a case, measured where they were drawn: from a mask of labels, or as `lesion_tables` reads them.

A diameter is that of the sphere of equal volume, (6 V / pi)^(1/3), and in a flat image that of the disc of equal area,
2 (A / pi)^(1/2). Pieces of a binary mask are 26-connected, in a flat image 8-connected.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from hakken.core.decimals import below
from hakken.core.errors import HakkenError
from hakken.core.volume import Geometry, Volume
from hakken.imaging.lattice import onto_lattice
from hakken.imaging.prepared import Lesion
from hakken.study import Cohort

Labels = NDArray[np.int16]
MOST = int(np.iinfo(np.int16).max)
"""How many lesions a case may have."""


def equivalent_diameter(size: float, flat: bool = False) -> float:
    """Return the diameter of the sphere of a volume, or of the disc of an area where the image is ``flat``.

    >>> round(equivalent_diameter(math.pi / 6 * 1000), 9), round(equivalent_diameter(math.pi * 90**2, flat=True), 9)
    (10.0, 180.0)
    """
    return 2 * math.sqrt(size / math.pi) if flat else float((6 * size / math.pi) ** (1 / 3))


def size_of(diameter: float, flat: bool = False) -> float:
    """Return the volume of the sphere of a diameter, or the area of the disc where the image is ``flat``."""
    return math.pi / 4 * diameter**2 if flat else math.pi / 6 * diameter**3


def key_of(geometry: Geometry) -> str:
    """Return how the unit of sizes on ``geometry`` ends the name of a key: `mm3`, `mm2` or `px2`."""
    return geometry.size_unit.replace("³", "3").replace("²", "2")


def minimum_size(cohort: Cohort, geometry: Geometry) -> float:
    """Return the least size of a lesion that counts, in the unit of ``geometry``; 0 where the study names none.

    Raises HakkenError where the study gives a volume for flat images, an area for volumes, or mm² for pixels.
    """
    given = {unit: value for unit, value in cohort.minimum_sizes.items() if value}
    unit = key_of(geometry)
    if given and unit not in given:
        kind = f"{'flat images' if geometry.is_flat else 'volumes'} whose sizes are in {geometry.size_unit}"
        key = next(iter(given))
        raise HakkenError(f"cohort.minimum_lesion_{key}: these are {kind}; use `minimum_lesion_{unit}`")
    return given.get(unit, 0.0)


def foreground(mask: NDArray[Any], threshold: float | None) -> NDArray[np.bool_]:
    """Return where a mask (z, y, x) without instances has lesions: from a ``threshold`` on, or above one half."""
    return np.asarray(mask >= threshold if threshold is not None else mask > 0.5, bool)


def label_lesions(mask: NDArray[Any], cohort: Cohort) -> Labels:
    """Return labels int16 (z, y, x), 0 background: the mask's own, or its pieces numbered by position.

    Raises HakkenError where there are more than labels can number.
    """
    if cohort.labels == "instances":
        return np.asarray(np.rint(mask), np.int16)
    labels, count = ndimage.label(foreground(mask, cohort.mask_threshold), np.ones((3, 3, 3), bool))
    if count > MOST:
        raise HakkenError(f"the lesion mask falls into {count} pieces; it holds noise, or is no mask of lesions")
    return np.asarray(labels, np.int16)


def measure_lesions(labels: Labels, geometry: Geometry, minimum: float = 0.0) -> tuple[Lesion, ...]:
    """Return the lesions of labels (z, y, x) on ``geometry``, by label: centroid (LPS), size and diameter.

    Lesions below the size ``minimum`` are of kind ``excluded``. Sizes are volumes, of a flat image areas.
    """
    found = []
    for number, box in enumerate(ndimage.find_objects(labels), start=1):
        if box is None:
            continue
        indices = np.argwhere(labels[box] == number)
        centre = indices.mean(axis=0) + [part.start for part in box]
        x, y, z = geometry.to_world(centre)[0].tolist()
        size = len(indices) * geometry.voxel_size
        kind: Literal["included", "excluded"] = "excluded" if below(size, minimum) else "included"
        found.append(Lesion(number, x, y, z, equivalent_diameter(size, geometry.is_flat), size, kind))
    return tuple(found)


def lesions_of_mask(mask: Volume, cohort: Cohort) -> tuple[Labels, tuple[Lesion, ...]]:
    """Return labels on the mask's own grid and the lesions measured there, as the study reads its masks."""
    labels = label_lesions(mask.array, cohort)
    return labels, measure_lesions(labels, mask.geometry, minimum_size(cohort, mask.geometry))


def placed(mask: Volume, reference: Volume | Geometry) -> Volume:
    """Return a mask in the order of the reference's voxels, where both lie on one lattice, else as it is.

    A picture whose pixels have no size, and as many as a flat reference, lies on it.
    """
    grid = reference.geometry if isinstance(reference, Volume) else reference
    if mask.unit == "px" and grid.is_flat and mask.array.shape == grid.shape_zyx:
        return Volume.on(grid, mask.array)
    return onto_lattice(mask, grid) or mask


def with_minimum(lesions: Sequence[Lesion], minimum: float) -> tuple[Lesion, ...]:
    """Return the lesions, those below the size ``minimum`` as ``excluded``."""
    return tuple(replace(lesion, kind="excluded" if below(lesion.size, minimum) else lesion.kind) for lesion in lesions)


def draw_lesions(lesions: Sequence[Lesion], geometry: Geometry) -> Labels:
    """Return labels (z, y, x): each lesion a sphere, in a flat image a disc, or its box; at least its nearest voxel.

    Where two overlap the smaller wins.
    """
    labels = np.zeros(geometry.shape_zyx, np.int16)
    for lesion in sorted(lesions, key=lambda one: -one.size):
        halves = _halves(lesion)
        reach = halves[::-1] / np.array(geometry.spacing[::-1])
        centre = geometry.to_voxel(lesion.centre)[0]
        low = np.maximum(np.floor(centre - reach).astype(int), 0)
        high = np.minimum(np.ceil(centre + reach).astype(int) + 1, geometry.shape_zyx)
        if (low < high).all():
            box = tuple(slice(start, stop) for start, stop in zip(low.tolist(), high.tolist(), strict=True))
            places = np.indices((high - low).tolist()).reshape(3, -1).T + low
            inside = _within(lesion, geometry.to_world(places) - lesion.centre, geometry)
            labels[box][inside.reshape((high - low).tolist())] = lesion.lesion
    return keep_each(labels, lesions, geometry)


def _halves(lesion: Lesion) -> NDArray[np.float64]:
    """Return how far a lesion reaches from its centre along the axes x, y, z of the image."""
    if lesion.extent is None:
        return np.full(3, lesion.diameter / 2)
    return np.array([*lesion.extent, 0.0]) / 2


def _within(lesion: Lesion, offsets: NDArray[np.float64], geometry: Geometry) -> NDArray[np.bool_]:
    """Return which points at ``offsets`` (n, 3) from a lesion's centre, in the scanner's axes, belong to it."""
    along = offsets @ np.reshape(geometry.direction, (3, 3))
    if geometry.is_flat:
        along[:, 2] = 0
    if lesion.extent is None:
        return np.asarray(np.linalg.norm(along, axis=1) <= lesion.diameter / 2)
    slack = 1e-6 * min(geometry.spacing)
    return np.asarray((np.abs(along[:, :2]) <= np.array(lesion.extent) / 2 + slack).all(axis=1))


def keep_each(labels: Labels, lesions: Sequence[Lesion], geometry: Geometry) -> Labels:
    """Give lesions that fell between the voxels of a coarse grid the voxel nearest to their centre."""
    present = {number for number, box in enumerate(ndimage.find_objects(labels), start=1) if box is not None}
    for lesion in lesions:
        place = tuple(np.rint(geometry.to_voxel(lesion.centre)[0]).astype(int).tolist())
        inside = all(0 <= index < size for index, size in zip(place, geometry.shape_zyx, strict=True))
        if lesion.lesion not in present and inside:
            labels[place] = lesion.lesion
    return labels
