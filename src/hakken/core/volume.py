"""A volume: one channel of voxels and where they lie in the scanner's space.

Arrays are ordered (z, y, x). Spacing, origin and points in space are ordered x, y, z, in mm, in the LPS convention
(x to the patient's left, y to the back, z to the head), as SimpleITK and DICOM have it. ``direction`` holds the nine
direction cosines row by row: its columns are the axes of the grid. The origin is the centre of voxel (0, 0, 0).
A 2-D image is a volume of one slice. Where nobody knows how large its pixels are, as in a PNG, the unit of all lengths
is one pixel (`px`) instead of mm.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hakken.core.errors import HakkenError

Triple = tuple[float, float, float]
Points = NDArray[np.float64]
Unit = Literal["mm", "px"]
IDENTITY = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0)


@dataclass(frozen=True)
class Geometry:
    """A grid of voxels in the scanner's space: shape (z, y, x); spacing, origin (x, y, z) in mm, LPS; direction.

    Lengths are in ``unit``: mm, or px of a picture whose pixels have no known size.
    Raises HakkenError when the shape is empty, a spacing is not positive or the directions are not orthonormal.
    """

    shape_zyx: tuple[int, int, int]
    spacing: Triple = (1.0, 1.0, 1.0)
    origin: Triple = (0.0, 0.0, 0.0)
    direction: tuple[float, ...] = IDENTITY
    unit: Unit = "mm"

    def __post_init__(self) -> None:
        if len(self.shape_zyx) != 3 or min(self.shape_zyx) < 1:
            raise HakkenError(f"image of shape {self.shape_zyx}: three axes (z, y, x) with voxels are needed")
        if not all(np.isfinite(value) and value > 0 for value in self.spacing):
            raise HakkenError(f"image with spacing {self.spacing} mm: every spacing must be a number above 0")
        matrix = np.reshape(self.direction, (3, 3))
        if not np.allclose(matrix @ matrix.T, np.eye(3), atol=1e-3):
            raise HakkenError(f"image with direction {self.direction}: the axes must be orthogonal and of length 1")

    @property
    def matrix(self) -> NDArray[np.float64]:
        """The (3, 3) matrix from voxel steps (x, y, z) to mm."""
        return np.asarray(np.reshape(self.direction, (3, 3)) * np.asarray(self.spacing), float)

    @property
    def voxel_mm3(self) -> float:
        """Volume of one voxel in mm³."""
        return float(np.prod(self.spacing))

    @property
    def is_flat(self) -> bool:
        """Whether this is the grid of a 2-D image, kept as one slice."""
        return self.shape_zyx[0] == 1

    @property
    def voxel_size(self) -> float:
        """Volume of a voxel in mm³; of a flat image the area of a pixel in mm², whatever its slice's thickness."""
        return float(np.prod(self.spacing[:2])) if self.is_flat else self.voxel_mm3

    @property
    def size_unit(self) -> str:
        """What sizes of lesions are measured in: `mm³`, and `mm²` or `px²` of a flat image.

        >>> Geometry((9, 9, 9)).size_unit, Geometry((1, 9, 9), unit="px").size_unit
        ('mm³', 'px²')
        """
        return f"{self.unit}{'²' if self.is_flat else '³'}"

    @property
    def centre(self) -> Triple:
        """Centre of the grid in mm, LPS."""
        middle = (np.asarray(self.shape_zyx, float) - 1) / 2
        x, y, z = self.to_world(middle[None])[0].tolist()
        return (x, y, z)

    def to_world(self, points_zyx: ArrayLike) -> Points:
        """Return points (n, 3) x, y, z in mm, LPS, of voxel indices (n, 3) z, y, x; indices may be fractions."""
        steps = np.asarray(points_zyx, float).reshape(-1, 3)[:, ::-1]
        return np.asarray(steps @ self.matrix.T + np.asarray(self.origin, float))

    def to_voxel(self, points_xyz: ArrayLike) -> Points:
        """Return voxel indices (n, 3) z, y, x, fractions among them, of points (n, 3) x, y, z in mm, LPS."""
        offsets = np.asarray(points_xyz, float).reshape(-1, 3) - np.asarray(self.origin, float)
        return np.asarray(np.linalg.solve(self.matrix, offsets.T).T[:, ::-1])

    def matches(self, other: Geometry, tolerance_mm: float = 1e-3) -> bool:
        """Whether both grids have the same shape and no corner voxel differs by more than ``tolerance_mm``."""
        if self.shape_zyx != other.shape_zyx:
            return False
        return float(np.abs(self.corners() - other.corners()).max()) <= tolerance_mm

    def corners(self) -> Points:
        """Return the centres (8, 3) of the corner voxels, x, y, z in mm, LPS."""
        last = np.asarray(self.shape_zyx, float) - 1
        return self.to_world(np.array([(z, y, x) for z in (0, 1) for y in (0, 1) for x in (0, 1)]) * last)

    def as_dict(self) -> dict[str, Any]:
        """Return the geometry as plain lists, for JSON."""
        return {
            "shape_zyx": list(self.shape_zyx),
            "spacing": list(self.spacing),
            "origin": list(self.origin),
            "direction": list(self.direction),
            "unit": self.unit,
        }

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Self:
        """Return the geometry that ``as_dict`` described."""
        return cls(
            shape_zyx=_triple_of_int(content["shape_zyx"]),
            spacing=triple(content["spacing"]),
            origin=triple(content["origin"]),
            direction=tuple(float(value) for value in content["direction"]),
            unit=content["unit"],
        )

    def __str__(self) -> str:
        z, y, x = self.shape_zyx
        numbers = [" ".join(f"{value:.4g}" for value in row) for row in (self.spacing, self.origin, self.direction)]
        return f"{x}x{y}x{z} voxels of {numbers[0]} {self.unit}, origin {numbers[1]}, direction {numbers[2]}"


@dataclass(frozen=True, eq=False)
class Volume:
    """One channel: ``array`` (z, y, x); ``spacing`` and ``origin`` x, y, z in ``unit``, LPS; ``direction`` by row."""

    array: NDArray[Any]
    spacing: Triple = (1.0, 1.0, 1.0)
    origin: Triple = (0.0, 0.0, 0.0)
    direction: tuple[float, ...] = IDENTITY
    unit: Unit = "mm"

    def __post_init__(self) -> None:
        _ = self.geometry

    @classmethod
    def on(cls, geometry: Geometry, array: NDArray[Any]) -> Self:
        """Return ``array`` (z, y, x) as a volume on ``geometry``; raises HakkenError when the shapes differ."""
        if array.shape != geometry.shape_zyx:
            raise HakkenError(f"array of shape {array.shape} does not fit a grid of shape {geometry.shape_zyx}")
        return cls(array, geometry.spacing, geometry.origin, geometry.direction, geometry.unit)

    @property
    def geometry(self) -> Geometry:
        """The grid without its voxels."""
        return Geometry(_triple_of_int(self.array.shape), self.spacing, self.origin, self.direction, self.unit)

    @property
    def is_flat(self) -> bool:
        """Whether this is a 2-D image, kept as one slice."""
        return bool(self.array.shape[0] == 1)

    def to_world(self, points_zyx: ArrayLike) -> Points:
        """Return points (n, 3) x, y, z in mm, LPS, of voxel indices (n, 3) z, y, x."""
        return self.geometry.to_world(points_zyx)

    def to_voxel(self, points_xyz: ArrayLike) -> Points:
        """Return voxel indices (n, 3) z, y, x of points (n, 3) x, y, z in mm, LPS."""
        return self.geometry.to_voxel(points_xyz)

    def matches(self, other: Volume | Geometry, tolerance_mm: float = 1e-3) -> bool:
        """Whether both lie on the same grid."""
        grid = other.geometry if isinstance(other, Volume) else other
        return self.geometry.matches(grid, tolerance_mm)


def triple(values: Any) -> Triple:
    """Return three numbers as a tuple of floats; raises HakkenError when they are not three."""
    numbers = tuple(float(value) for value in values)
    if len(numbers) != 3:
        raise HakkenError(f"three numbers x, y, z are needed, found {len(numbers)}")
    return numbers


def _triple_of_int(values: Any) -> tuple[int, int, int]:
    numbers = tuple(int(value) for value in values)
    if len(numbers) != 3:
        raise HakkenError(f"image with {len(numbers)} axes: three axes (z, y, x) are needed")
    return numbers
