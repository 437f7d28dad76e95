"""What the truth of some cases says of their lesions: sizes, shapes, and how a mask holds them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeVar

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from hakken.commands.own_cases import FoundCase, Truth
from hakken.core.errors import HakkenError
from hakken.core.volume import Volume
from hakken.imaging.files import FLAT, read_geometry, read_volume, suffix
from hakken.imaging.lesion_tables import read_lesion_table

Labels = Literal["instances", "binary"]
T = TypeVar("T")
TOUCHING = np.ones((3, 3, 3), bool)
SINGLE = 0.9
"""Share of the values of masks that must be one piece each for them to number lesions."""

RIM = 1.05  # of a radius, so that voxels on the surface of a ball count as within


@dataclass(frozen=True)
class Spot:
    """A lesion: centre x, y, z in mm (LPS), diameter in mm of the ball of its volume, on a flat image of its disc.

    ``filling`` is the share of it that lies in this ball about its centre.
    """

    centre: tuple[float, float, float]
    diameter_mm: float
    filling: float = 1.0


@dataclass(frozen=True)
class Truths:
    """The lesions of each case, how masks hold them and why, and what could not be read.

    ``threshold`` is half of white where masks are pictures in grey, whose edges may be grey as well.
    """

    spots: tuple[tuple[Spot, ...], ...]
    labels: Labels = "binary"
    reason: str = ""
    problems: tuple[str, ...] = ()
    threshold: int | None = None


def read_truths(cases: Sequence[FoundCase], truth: Truth | None) -> Truths:
    """Read masks or tables of lesions; what cannot be read is told, not raised."""
    if truth == "lesion_table":
        tables, problems = _each(cases, lambda case, path: tuple(_spheres(case, path)))
        return Truths(tuple(one or () for one in tables), problems=tuple(problems))
    if truth != "lesion_mask":
        return Truths(((),) * len(cases))
    read, problems = _each(cases, lambda _, path: _mask(path))
    masks = [None if one is None else one[0] for one in read]
    labels, reason = _labels_of([mask for mask in masks if mask is not None])
    spots = tuple(() if mask is None else tuple(_spots(mask, labels)) for mask in masks)
    threshold = max((one[1] or 0 for one in read if one is not None), default=0) or None
    return Truths(spots, labels, reason, tuple(problems), threshold)


def _each(cases: Sequence[FoundCase], read: Callable[[FoundCase, Path], T]) -> tuple[list[T | None], list[str]]:
    """Return what is read of the truth of each case, None where there is no file, and what cannot be read."""
    found: list[T | None] = []
    problems: list[str] = []
    for case in cases:
        content = None
        if isinstance(case.truth, Path):
            try:
                content = read(case, case.truth)
            except HakkenError as error:
                problems.append(str(error))
        found.append(content)
    return found, problems


def _spheres(case: FoundCase, path: Path) -> Iterator[Spot]:
    for lesion in read_lesion_table(path, read_geometry(next(iter(case.channels.values())))):
        yield Spot(lesion.centre, lesion.diameter)


def _mask(path: Path) -> tuple[Volume, int | None]:
    """Return a mask in whole numbers and, of a picture in grey, half of its white, from which on it counts as 1."""
    volume = read_volume(path)
    values = np.nan_to_num(np.asarray(volume.array, np.float64))
    half = _half_of_white(float(values.max())) if suffix(path) in FLAT else None
    if half is not None:
        values = (values >= half).astype(np.float64)
    return Volume.on(volume.geometry, np.rint(values).astype(np.int32)), half


def _half_of_white(most: float) -> int | None:
    """Return half of the white of 8 or 16 bits that a picture reaches, None where its values may number lesions.

    >>> _half_of_white(255), _half_of_white(254), _half_of_white(65535), _half_of_white(7)
    (128, 128, 32768, None)
    """
    if 128 <= most <= 255:
        return 128
    return 32768 if most == 65535 else None


def _labels_of(masks: Sequence[Volume]) -> tuple[Labels, str]:
    """Return whether masks number their lesions: more than one value, each of them in one piece in most cases."""
    most = max((len(np.unique(mask.array)) - 1 for mask in masks), default=0)
    if most < 2:
        touching = 8 if all(mask.is_flat for mask in masks) else 26
        return "binary", f"the masks hold one value: their {touching}-connected pieces are the lesions"
    pieces = [
        ndimage.label(mask.array == value, TOUCHING)[1] for mask in masks for value in np.unique(mask.array) if value
    ]
    single = float(np.mean(np.array(pieces) == 1))
    if single >= SINGLE:
        return "instances", f"up to {most} values in a mask, {single:.0%} of them in one piece"
    return "binary", f"up to {most} values in a mask, {1 - single:.0%} of them in several pieces: no numbers of lesions"


def _spots(mask: Volume, labels: Labels) -> Iterator[Spot]:
    numbered = mask.array if labels == "instances" else ndimage.label(mask.array != 0, TOUCHING)[0]
    for number, box in enumerate(ndimage.find_objects(numbered), start=1):
        if box is not None:
            within = np.argwhere(numbered[box] == number)
            yield _spot(within + [part.start for part in box], mask)


def _spot(voxels: NDArray[np.intp], mask: Volume) -> Spot:
    """Return the lesion of these voxels (n, 3), z, y, x."""
    middle = voxels.mean(axis=0)
    x, y, z = mask.geometry.to_world(middle[None])[0].tolist()
    size = len(voxels) * mask.geometry.voxel_mm3
    disc, ball = np.sqrt(size / mask.spacing[2] / np.pi), np.cbrt(3 * size / 4 / np.pi)
    radius = float(disc if mask.is_flat else ball)
    away = np.linalg.norm((voxels - middle) * np.array(mask.spacing[::-1]), axis=1)
    return Spot((x, y, z), 2 * radius, float((away <= RIM * radius).mean()))
