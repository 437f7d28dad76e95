"""The mean intensities of a finding in all channels, less those of the organ around it: its enhancement curve."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from hakken.imaging.prepared import PreparedCase

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

AROUND_MM = 10.0
"""Thickness of the shell of organ that a finding is compared with."""


def curve(image: NDArray[Any], finding: Flags, organ: Flags, spacing_zyx: Sequence[float]) -> Floats:
    """Return the mean (c,) of the channels (c, z, y, x) in a ``finding`` less their median in the ``organ`` around it.

    Where there is no organ within `AROUND_MM` (z, y, x all in mm), it is compared with the whole of it.
    """
    box = _box(finding, [int(np.ceil(AROUND_MM / size)) + 1 for size in spacing_zyx])
    near = ndimage.distance_transform_edt(~finding[box], sampling=spacing_zyx) <= AROUND_MM
    shell = near & organ[box] & ~finding[box]
    part = np.asarray(image[(slice(None), *box)], np.float64)
    inside = part[:, finding[box]].mean(1)
    if shell.any():
        return np.asarray(inside - np.median(part[:, shell], axis=1))
    whole = np.asarray(image, np.float64)[:, organ & ~finding]
    return np.asarray(inside - (np.median(whole, axis=1) if whole.size else 0))


def curves_of(case: PreparedCase, organ: Flags) -> Iterator[tuple[Floats, str]]:
    """Yield the curve (c,) and the class of each included lesion of a case that has voxels; ``organ`` (z, y, x)."""
    labels = case.labels()
    free = organ & (labels == 0)
    for lesion in case.lesions:
        finding = labels == lesion.lesion
        if lesion.kind == "included" and finding.any():
            yield curve(case.image(), finding, free, case.geometry.spacing[::-1]), lesion.lesion_class or ""


def ball(centre: Floats, radius_mm: float, shape: tuple[int, ...], spacing_zyx: Sequence[float]) -> Flags:
    """Return the voxels (z, y, x) of a ball about ``centre`` (z, y, x in voxels); its nearest voxel at least."""
    squares = [((np.arange(n) - at) * size) ** 2 for n, at, size in zip(shape, centre, spacing_zyx, strict=True)]
    far = squares[0][:, None, None] + squares[1][None, :, None] + squares[2][None, None, :]
    return np.asarray((far <= radius_mm**2) | (far == far.min()))


def nearest(curves: Floats, names: Sequence[str], seen: Floats, count: int) -> dict[str, float]:
    """Return the share of each class among the ``count`` of ``curves`` (n, c) that are nearest to one (c,).

    >>> nearest(np.array([[0.0], [1.0], [9.0]]), ["a", "b", "a"], np.array([0.2]), 2)
    {'a': 0.5, 'b': 0.5}
    """
    order = np.argsort(((curves - seen) ** 2).sum(1), kind="stable")[:count]
    counts = Counter(names[number] for number in order.tolist())
    return {name: counts[name] / len(order) for name in dict.fromkeys(names)}


def _box(finding: Flags, margin: Sequence[int]) -> tuple[slice, ...]:
    (box,) = ndimage.find_objects(finding.astype(np.uint8))
    return tuple(slice(max(part.start - more, 0), part.stop + more) for part, more in zip(box, margin, strict=True))
