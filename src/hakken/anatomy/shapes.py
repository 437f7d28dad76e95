"""Shapes and smooth random fields, the clay of the phantom.

The head's own space: x to its left, y to its back, z to its crown, in mm, with the origin in the middle of the brain.
Arrays are ordered (z, y, x). An occupancy is the fraction of a voxel, 0 to 1, that a structure fills.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from scipy import ndimage
from scipy.interpolate import PchipInterpolator

Array = NDArray[np.float32]
Points = NDArray[np.float64]


@dataclass(frozen=True)
class Grid:
    """Cubic voxels of edge ``step`` mm in the head's space, ``shape`` (z, y, x), the origin in their middle."""

    shape: tuple[int, int, int]
    step: float

    def axes(self) -> tuple[Array, Array, Array]:
        """Return the coordinates x (1, 1, X), y (1, Y, 1) and z (Z, 1, 1) in mm."""
        z, y, x = (((np.arange(n) - (n - 1) / 2) * self.step).astype(np.float32) for n in self.shape)
        return x[None, None, :], y[None, :, None], z[:, None, None]

    def voxels(self, points: Points) -> Points:
        """Return voxel indices (n, 3) z, y, x, with fractions, of points (n, 3) x, y, z in mm."""
        return points[:, ::-1] / self.step + (np.asarray(self.shape) - 1) / 2

    def points(self, voxels: NDArray[np.integer] | Points) -> Points:
        """Return points (n, 3) x, y, z in mm of voxel indices (n, 3) z, y, x."""
        return ((np.asarray(voxels, float) - (np.asarray(self.shape) - 1) / 2) * self.step)[:, ::-1]

    def sample(self, field: Array, points: Points) -> Points:
        """Return ``field`` at points (n, 3), linearly interpolated, the border's value beyond the border."""
        return np.asarray(ndimage.map_coordinates(field, self.voxels(points).T, order=1, mode="nearest"), float)

    def gradient(self, field: Array, points: Points, reach: float = 1.5) -> Points:
        """Return the gradient (n, 3) x, y, z of ``field`` per mm at points (n, 3)."""
        shifts = np.concatenate([np.eye(3), -np.eye(3)]) * reach
        values = self.sample(field, (points[None] + shifts[:, None]).reshape(-1, 3)).reshape(2, 3, len(points))
        return np.asarray((values[0] - values[1]).T / (2 * reach))


def occupancy(distance: Array, step: float) -> Array:
    """Return the fraction of a voxel inside a surface from the signed distance in mm, negative inside."""
    inside = distance * np.float32(-1 / step)
    inside += np.float32(0.5)
    return np.clip(inside, 0, 1, out=inside)


def ellipsoid(axes: tuple[Array, Array, Array], centre: tuple[float, ...], radii: tuple[float, ...]) -> Array:
    """Return the approximate signed distance in mm to an ellipsoid, negative inside; ``axes`` as of ``Grid.axes``."""
    first: Array = np.zeros(1, np.float32)
    second: Array = np.full(1, 1e-9, np.float32)
    for axis, middle, radius in zip(axes, centre, radii, strict=True):
        scaled = (axis - np.float32(middle)) / np.float32(radius)
        first = first + scaled**2
        second = second + (scaled / np.float32(radius)) ** 2
    near = np.sqrt(first)
    distance: Array = near * (near - 1) / np.sqrt(second)
    return distance


def smooth_field(shape: tuple[int, ...], step: float, wavelength: float, random: Generator) -> Array:
    """Return a Gaussian random field (z, y, x) of SD about 1 that varies over ``wavelength`` mm.

    Random numbers on a coarse grid are spread by cubic B-splines along one axis after the other, which is two smooth
    derivatives for the price of three matrix products.
    """
    knots = [int(np.ceil(n * step / (wavelength / 2))) + 3 for n in shape]
    field = random.standard_normal(knots).astype(np.float32)
    for axis, (size, count) in enumerate(zip(shape, knots, strict=True)):
        basis = _spline_basis(size, step / (wavelength / 2), count)
        field = np.moveaxis(np.tensordot(basis, field, axes=(1, axis)), 0, axis)
    return np.ascontiguousarray(field / np.float32(0.33))


def paint_balls(
    target: Array, grid: Grid, points: Points, radii: Points, strength: Points | float = 1.0, *, tube: bool = False
) -> None:
    """Raise ``target`` in place to the occupancy of balls at points (n, 3) mm, times ``strength``.

    With ``tube`` the balls are the beads of thin tubes: one thinner than a voxel fills only its share of it.
    """
    share = np.pi * radii**2 / grid.step**2 if tube else 4 / 3 * np.pi * radii**3 / grid.step**3
    balls = np.column_stack([points, radii, share, np.broadcast_to(strength, len(points))])
    reach = np.ceil(radii / grid.step + 0.5).astype(int)
    for size in np.unique(reach):
        chosen = reach == size
        _paint(target, grid, balls[chosen], int(size))


def polyline(knots: Points, pieces: int) -> Points:
    """Return ``knots`` (n, k) with ``pieces`` - 1 points set between each two of them, on a smooth curve."""
    place = np.arange(len(knots))
    fine = np.linspace(0, len(knots) - 1, (len(knots) - 1) * pieces + 1)
    return np.asarray(PchipInterpolator(place, knots, axis=0)(fine))


def _paint(target: Array, grid: Grid, balls: Points, reach: int) -> None:
    """Paint balls (n, 6), x, y, z, radius, share of a voxel and strength, which end within ``reach`` voxels."""
    points, (radii, share, strength) = balls[:, :3], balls[:, 3:, None].swapaxes(0, 1)
    side = np.arange(-reach, reach + 1)
    cube = np.stack(np.meshgrid(side, side, side, indexing="ij"), -1).reshape(-1, 3)
    exact = grid.voxels(points)
    voxels = np.round(exact).astype(int)[:, None] + cube
    distance = np.linalg.norm(voxels - exact[:, None], axis=-1)
    filled = np.clip(radii / grid.step + 0.5 - distance, 0, np.minimum(share, 1)) * strength
    inside = ((voxels >= 0) & (voxels < np.asarray(grid.shape))).all(-1) & (filled > 0)
    flat = np.ravel_multi_index(tuple(voxels[inside].T), grid.shape)
    np.maximum.at(target.reshape(-1), flat, filled[inside].astype(np.float32))


def _spline_basis(size: int, per_sample: float, count: int) -> Array:
    """Return the weights (size, count) of cubic B-spline knots for ``size`` samples, ``per_sample`` knots apart."""
    place = np.arange(size)[:, None] * per_sample + 1 - np.arange(count)[None]
    far = np.abs(place)
    inner = 2 / 3 - far**2 + far**3 / 2
    outer = np.clip(2 - far, 0, None) ** 3 / 6
    return np.asarray(np.where(far < 1, inner, outer), np.float32)
