"""Lesions of a case, measured where they were drawn: from a mask of labels or from a table of spheres.

Diameters are those of the sphere of equal volume: (6 V / pi)^(1/3). Pieces of a binary mask are 26-connected.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from hakken.core.errors import HakkenError
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
        kind: Literal["included", "excluded"] = "excluded" if volume < minimum_mm3 else "included"
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
        replace(lesion, kind="excluded" if lesion.volume_mm3 < minimum_mm3 else lesion.kind) for lesion in lesions
    )


def read_lesion_table(path: Path) -> tuple[Lesion, ...]:
    """Return the lesions of a table ``lesion, x, y, z, diameter_mm, class?`` (mm, LPS).

    Raises HakkenError naming the row of whatever is missing, no number, not positive or there twice.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as stream:
            reader = csv.DictReader(stream)
            missing = [name for name in COLUMNS if name not in (reader.fieldnames or ())]
            if missing:
                raise HakkenError(f"{path}: column {', '.join(missing)} is missing; needed are {', '.join(COLUMNS)}")
            lesions = [_from_row(row, f"{path}, row {reader.line_num}") for row in reader]
    except FileNotFoundError:
        raise HakkenError(f"{path}: no such file; correct the path in the case table") from None
    except UnicodeDecodeError:
        raise HakkenError(f"{path}: not a text file in UTF-8; save it as CSV in UTF-8") from None
    numbers = [lesion.lesion for lesion in lesions]
    twice = {number for number in numbers if numbers.count(number) > 1}
    if twice:
        raise HakkenError(f"{path}: lesion {min(twice)} stands there twice; number the lesions 1, 2, 3 ...")
    return tuple(lesions)


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


def _from_row(row: dict[str, str], place: str) -> Lesion:
    values = {name: _number(row.get(name), name, place) for name in COLUMNS}
    if values["diameter_mm"] <= 0:
        raise HakkenError(f"{place}, column diameter_mm: {values['diameter_mm']:g} is no diameter; give mm above 0")
    number = int(values["lesion"])
    if number < 1 or number != values["lesion"] or number > np.iinfo(np.int16).max:
        raise HakkenError(
            f"{place}, column lesion: {row['lesion']} is no lesion number; number the lesions 1, 2, 3 ..."
        )
    return Lesion(
        lesion=number,
        x=values["x"],
        y=values["y"],
        z=values["z"],
        diameter_mm=values["diameter_mm"],
        volume_mm3=math.pi / 6 * values["diameter_mm"] ** 3,
        lesion_class=(row.get("class") or "").strip() or None,
    )


def _number(text: str | None, name: str, place: str) -> float:
    try:
        value = float(text or "")
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise HakkenError(f"{place}, column {name}: {text!r} is no number; give a number")
    return value
