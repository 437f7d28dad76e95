"""Three scanners: what they make of the tissues, how they lay their grids, and how they spoil the picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from scipy import ndimage
from scipy.spatial.transform import Rotation

from hakken.anatomy.shapes import Array, Grid, Points, smooth_field
from hakken.core.volume import Geometry


@dataclass(frozen=True, kw_only=True)
class Machine:
    """How a scanner of any kind lays its grid and spoils the picture.

    ``noise`` is relative to white matter, ``bias`` the size of the bias field. ``slices``: slice distance over in-plane
    voxel size. ``gain``: what the numbers in the file are multiplied by. ``axes`` (3, 3): the directions of the image's
    x, y and z axes in columns.
    """

    noise: float
    bias: float
    slices: float
    gain: float
    axes: NDArray[np.float64]


@dataclass(frozen=True)
class Scanner(Machine):
    """One scanner for T1-weighted images. Intensities are relative to white matter on plain T1.

    ``tissues``: scalp fat, muscle, skull, marrow, fluid, grey matter, nuclei.
    """

    tissues: tuple[float, float, float, float, float, float, float]
    blood: float
    membrane: float
    flow: float


SCANNERS = {
    "A": Scanner(
        tissues=(1.35, 0.55, 0.10, 0.40, 0.22, 0.68, 0.82),
        blood=1.75,
        membrane=1.30,
        flow=0.40,
        noise=0.03,
        bias=0.14,
        slices=1.0,
        gain=420,
        axes=np.eye(3),
    ),
    "B": Scanner(
        tissues=(1.55, 0.60, 0.08, 0.50, 0.30, 0.76, 0.86),
        blood=1.55,
        membrane=1.20,
        flow=0.75,
        noise=0.045,
        bias=0.20,
        slices=1.2,
        gain=900,
        axes=np.array([(0.0, 0.0, -1.0), (1.0, 0.0, 0.0), (0.0, -1.0, 0.0)]),
    ),
    "C": Scanner(
        tissues=(1.20, 0.50, 0.14, 0.35, 0.18, 0.62, 0.78),
        blood=1.90,
        membrane=1.40,
        flow=0.25,
        noise=0.06,
        bias=0.26,
        slices=1.5,
        gain=160,
        axes=Rotation.from_euler("xz", [12, 4], degrees=True).as_matrix(),
    ),
}


@dataclass(frozen=True)
class Pose:
    """A rigid motion of points x, y, z in mm: ``rotation`` @ (p - ``centre``) + ``centre`` + ``shift``."""

    rotation: NDArray[np.float64]
    shift: NDArray[np.float64]
    centre: NDArray[np.float64]

    @property
    def matrix(self) -> NDArray[np.float64]:
        """The same motion as a (4, 4) matrix for points (x, y, z, 1)."""
        matrix = np.eye(4)
        matrix[:3, :3] = self.rotation
        matrix[:3, 3] = self.centre + self.shift - self.rotation @ self.centre
        return matrix

    def apply(self, points: Points) -> Points:
        """Return the moved points (n, 3)."""
        return np.asarray((points - self.centre) @ self.rotation.T + self.centre + self.shift)

    def undo(self, points: Points) -> Points:
        """Return the points (n, 3) that ``apply`` moves onto ``points``."""
        return np.asarray((points - self.centre - self.shift) @ self.rotation + self.centre)


def draw_pose(largest_mm: float, largest_degrees: float, centre: Points, random: Generator) -> Pose:
    """Draw a motion about ``centre``: half to all of the largest shift and rotation, about random axes."""
    shift = _direction(random) * largest_mm * random.uniform(0.5, 1)
    turn = _direction(random) * largest_degrees * random.uniform(0.5, 1)
    return Pose(Rotation.from_rotvec(turn, degrees=True).as_matrix(), shift, np.asarray(centre, float))


def lay_grid(scanner: Machine, head: Grid, spacing_mm: float, pose: Pose) -> Geometry:
    """Return the scanner's grid around a head that lies as ``pose`` moves it: just large enough for the head."""
    spacing = spacing_mm * np.array([1, 1, scanner.slices])
    half = np.asarray(head.shape[::-1]) * head.step / 2
    extent = 2 * np.sqrt(((scanner.axes.T @ pose.rotation * half) ** 2).sum(-1))
    shape = np.round(extent / spacing).astype(int)
    middle = pose.apply(np.zeros((1, 3)))[0]
    origin = middle - scanner.axes @ ((shape - 1) / 2 * spacing)
    x, y, z = shape.tolist()
    return Geometry((z, y, x), _triple(spacing), _triple(origin), tuple(scanner.axes.ravel().tolist()))


def scan(image: Array, head: Grid, geometry: Geometry, pose: Pose) -> Array:
    """Return ``image`` of the head's grid on the scanner's ``geometry`` (z, y, x), the head lying as ``pose`` says."""
    corners = np.concatenate([np.zeros((1, 3)), np.eye(3)])
    voxels = head.voxels(pose.undo(geometry.to_world(corners)))
    matrix = (voxels[1:] - voxels[0]).T
    sampled = ndimage.affine_transform(image, matrix, voxels[0], geometry.shape_zyx, order=1, output=np.float32)
    return np.asarray(sampled, np.float32)


def labelled(shares: Sequence[Array], geometry: Geometry) -> NDArray[np.int16]:
    """Return n (z, y, x) where lesion n fills at least half of a voxel, in any case where it fills most of one.

    ``shares`` holds for each lesion the fraction (z, y, x) of each voxel that it fills.
    """
    labels = np.zeros(geometry.shape_zyx, np.int16)
    for number, share in enumerate(shares, start=1):
        free = np.where(labels == 0, share, 0)
        labels[(free >= 0.5) | ((free == free.max()) & (free > 0))] = number
    return labels


def whereabouts(labels: NDArray[np.int16], number: int, geometry: Geometry) -> dict[str, Any]:
    """Return what is true of where a label lies: its `centre` x, y, z in mm, LPS, and its `volume_mm3`."""
    voxels = np.argwhere(labels == number)
    return {
        "centre": np.round(geometry.to_world(voxels).mean(0), 4).tolist(),
        "volume_mm3": round(len(voxels) * geometry.voxel_mm3, 3),
    }


def spoil(image: Array, scanner: Machine, geometry: Geometry, random: Generator) -> NDArray[np.int16]:
    """Return ``image`` (z, y, x) as the scanner stores it: with bias field, Rician noise and its own scale."""
    extent = min(np.asarray(image.shape) * np.asarray(geometry.spacing)[::-1])
    isotropic = float(np.cbrt(geometry.voxel_mm3))
    field = smooth_field(image.shape, isotropic, 1.4 * float(extent), random)
    image = image * np.exp(np.float32(scanner.bias * 0.5) * field)
    noise = random.standard_normal((2, *image.shape), np.float32) * np.float32(scanner.noise)
    magnitude = np.hypot(image + noise[0], noise[1]) * np.float32(scanner.gain)
    return np.asarray(np.round(magnitude), np.int16)


def _direction(random: Generator) -> NDArray[np.float64]:
    vector = random.normal(size=3)
    return np.asarray(vector / np.linalg.norm(vector))


def _triple(values: Points) -> tuple[float, float, float]:
    x, y, z = np.round(values, 6).tolist()
    return x, y, z
