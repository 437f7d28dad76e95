"""A lesion that a user clicks on, and the volume of interest around the click: how it is cut, and put back.

Notation: the volume of interest has n voxels along each axis of the patient (LPS), cubes of edge h = edge * size / n,
where ``size`` is what the user takes for the lesion's longest extent. Voxel n // 2 lies on the click. With i the index
of a voxel of the case and j that of one of the volume of interest, z, y, x, both lie on the same point where
i = A j + b. Outside of the case lie the values of its border.

A click is never the centre of gravity. Where a user is only simulated, the click is moved at random within a ball about
it whose radius is a share (``jitter``) of the size, and the size is wrong by up to the same share.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from scipy import ndimage

from hakken.core.errors import HakkenError
from hakken.core.seeds import derive_seed
from hakken.core.volume import Geometry, Triple
from hakken.imaging.prepared import PreparedCase
from hakken.inference.candidates import EVERYWHERE

Floats = NDArray[np.float32]
Flags = NDArray[np.bool_]
Box = tuple[slice, slice, slice]

RANGE = (1.0, 99.0)
"""The percentiles of a volume of interest that become 0 and 1."""


@dataclass(frozen=True)
class Click:
    """Where a user clicked, x, y, z, LPS, and what they take for the lesion's longest extent, in mm."""

    centre: Triple
    size: float

    def moved(self, jitter: float, random: Generator) -> Click:
        """Return a click as another user would give it, see the module."""
        away = random.normal(size=3)
        away *= jitter * self.size * random.random() ** (1 / 3) / max(float(np.linalg.norm(away)), 1e-9)
        x, y, z = (np.asarray(self.centre) + away).tolist()
        return Click((x, y, z), self.size * float(1 + jitter * random.uniform(-1, 1)))


def exact_clicks(case: PreparedCase) -> dict[int, Click]:
    """Return for each included lesion of a case its centre and its longest extent along the axes, by its number.

    Raises HakkenError for a flat image.
    """
    if case.geometry.is_flat:
        raise HakkenError(f"case {case.case_id}: is a flat image; volumes of interest are cut from volumes")
    boxes = ndimage.find_objects(case.labels(mmap=True)) if case.has_truth else []
    spacing = np.asarray(case.geometry.spacing[::-1])
    found = {}
    for lesion in case.lesions:
        box = boxes[lesion.lesion - 1] if lesion.lesion <= len(boxes) else None
        if lesion.kind == "included" and box is not None:
            extent = (np.array([part.stop - part.start for part in box]) * spacing).max()
            found[lesion.lesion] = Click(lesion.centre, float(extent))
    return found


def clicks_on(case: PreparedCase, jitter: float, seed: int) -> dict[int, Click]:
    """Return where a user clicks on each lesion of a case, by its number.

    On a new case where they have clicked. Otherwise they are simulated, on each lesion that counts: a function of the
    seed, of what the case shows and of the lesion, so that all models are given the same clicks.
    """
    if case.clicks:
        return {number: Click((x, y, z), size) for number, (x, y, z, size) in enumerate(case.clicks, start=1)}
    return {
        number: click.moved(jitter, np.random.default_rng(derive_seed(seed, "click", case.pixel_digest, number)))
        for number, click in exact_clicks(case).items()
    }


@dataclass(frozen=True)
class VolumeOfInterest:
    """The grid around a click: ``voxels`` (n) along each axis, ``step`` (h) in mm; see the module."""

    click: Click
    voxels: int
    step: float
    geometry: Geometry

    @classmethod
    def around(cls, click: Click, edge: float, voxels: int, geometry: Geometry) -> VolumeOfInterest:
        """Return the grid whose edge is ``edge`` times the size of the lesion, in a case of this ``geometry``."""
        return cls(click, voxels, edge * click.size / voxels, geometry)

    def wider(self, voxels: int) -> VolumeOfInterest:
        """Return a grid of the same voxels, but more of them."""
        return VolumeOfInterest(self.click, voxels, self.step, self.geometry)

    @cached_property
    def middle(self) -> NDArray[np.float64]:
        """The voxel of the case that was clicked on, z, y, x, with fractions."""
        return np.asarray(self.geometry.to_voxel([self.click.centre])[0], float)

    @cached_property
    def matrix(self) -> NDArray[np.float64]:
        """A (3, 3)."""
        steps = np.asarray(self.click.centre) + self.step * np.eye(3)[::-1]
        return np.asarray((self.geometry.to_voxel(steps) - self.middle).T, float)

    @cached_property
    def offset(self) -> NDArray[np.float64]:
        """b (3,)."""
        return np.asarray(self.middle - self.matrix @ np.full(3, self.voxels // 2), float)

    @cached_property
    def box(self) -> Box:
        """The voxels of the case that lie in the volume of interest, as far to each side of the click, at least one."""
        reach = np.abs(self.matrix).sum(1) * self.voxels / 2
        return self._within(np.floor(self.middle - reach), np.ceil(self.middle + reach) + 1)

    def _within(self, low: NDArray[np.float64], high: NDArray[np.float64]) -> Box:
        shape = np.asarray(self.geometry.shape_zyx)
        start = np.clip(low, 0, shape - 1).astype(int)
        stop = np.maximum(np.clip(high, 0, shape).astype(int), start + 1)
        z, y, x = (slice(int(one), int(other)) for one, other in zip(start, stop, strict=True))
        return z, y, x

    def cut(self, channel: NDArray[Any]) -> Floats:
        """Return the values (n, n, n) of a channel (z, y, x) of the case, linearly interpolated.

        Where a voxel is as large as several of the case, the means of so many are interpolated, so that noise between
        the sampled points is not folded in. Beyond the case lie the values of its border.
        """
        return self._sampled(channel, "edge")

    def cut_flags(self, flags: Flags) -> Floats:
        """Return which share (n, n, n) of each voxel is set, of flags on `box`; beyond it nothing is."""
        return self._sampled(flags, "constant", self.box)

    def _sampled(self, values: NDArray[Any], beyond: Literal["edge", "constant"], own: Box | None = None) -> Floats:
        """Return values of the case, or of a box of it, at the points of this grid."""
        factors = np.maximum(self.step / np.asarray(self.geometry.spacing[::-1]), 1).astype(int)
        low = np.array([part.start for part in self.box]) - factors
        high = np.array([part.stop for part in self.box]) + factors
        box = self._within(low, high) if own is None else own
        block = values[box] if own is None else values
        start = np.array([part.start for part in box]) - (0 if own is None else factors)
        coarse = _means(block, factors, beyond, before=0 if own is None else factors)
        matrix = self.matrix / factors[:, None]
        offset = (self.offset - start - (factors - 1) / 2) / factors
        return _interpolated(coarse, matrix, offset, (self.voxels,) * 3, mode="nearest")

    def back(self, values: Floats) -> Floats:
        """Return values (n, n, n) at the voxels of the case in `box`, linearly interpolated, 0 beyond them."""
        inverse = np.asarray(np.linalg.inv(self.matrix), float)
        low = np.array([part.start for part in self.box])
        shape = tuple(part.stop - part.start for part in self.box)
        offset = np.asarray(inverse @ (low - self.offset), float)
        return _interpolated(values, inverse, offset, shape, mode="grid-constant")

    def clicked(self, flags: Flags) -> Flags:
        """Return the 26-connected piece of flags on `box` that holds the click, or else is nearest to it."""
        labels, count = ndimage.label(flags, EVERYWHERE)
        if count == 0:
            return np.zeros(flags.shape, bool)
        voxels = np.argwhere(labels)
        away = (voxels + [part.start for part in self.box] - self.middle) * self.geometry.spacing[::-1]
        nearest = voxels[int((away**2).sum(1).argmin())]
        return np.asarray(labels == labels[tuple(nearest)], bool)

    def whole(self, flags: Flags) -> Flags:
        """Return flags on `box` as flags (z, y, x) of the case."""
        found = np.zeros(self.geometry.shape_zyx, bool)
        found[self.box] = flags
        return found


def _interpolated(
    values: Floats,
    matrix: NDArray[np.float64],
    offset: NDArray[np.float64],
    shape: tuple[int, ...],
    *,
    mode: Literal["nearest", "grid-constant"],
) -> Floats:
    """Return values at ``matrix`` i + ``offset`` for each index i of a ``shape``; of `grid-constant` 0 lies beyond."""
    steps = np.diagonal(matrix)
    if not np.allclose(matrix, np.diag(steps), atol=1e-12):
        return np.asarray(ndimage.affine_transform(values, matrix, offset, shape, order=1, mode=mode), np.float32)
    found = values if mode == "nearest" else np.pad(values, 1)  # axis by axis, which is ten times faster
    first = 0 if mode == "nearest" else 1
    for axis, (step, start, count) in enumerate(zip(steps, offset, shape, strict=True)):
        found = _along(found, axis, step * np.arange(count) + start + first)
    return found


def _along(values: Floats, axis: int, places: NDArray[np.float64]) -> Floats:
    """Return values between the ones along an axis; beyond the ends lie these.

    >>> _along(np.array([0, 10, 20], np.float32), 0, np.array([-1, 0.5, 1.25, 4])).tolist()
    [0.0, 5.0, 12.5, 20.0]
    """
    inside = places.clip(0, values.shape[axis] - 1)
    low = inside.astype(int)
    share = (inside - low).astype(np.float32).reshape([-1 if place == axis else 1 for place in range(values.ndim)])
    high = np.minimum(low + 1, values.shape[axis] - 1)
    return np.asarray(values.take(low, axis) * (1 - share) + values.take(high, axis) * share, np.float32)


def _means(
    values: NDArray[Any],
    factors: NDArray[np.integer[Any]],
    beyond: Literal["edge", "constant"],
    *,
    before: NDArray[np.integer[Any]] | int,
) -> Floats:
    """Return the means of ``factors`` (3,) voxels along each axis, with ``before`` voxels and at least one behind."""
    first = np.broadcast_to(before, 3)
    widths = [
        (int(start), int(factor + -(start + size) % factor) if beyond == "constant" else int(-size % factor))
        for start, size, factor in zip(first, values.shape, factors, strict=True)
    ]
    found = np.pad(values, widths, mode=beyond) if any(map(any, widths)) else values
    for axis, factor in enumerate(factors.tolist()):
        if factor > 1:  # along one axis after the other, which is much faster than along all at once
            parts = [found[(slice(None),) * axis + (slice(start, None, factor),)] for start in range(factor)]
            found = np.asarray(sum(part.astype(np.float32) for part in parts) / np.float32(factor))
    return np.asarray(found, np.float32)


def between(values: Floats, within: Floats | None = None) -> Floats:
    """Return values so that the percentiles of `RANGE` become 0 and 1, clipped there; of ``within``, where given.

    So values on any scale, such as a window of CT or a z-score of MR, come into the same range. Where all are alike
    they become 0.5.

    >>> between(np.array([[0.0, 50, 100]], np.float32)).round(2).tolist()
    [[0.0, 0.5, 1.0]]
    """
    low, high = np.percentile(values if within is None else within, RANGE)
    if not high - low > 1e-6 * max(abs(low), abs(high)):
        return np.full(values.shape, 0.5, np.float32)
    return np.asarray(np.clip((values - low) / (high - low), 0, 1), np.float32)


def diameters(case: PreparedCase, clicks: Mapping[int, Click]) -> dict[int, float]:
    """Return the diameter of the ball of each lesion's volume, as a share of the size that the click gives."""
    return {one.lesion: one.diameter / clicks[one.lesion].size for one in case.lesions if one.lesion in clicks}
