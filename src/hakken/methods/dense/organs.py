"""From the probabilities of regions to labels, and where candidates may lie. Axes are (z, y, x)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from hakken.core.volume import Geometry
from hakken.inference.candidates import EVERYWHERE

Flags = NDArray[np.bool_]


def regions_of(probabilities: NDArray[Any], whole: int = 0) -> NDArray[np.uint8]:
    """Return the most probable region (z, y, x) of probabilities (r, z, y, x), from 1; 0 where the background is.

    Of the region ``whole``, where it is told, the largest 26-connected component alone is kept; the first of equals.
    """
    background = 1 - probabilities.sum(0)
    labels = np.concatenate([background[None], probabilities]).argmax(0).astype(np.uint8)
    if whole:
        inside = labels == whole
        labels[inside & ~largest(inside)] = 0
    return np.asarray(labels, np.uint8)


def largest(mask: Flags) -> Flags:
    """Return the largest 26-connected component of a mask, the first of equals.

    >>> largest(np.array([[[True, False, True, True]]])).astype(int).tolist()
    [[[0, 0, 1, 1]]]
    """
    pieces, count = ndimage.label(mask, EVERYWHERE)
    if count < 2:
        return mask
    return np.asarray(pieces == 1 + np.bincount(pieces.ravel())[1:].argmax())


def organ_of(mask: Flags, geometry: Geometry, around_mm: float) -> Flags:
    """Return where a mask lies, and all voxels whose centres are up to so many mm from the nearest one of it.

    >>> organ_of(np.array([[[True, False, False]]]), Geometry((1, 1, 3), (2.0, 2.0, 2.0)), 2.0).tolist()
    [[[True, True, False]]]
    """
    if not around_mm or not mask.any():
        return mask
    return np.asarray(ndimage.distance_transform_edt(~mask, sampling=geometry.spacing[::-1]) <= around_mm)
