"""CT of a body: what its tissues show in Hounsfield units (HU), and how a scanner stores it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from scipy import ndimage

from hakken.anatomy.scanners import Machine
from hakken.anatomy.shapes import Array
from hakken.core.volume import Geometry

AIR_HU = -1000.0
DENSITY = {
    "fat": -100.0,
    "muscle": 50.0,
    "disc": 80.0,
    "bone": 650.0,
    "cartilage": 110.0,
    "cord": 30.0,
    "mediastinal fat": -95.0,
    "lung": -850.0,
    "vessel": 40.0,
    "spleen": 48.0,
    "stomach": 30.0,
    "gas": AIR_HU,
    "heart": 42.0,
    "myocardium": 44.0,
    "blood": 40.0,
    "oesophagus": 35.0,
    "air": AIR_HU,
}
"""What the tissues of a chest show, but for liver and marrow, which differ from one to the next."""


@dataclass(frozen=True)
class Tomograph(Machine):
    """A CT scanner. ``kernel_mm``: SD of the reconstruction kernel. ``grain``: SD of the noise in HU."""

    kernel_mm: float
    grain: float


def scan_ct(density: Array, scanner: Tomograph, geometry: Geometry, random: Generator) -> NDArray[np.int16]:
    """Return ``density`` (z, y, x), in HU above air, as the scanner stores it: in HU, with grainy noise."""
    sigma = [scanner.kernel_mm / spacing for spacing in geometry.spacing[::-1]]
    grain = ndimage.gaussian_filter(random.standard_normal(density.shape).astype(np.float32), sigma)
    grain *= np.float32(scanner.grain) / np.float32(grain.std())
    shown = ndimage.gaussian_filter(density, sigma) + np.float32(AIR_HU) + grain
    return np.asarray(np.round(np.clip(shown, -1024, 3071)), np.int16)
