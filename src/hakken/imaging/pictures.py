"""A picture of a registration: the reference in green, the other channel in magenta, before and after; grey is good."""

from __future__ import annotations

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray

from hakken.core.volume import Geometry, Volume
from hakken.imaging.registration import resample

HEIGHT = 360
GAP = 6
PAPER = 255
Picture = NDArray[np.uint8]

# Rows and columns of an axial, a coronal and a sagittal picture as directions in LPS; the third is the normal.
PLANES = {
    "axial": ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0)),
    "coronal": ((1.0, 0.0, 0.0), (0.0, 0.0, -1.0)),
    "sagittal": ((0.0, 1.0, 0.0), (0.0, 0.0, -1.0)),
}


def registration_picture(fixed: Volume, moving: Volume, transform: sitk.Transform) -> Picture:
    """Return (rows, columns, 3) bytes: three planes through the middle of ``fixed`` before, then after ``transform``.

    Each plane is drawn on square pixels, all planes of one height. A flat image is shown in its own plane alone.
    """
    shown = [_planes(fixed, moving, change) for change in (sitk.Transform(), transform)]
    gap = np.full((HEIGHT, GAP, 3), PAPER, np.uint8)
    wide = np.full((HEIGHT, 4 * GAP, 3), PAPER, np.uint8)
    halves = [np.hstack([part for plane in planes for part in (plane, gap)][:-1]) for planes in shown]
    return np.hstack([halves[0], wide, halves[1]])


def _planes(fixed: Volume, moving: Volume, transform: sitk.Transform) -> list[Picture]:
    pictures = []
    flat = fixed.geometry.shape_zyx[0] == 1
    for across, down in [PLANES["axial"]] if flat else PLANES.values():
        grid = _plane(fixed.geometry, np.array(across), np.array(down))
        green = _brightness(resample(fixed, grid, sitk.Transform()).array[0])
        magenta = _brightness(resample(moving, grid, transform).array[0])
        pictures.append(np.stack([magenta, green, magenta], axis=-1))
    return pictures


def _plane(geometry: Geometry, across: NDArray[np.float64], down: NDArray[np.float64]) -> Geometry:
    """Return the one-slice grid of HEIGHT rows through the middle of ``geometry`` that spans it."""
    corners = geometry.corners() - geometry.centre
    reach_across, reach_down = float(np.abs(corners @ across).max()), float(np.abs(corners @ down).max())
    pixel = max(2 * reach_down / (HEIGHT - 1), 1e-3)
    columns = max(1, round(2 * reach_across / pixel) + 1)
    x, y, z = (np.asarray(geometry.centre) - across * reach_across - down * reach_down).tolist()
    axes = np.array([across, down, np.cross(across, down)]).T
    return Geometry((1, HEIGHT, columns), (pixel, pixel, pixel), (x, y, z), tuple(axes.ravel().tolist()))


def _brightness(values: NDArray[np.float32]) -> Picture:
    """Stretch a plane from its 2nd to its 99.5th percentile to 0..255."""
    low, high = np.percentile(values, (2, 99.5)).tolist()
    scaled = (values - low) / max(high - low, 1e-6)
    return np.asarray(np.clip(scaled, 0, 1) ** 0.8 * 255, np.uint8)
