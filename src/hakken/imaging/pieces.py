"""Masks as shapes: cavities filled, the largest piece, depth below the surface, gaps closed."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Mask = NDArray[np.bool_]
Distances = NDArray[np.float64]


def filled(mask: Mask) -> Mask:
    """Return the mask without cavities, in space and in every slice along each axis that is long enough."""
    box = ndimage.find_objects(mask.astype(np.uint8))
    if not box:
        return mask
    result = mask.copy()
    part = result[box[0]]
    part |= ndimage.binary_fill_holes(part)
    for axis in range(3):
        if part.shape[axis] < mask.shape[axis] // 8:
            continue
        for index in range(part.shape[axis]):
            plane = part[(slice(None),) * axis + (index,)]
            plane |= ndimage.binary_fill_holes(plane)
    return result


def largest(mask: Mask) -> Mask:
    """Return the largest piece of the mask (neighbours share a face)."""
    labels, count = ndimage.label(mask)
    if count < 2:
        return mask
    sizes = np.bincount(labels.ravel())
    sizes[0] = 0
    return np.asarray(labels == sizes.argmax())


def depth(mask: Mask, spacing_zyx: tuple[float, ...]) -> Distances:
    """Return how far in mm each voxel of the mask lies from its outside; the image's edge is no outside."""
    if mask.all():
        return np.full(mask.shape, np.inf)
    return np.asarray(ndimage.distance_transform_edt(mask, sampling=spacing_zyx))


def distance(mask: Mask, spacing_zyx: tuple[float, ...]) -> Distances:
    """Return how far in mm each voxel lies from the mask, 0 inside."""
    return depth(~mask, spacing_zyx)


def closed(mask: Mask, spacing_zyx: tuple[float, ...], reach_mm: float, rim_mm: float = 0.0) -> Mask:
    """Return the mask with gaps of up to twice ``reach_mm`` closed, grown by ``rim_mm``."""
    return np.asarray(depth(distance(mask, spacing_zyx) <= reach_mm, spacing_zyx) > reach_mm - rim_mm)


def signed_distance(mask: Mask, spacing_zyx: tuple[float, ...]) -> NDArray[np.float32]:
    """Return the distance in mm to the border of the mask, above 0 inside."""
    return np.asarray(depth(mask, spacing_zyx) - distance(mask, spacing_zyx), np.float32)
