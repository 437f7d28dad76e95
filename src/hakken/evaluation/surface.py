"""Distances between the surfaces of two masks, in mm, on voxels of any spacing.

A voxel of a mask is on its surface when one of its face neighbours is not in the mask; what lies beyond the border of
the image is not. Along an axis of one voxel (the slice axis of a 2-D image) there are no neighbours. Surfaces are sets
of voxel centres and every surface voxel counts once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import ndimage
from scipy.spatial import cKDTree

from hakken.core.errors import HakkenError
from hakken.evaluation.findings import Flags, Floats

NEAR = 8.0
FEW = 200
"""A tree finds near neighbours fast, but slows down where thousands lie equally far, as around concentric spheres. It
is asked up to NEAR voxels far, and without a limit for FEW points at most; the rest comes from a distance transform."""

Box = tuple[slice, ...]


@dataclass(frozen=True, eq=False)
class SurfaceDistances:
    """The distance in mm from every surface voxel of one mask to the nearest surface voxel of the other.

    ``truth`` (a,): from the truth's surface to the prediction's; ``prediction`` (b,): the other way; both sorted.
    """

    truth: Floats
    prediction: Floats

    @property
    def hausdorff(self) -> float:
        """The Hausdorff distance: the larger of the two directed maxima."""
        return self.percentile(100)

    @property
    def hd95(self) -> float:
        """The 95 % Hausdorff distance: the larger of the two directed 95th percentiles."""
        return self.percentile(95)

    @property
    def mean(self) -> float:
        """The average symmetric surface distance: the mean over the surface voxels of both masks together."""
        return float((self.truth.sum() + self.prediction.sum()) / (len(self.truth) + len(self.prediction)))

    def percentile(self, percent: int) -> float:
        """Return the larger of the two directed percentiles, 1 to 100.

        As in Google DeepMind's surface-distance and in Huttenlocher et al. (IEEE TPAMI 1993;15:850-863) a directed
        percentile is the smallest distance that at least ``percent`` per cent of the surface voxels do not exceed; it
        is a distance that occurs. The two directions are never pooled.
        """
        # Whole numbers alone: 0.95 * 60 is less than 57 in floating point.
        return max(float(one[-(-percent * len(one) // 100) - 1]) for one in (self.truth, self.prediction))


def surface_voxels(mask: Flags) -> Flags:
    """Return which voxels of ``mask`` (z, y, x) are on its surface."""
    return _surface(mask, mask.shape)


def surface_distances(truth: Flags, prediction: Flags, spacing_zyx: Sequence[float]) -> SurfaceDistances:
    """Return the distances between the surfaces of two masks (z, y, x) with ``spacing_zyx`` in mm.

    Raises HakkenError when the shapes differ or a mask is empty, where no distance exists.
    """
    if truth.shape != prediction.shape:
        raise HakkenError(f"masks of shapes {truth.shape} and {prediction.shape}: one grid is needed")
    if not truth.any() or not prediction.any():
        raise HakkenError("an empty mask has no surface; there is no distance to it")
    box = bounding_box(truth, prediction)
    one, other = (_surface(mask[box], truth.shape) for mask in (truth, prediction))
    return SurfaceDistances(_directed(one, other, spacing_zyx), _directed(other, one, spacing_zyx))


def bounding_box(*masks: Flags) -> Box:
    """Return the smallest box of the grid that holds every voxel of the masks, none of them all empty."""
    sides = []
    for axis in range(masks[0].ndim):
        others = tuple(other for other in range(masks[0].ndim) if other != axis)
        inside = np.flatnonzero(np.any([mask.any(axis=others) for mask in masks], axis=0))
        sides.append(slice(int(inside[0]), int(inside[-1]) + 1))
    return tuple(sides)


def _surface(part: Flags, grid: tuple[int, ...]) -> Flags:
    """Return the surface voxels of ``part``, cut from a ``grid`` of that shape around all voxels of the mask."""
    axes = [axis for axis, size in enumerate(grid) if size > 1]
    if not axes:
        return part.copy()
    inner = part.copy()
    for axis in axes:
        centre, around = np.moveaxis(inner, axis, 0), np.moveaxis(part, axis, 0)
        centre[1:] &= around[:-1]
        centre[:-1] &= around[1:]
        centre[[0, -1]] = False
    return np.asarray(part & ~inner)


def _directed(start: Flags, goal: Flags, spacing_zyx: Sequence[float]) -> Floats:
    """Return the sorted distances from each voxel of ``start`` to the nearest of ``goal``."""
    spacing = np.asarray(spacing_zyx, float)
    apart = np.argwhere(start & ~goal)
    distances = np.zeros(int(start.sum()))
    if len(apart):
        tree = cKDTree(np.argwhere(goal) * spacing)
        found = np.asarray(tree.query(apart * spacing, distance_upper_bound=NEAR * spacing.max())[0])
        far = np.flatnonzero(np.isinf(found))
        if len(far) > FEW:
            found[far] = ndimage.distance_transform_edt(~goal, sampling=spacing)[tuple(apart[far].T)]
        elif len(far):
            found[far] = tree.query(apart[far] * spacing)[0]
        distances[-len(apart) :] = np.sort(found)
    return distances
