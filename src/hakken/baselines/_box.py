"""Images of any size on one small grid: the box around a case's mask, averaged down."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage
from torch.nn import functional

from hakken.imaging.prepared import PreparedCase

Floats = NDArray[np.float32]
Shape = tuple[int, int, int]
Box = tuple[slice, slice, slice]


def box_of(case: PreparedCase) -> Box:
    """Return the smallest box (z, y, x) that holds the mask of a case; the whole grid where the mask is empty."""
    inside = case.mask() > 0
    if not inside.any():
        inside = np.ones_like(inside)
    (box,) = ndimage.find_objects(inside.astype(np.uint8))
    return box[0], box[1], box[2]


def averaged(values: NDArray[Any], shape: Shape) -> Floats:
    """Return ``values`` (..., z, y, x) on a grid of ``shape``: each cell is the mean of what it covers.

    >>> averaged(np.arange(4).reshape(1, 1, 4), (1, 1, 2)).tolist()
    [[[0.5, 2.5]]]
    """
    whole = torch.from_numpy(np.ascontiguousarray(values, np.float32))
    flat = whole.reshape(1, -1, *whole.shape[-3:])
    found = functional.adaptive_avg_pool3d(flat, shape)
    return np.asarray(found.reshape(*whole.shape[:-3], *shape).numpy(), np.float32)


def spread(values: NDArray[Any], shape: Shape) -> Floats:
    """Return ``values`` (z, y, x) interpolated linearly on a grid of ``shape`` over the same box."""
    whole = torch.from_numpy(np.ascontiguousarray(values, np.float32))[None, None]
    found = functional.interpolate(whole, size=shape, mode="trilinear", align_corners=False)
    return np.asarray(found[0, 0].numpy(), np.float32)
