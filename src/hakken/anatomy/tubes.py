"""Vessels as straight pieces with rounded ends: how far a point is from them, and what they fill of a grid's voxels."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import CubicSpline

from hakken.anatomy.scanners import Pose
from hakken.anatomy.shapes import Array, Points
from hakken.core.volume import Geometry

AT_ONCE = 1_500_000


@dataclass(frozen=True)
class Tubes:
    """Pieces (n): ends (n, 2, 3) x, y, z in mm; at both ends radius (n, 2) in mm and strength (n, 2) of the signal."""

    ends: Points
    radii: Points
    strength: Points

    def __len__(self) -> int:
        return len(self.ends)

    def near(self, place: Points, reach: float) -> Tubes:
        """Return the pieces that come within ``reach`` mm of a point (3,)."""
        middle, half = self.ends.mean(1), np.linalg.norm(self.ends[:, 1] - self.ends[:, 0], axis=-1) / 2
        kept = np.linalg.norm(middle - place, axis=-1) - half - self.radii.max(-1) < reach
        return Tubes(self.ends[kept], self.radii[kept], self.strength[kept])

    def distance(self, points: Points) -> Points:
        """Return the signed distance in mm from points (m, 3) to the nearest wall, negative inside a vessel."""
        if not len(self):
            return np.full(len(points), np.inf)
        axis = self.ends[:, 1] - self.ends[:, 0]
        offset = points[:, None] - self.ends[None, :, 0]
        along = np.clip((offset * axis).sum(-1) / np.maximum((axis**2).sum(-1), 1e-9), 0, 1)
        away = np.linalg.norm(offset - along[..., None] * axis, axis=-1)
        return np.asarray((away - self.radii[:, 0] - along * (self.radii[:, 1] - self.radii[:, 0])).min(-1))


@dataclass(frozen=True)
class Lumen:
    """What blood fills of a grid's voxels (z, y, x): the fraction, and the fraction times the signal's strength."""

    share: Array
    signal: Array

    @classmethod
    def empty(cls, geometry: Geometry) -> Lumen:
        """Return the lumen of no vessel."""
        return cls(np.zeros(geometry.shape_zyx, np.float32), np.zeros(geometry.shape_zyx, np.float32))


def join(parts: list[Tubes]) -> Tubes:
    """Return all pieces of several bundles as one."""
    return Tubes(
        np.concatenate([part.ends for part in parts]),
        np.concatenate([part.radii for part in parts]),
        np.concatenate([part.strength for part in parts]),
    )


def along(points: Points, radii: Points, strength: Points) -> Tubes:
    """Return the pieces of one vessel along points (n, 3) mm; radii and strength (n,)."""
    return Tubes(
        np.stack([points[:-1], points[1:]], 1),
        np.stack([radii[:-1], radii[1:]], -1),
        np.stack([strength[:-1], strength[1:]], -1),
    )


def curve(knots: Points, step: float) -> Points:
    """Return points (n, 3) about ``step`` mm apart on a smooth curve through ``knots`` (k, 3) in mm."""
    chord = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(knots, axis=0), axis=-1) ** 0.7)])
    spline = CubicSpline(chord, knots, bc_type="natural")
    length = np.linalg.norm(np.diff(knots, axis=0), axis=-1).sum()
    return np.asarray(spline(np.linspace(0, chord[-1], max(3, int(np.ceil(length / step)) + 1))))


def paint_tubes(lumen: Lumen, tubes: Tubes, geometry: Geometry, pose: Pose) -> None:
    """Paint vessels of the head's space, lying as ``pose`` says, into ``lumen`` on ``geometry``, in place.

    A voxel's share is that of a plane wall which cuts it at the vessel's distance, and at most the cross-section of the
    vessel over that of the voxel. Where vessels overlap, the larger share and the larger signal count.
    """
    spacing = np.asarray(geometry.spacing)[::-1]
    ends = geometry.to_voxel(pose.apply(tubes.ends.reshape(-1, 3))).reshape(-1, 2, 3)
    length = np.linalg.norm(tubes.ends[:, 1] - tubes.ends[:, 0], axis=-1)
    reach = np.ceil((tubes.radii.max(-1) + length / 2)[:, None] / spacing + 0.75).astype(int)
    for size in np.unique(reach, axis=0):
        sides = [np.arange(-side, side + 1) for side in size]
        cube = np.stack(np.meshgrid(*sides, indexing="ij"), -1).reshape(-1, 3)
        for chosen in _chunks(np.flatnonzero((reach == size).all(-1)), len(cube)):
            part = Tubes(ends[chosen], tubes.radii[chosen], tubes.strength[chosen])
            _paint(lumen, part, np.round(part.ends.mean(1)).astype(int)[:, None] + cube, spacing)


def _chunks(pieces: NDArray[np.intp], voxels: int) -> Iterator[NDArray[np.intp]]:
    """Yield the pieces in bundles that touch at most ``AT_ONCE`` voxels."""
    count = max(1, AT_ONCE // voxels)
    for start in range(0, len(pieces), count):
        yield pieces[start : start + count]


def _paint(lumen: Lumen, tubes: Tubes, voxels: NDArray[np.intp], spacing: Points) -> None:
    """Paint pieces whose ends are in voxels (z, y, x) into the voxels (n, m, 3) around each."""
    axis = (tubes.ends[:, 1] - tubes.ends[:, 0])[:, None] * spacing
    offset = (voxels - tubes.ends[:, None, 0]) * spacing
    place = np.clip((offset * axis).sum(-1) / np.maximum((axis**2).sum(-1), 1e-9), 0, 1)
    offset -= place[..., None] * axis
    away = np.sqrt((offset**2).sum(-1))
    thickness = np.sqrt(((offset * spacing) ** 2).sum(-1)) / np.maximum(away, 1e-6)
    thickness = np.where(away > 1e-6, thickness, spacing.mean())
    radius = tubes.radii[:, :1] + place * (tubes.radii[:, 1:] - tubes.radii[:, :1])
    strength = tubes.strength[:, :1] + place * (tubes.strength[:, 1:] - tubes.strength[:, :1])
    most = np.minimum(np.pi * radius**2 / float(np.prod(spacing)) ** (2 / 3), 1)
    # A disc of radius r whose border is a ramp of width w has the area pi (r^2 + w^2 / 12).
    sharp = np.sqrt(np.maximum(radius**2 - thickness**2 / 12, radius**2 / 2))
    share = np.clip(0.5 + (sharp - away) / thickness, 0, most)
    inside = (share > 0) & ((voxels >= 0) & (voxels < np.asarray(lumen.share.shape))).all(-1)
    flat = np.ravel_multi_index(tuple(voxels[inside].T), lumen.share.shape)
    filled = share[inside].astype(np.float32)
    np.maximum.at(lumen.share.reshape(-1), flat, filled)
    np.maximum.at(lumen.signal.reshape(-1), flat, filled * strength[inside].astype(np.float32))
