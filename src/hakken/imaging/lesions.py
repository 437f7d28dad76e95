"""Lesions of a case, measured where they were drawn: from a mask of labels or from a table of spheres.

Diameters are those of the sphere of equal volume: (6 V / pi)^(1/3). Pieces of a binary mask are 26-connected.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from hakken.core.decimals import below
from hakken.core.tables import Table, read_table
from hakken.core.volume import Geometry, Volume
from hakken.imaging.prepared import Lesion

Labels = NDArray[np.int16]
COLUMNS = ("lesion", "x", "y", "z", "diameter_mm")


def equivalent_diameter(volume_mm3: float) -> float:
    """Return the diameter in mm of the sphere of this volume."""
    return float((6 * volume_mm3 / math.pi) ** (1 / 3))


def label_lesions(mask: NDArray[np.generic], kind: Literal["instances", "binary"]) -> Labels:
    """Return labels int16 (z, y, x), 0 background: the mask's own, or its 26-connected pieces numbered by position."""
    if kind == "instances":
        return mask.astype(np.int16)
    labels, _ = ndimage.label(mask != 0, np.ones((3, 3, 3), bool))
    return np.asarray(labels, np.int16)


def measure_lesions(labels: Labels, geometry: Geometry, minimum_mm3: float = 0.0) -> tuple[Lesion, ...]:
    """Return the lesions of labels (z, y, x) on ``geometry``, by label: centroid in mm (LPS), volume and diameter.

    Lesions below ``minimum_mm3`` are of kind ``excluded``.
    """
    found = []
    for number, box in enumerate(ndimage.find_objects(labels), start=1):
        if box is None:
            continue
        indices = np.argwhere(labels[box] == number)
        centre = indices.mean(axis=0) + [part.start for part in box]
        x, y, z = geometry.to_world(centre)[0].tolist()
        volume = len(indices) * geometry.voxel_mm3
        kind: Literal["included", "excluded"] = "excluded" if below(volume, minimum_mm3) else "included"
        found.append(Lesion(number, x, y, z, equivalent_diameter(volume), volume, kind))
    return tuple(found)


def lesions_of_mask(
    mask: Volume, kind: Literal["instances", "binary"], minimum_mm3: float = 0.0
) -> tuple[Labels, tuple[Lesion, ...]]:
    """Return labels on the mask's own grid and the lesions measured there."""
    labels = label_lesions(mask.array, kind)
    return labels, measure_lesions(labels, mask.geometry, minimum_mm3)


def with_minimum(lesions: Sequence[Lesion], minimum_mm3: float) -> tuple[Lesion, ...]:
    """Return the lesions, those below ``minimum_mm3`` as ``excluded``."""
    return tuple(
        replace(lesion, kind="excluded" if below(lesion.volume_mm3, minimum_mm3) else lesion.kind) for lesion in lesions
    )


def read_lesion_table(path: Path) -> tuple[Lesion, ...]:
    """Return the lesions of a table ``lesion, x, y, z, diameter_mm, class?`` (mm, LPS).

    Raises HakkenError naming the row of whatever is missing, no number, not positive or there twice.
    """
    table = read_table(path, COLUMNS, ("class",))
    x, y, z, diameters = (table.numbers(name) for name in COLUMNS[1:])
    classes = table.cells.get("class", [""] * len(table))
    found: dict[int, Lesion] = {}
    for entry, number in enumerate(_lesion_numbers(table)):
        if diameters[entry] <= 0:
            raise table.error(entry, "diameter_mm", f"{diameters[entry]:g} is no diameter; give mm above 0")
        if number in found:
            raise table.error(entry, "lesion", f"lesion {number} stands there twice; number the lesions 1, 2, 3 ...")
        diameter = float(diameters[entry])
        volume = math.pi / 6 * diameter**3
        place = (float(x[entry]), float(y[entry]), float(z[entry]))
        found[number] = Lesion(number, *place, diameter, volume, lesion_class=classes[entry] or None)
    return tuple(found.values())


def draw_spheres(lesions: Sequence[Lesion], geometry: Geometry) -> Labels:
    """Return labels (z, y, x): each lesion a sphere, at least its nearest voxel; where two overlap the smaller wins."""
    labels = np.zeros(geometry.shape_zyx, np.int16)
    for lesion in sorted(lesions, key=lambda one: -one.diameter_mm):
        reach = lesion.diameter_mm / 2 / np.array(geometry.spacing[::-1])
        centre = geometry.to_voxel(lesion.centre)[0]
        low = np.maximum(np.floor(centre - reach).astype(int), 0)
        high = np.minimum(np.ceil(centre + reach).astype(int) + 1, geometry.shape_zyx)
        if (low < high).all():
            box = tuple(slice(start, stop) for start, stop in zip(low.tolist(), high.tolist(), strict=True))
            places = np.indices((high - low).tolist()).reshape(3, -1).T + low
            near = np.linalg.norm(geometry.to_world(places) - lesion.centre, axis=1) <= lesion.diameter_mm / 2
            labels[box][near.reshape((high - low).tolist())] = lesion.lesion
    return keep_each(labels, lesions, geometry)


def keep_each(labels: Labels, lesions: Sequence[Lesion], geometry: Geometry) -> Labels:
    """Give lesions that fell between the voxels of a coarse grid the voxel nearest to their centre."""
    present = set(np.unique(labels).tolist())
    for lesion in lesions:
        place = tuple(np.rint(geometry.to_voxel(lesion.centre)[0]).astype(int).tolist())
        inside = all(0 <= index < size for index, size in zip(place, geometry.shape_zyx, strict=True))
        if lesion.lesion not in present and inside:
            labels[place] = lesion.lesion
    return labels


def _lesion_numbers(table: Table) -> list[int]:
    numbers = table.numbers("lesion")
    for entry, number in enumerate(numbers.tolist()):
        if number < 1 or number != int(number) or number > np.iinfo(np.int16).max:
            cell = table.cells["lesion"][entry]
            raise table.error(entry, "lesion", f"`{cell}` is no lesion number; number the lesions 1, 2, 3 ...")
    return [int(number) for number in numbers]
