"""X-rays of a body: where the rays of a point source go through it, and what thin parts of it add to them.

The body's own space: x to its left, y to its back, z to its head, in mm, the origin in its middle. The rays come from
behind (posteroanterior) and meet the detector at right angles in its middle, x to the right of the picture and z
upwards. What is large is looked up at some depths along each ray, what is thin is painted ball by ball, each with the
volume that it has, however coarse the pixels are.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from scipy import ndimage
from scipy.spatial.transform import Rotation

from hakken.anatomy.shapes import Array, Points

SOURCE_MM = 1800.0
"""From the source to the detector."""
DETECTOR_MM = 130.0
"""From the middle of the body to the detector."""
NARROWEST = 0.75
"""The least radius in pixels of what is painted: thinner tubes are spread over as much."""
AT_ONCE = 1_000_000
"""Pixels of balls that are painted at once."""


@dataclass(frozen=True)
class Detector:
    """A detector of so many rows and columns of square pixels of ``step`` mm, the ray through its middle at (0, 0)."""

    shape: tuple[int, int]
    step: float

    def axes(self) -> tuple[Array, Array]:
        """Return x (1, columns) and z (rows, 1) of the pixels in mm, the first row on top."""
        rows, columns = (((np.arange(n) - (n - 1) / 2) * self.step).astype(np.float32) for n in self.shape)
        return columns[None], -rows[:, None]

    def pixels(self, places: Points) -> Points:
        """Return rows and columns (n, 2), with fractions, of places (n, 2) x, z in mm."""
        return np.stack([-places[:, 1], places[:, 0]], 1) / self.step + (np.asarray(self.shape) - 1) / 2

    def places(self, pixels: Points) -> Points:
        """Return x, z (n, 2) in mm of rows and columns (n, 2)."""
        rows, columns = ((pixels - (np.asarray(self.shape) - 1) / 2) * self.step).T
        return np.stack([columns, -rows], 1)

    def coarser(self, least: float) -> Detector:
        """Return a detector of the same extent whose pixels are ``least`` mm or a little more, if they are smaller."""
        factor = max(least / self.step, 1)
        rows, columns = (max(round(n / factor), 1) for n in self.shape)
        return Detector((rows, columns), self.step * self.shape[1] / columns)


@dataclass(frozen=True)
class Stance:
    """How a body stands before the detector: ``rotation`` (3, 3) and ``shift`` (3,) in mm, of points x, y, z."""

    rotation: NDArray[np.float64]
    shift: NDArray[np.float64]

    def project(self, points: Points) -> tuple[Points, Points]:
        """Return where points (n, 3) of the body are seen, x, z (n, 2) in mm, and how much larger (n,)."""
        standing = points @ self.rotation.T + self.shift
        larger = SOURCE_MM / (SOURCE_MM - DETECTOR_MM - standing[:, 1])
        return standing[:, [0, 2]] * larger[:, None], larger

    def depths(self, detector: Detector, reach: float, step: float) -> Iterator[tuple[Array, Array, Array]]:
        """Yield x, y, z (rows, columns) of the body along all rays, at depths ``step`` mm apart within ``reach``."""
        x, z = detector.axes()
        count = round(2 * reach / step)
        turn, (right, back, up) = self.rotation.astype(np.float32), self.shift.astype(np.float32)
        for depth in ((np.arange(count) + 0.5) * step - reach).astype(np.float32):
            smaller = np.float32((SOURCE_MM - DETECTOR_MM - depth) / SOURCE_MM)
            across, along, high = x * smaller - right, depth - back, z * smaller - up
            yield (
                across * turn[0, 0] + high * turn[2, 0] + along * turn[1, 0],
                across * turn[0, 1] + high * turn[2, 1] + along * turn[1, 1],
                across * turn[0, 2] + high * turn[2, 2] + along * turn[1, 2],
            )


def draw_stance(shift_mm: float, degrees: float, random: Generator) -> Stance:
    """Draw how a body stands: turned about each axis by an SD of ``degrees``, moved across by one of ``shift_mm``."""
    turn = np.clip(random.normal(0, degrees, 3), -2 * degrees, 2 * degrees)
    shift = np.clip(random.normal(0, shift_mm, 3), -2 * shift_mm, 2 * shift_mm) * (1, 0, 1)
    return Stance(Rotation.from_euler("xyz", turn, degrees=True).as_matrix(), shift)


@dataclass(frozen=True)
class Beads:
    """Balls along thin parts of a body: ``points`` (n, 3), ``radii`` (n,) and ``volumes`` (n,) in mm and mm³."""

    points: Points
    radii: Points
    volumes: Points

    def times(self, share: Points | float) -> Beads:
        """Return the same balls with ``share`` (n,) of their volumes."""
        return Beads(self.points, self.radii, self.volumes * share)

    def thinner(self, wall: float) -> Beads:
        """Return what lies ``wall`` mm or more below the surface of tubes."""
        inner = np.maximum(self.radii - wall, 0)
        return Beads(self.points, np.maximum(inner, 0.1), self.volumes * (inner / self.radii) ** 2)


def tube(line: Points, radii: Points | float) -> Beads:
    """Return the balls of a tube along a ``line`` (n, 3) in mm, whose ``radii`` (n,) are given at its points."""
    between = np.linalg.norm(np.diff(line, axis=0), axis=1)
    length = (np.append(between, 0) + np.append(0, between)) / 2
    wide = np.broadcast_to(np.asarray(radii, float), len(line))
    return Beads(line, wide, np.pi * wide**2 * length)


def balls(points: Points, radii: Points | float) -> Beads:
    """Return whole balls at points (n, 3)."""
    wide = np.broadcast_to(np.asarray(radii, float), len(points))
    return Beads(points, wide, 4 / 3 * np.pi * wide**3)


def joined(parts: list[Beads]) -> Beads:
    """Return all balls as one."""
    return Beads(
        np.concatenate([one.points for one in parts]),
        np.concatenate([one.radii for one in parts]),
        np.concatenate([one.volumes for one in parts]),
    )


def thickness(beads: Beads, stance: Stance, detector: Detector) -> Array:
    """Return how many mm (rows, columns) of the balls each ray goes through; their volume is kept, whatever the pixels.

    >>> body = balls(np.zeros((1, 3)), 10.0)
    >>> seen = thickness(body, Stance(np.eye(3), np.zeros(3)), Detector((64, 64), 1.0))
    >>> larger = SOURCE_MM / (SOURCE_MM - DETECTOR_MM)
    >>> round(float(seen.sum() / larger**2)), round(4 / 3 * np.pi * 10**3)
    (4189, 4189)
    """
    places, larger = stance.project(beads.points)
    wide = np.maximum(beads.radii * larger / detector.step, NARROWEST)
    amount = beads.volumes * larger**2 / detector.step**2
    middle = detector.pixels(places)
    found = np.zeros(detector.shape[0] * detector.shape[1])
    reach = np.ceil(wide + 0.5).astype(int)
    for size in np.unique(reach).tolist():
        chosen = np.flatnonzero(reach == size)
        for some in np.array_split(chosen, -(-len(chosen) * (2 * size + 1) ** 2 // AT_ONCE)):
            found += _painted(middle[some], wide[some], amount[some], size, detector.shape)
    return found.reshape(detector.shape).astype(np.float32)


def _painted(middle: Points, wide: Points, amount: Points, reach: int, shape: tuple[int, int]) -> Points:
    """Return the sum (rows * columns,) of discs as a ball is seen, all within ``reach`` pixels, of given amounts."""
    side = np.arange(-reach, reach + 1)
    stencil = np.stack(np.meshgrid(side, side, indexing="ij"), -1).reshape(-1, 2)
    pixels = np.rint(middle).astype(int)[:, None] + stencil
    far = ((pixels - middle[:, None]) ** 2).sum(-1)
    weight = np.sqrt(np.clip(1 - far / (wide[:, None] + 0.25) ** 2, 0, None))
    weight *= (amount / weight.sum(1))[:, None]
    inside = ((pixels >= 0) & (pixels < shape)).all(-1)
    flat = pixels[..., 0] * shape[1] + pixels[..., 1]
    return np.asarray(np.bincount(flat[inside], weight[inside], shape[0] * shape[1]), float)


def exposed(
    attenuation: Array, detector: Detector, *, photons: float, scatter: float, blur_mm: float, random: Generator
) -> Array:
    """Return the attenuation (rows, columns) as a detector measures it: -log of what arrives.

    ``photons`` arrive on each mm² where nothing is in their way; ``scatter`` of what arrives is added to it again,
    spread over 40 mm; the detector blurs by an SD of ``blur_mm``. Quantum noise is Gaussian, its variance the mean.
    """
    arriving = np.exp(-attenuation)
    spread = ndimage.gaussian_filter(arriving, 40 / detector.step, mode="nearest", truncate=2.5)
    arriving = arriving + np.float32(scatter) * spread
    noise = random.standard_normal(arriving.shape).astype(np.float32)
    noisy = arriving + noise * np.sqrt(arriving / np.float32(photons * detector.step**2))
    seen = ndimage.gaussian_filter(np.maximum(noisy, np.float32(1e-4)), blur_mm / detector.step)
    return np.asarray(-np.log(np.maximum(seen, np.float32(1e-4))), np.float32)
