"""What CT and MR show of a chest, and how their scanners spoil it.

CT is in Hounsfield units (HU). MR is a gradient echo after a short echo time without contrast agent, fat being 1: the
lung, full of air, hardly shines, blood that flows in does, and what moves with the heart is seen again, fainter, in
the direction of phase encoding.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from hakken.anatomy.scanners import Machine, spoil
from hakken.anatomy.shapes import Array, smooth_field
from hakken.anatomy.tomographs import AIR_HU, DENSITY, Tomograph
from hakken.core.volume import Geometry
from hakken.phantoms.lung_nodule.lungs import Lungs
from hakken.phantoms.lung_nodule.nodules import Nodule

SOFT_HU, SOFT_MR = (20.0, 45.0), (0.42, 0.10)
"""A solid nodule: the middle of its values, and how far from it they lie."""

HU = DENSITY | {"airway wall": -60.0, "marrow": 180.0, "liver": 55.0}
SIGNAL = {
    "fat": 1.0,
    "muscle": 0.42,
    "disc": 0.40,
    "bone": 0.12,
    "cartilage": 0.35,
    "marrow": 0.60,
    "cord": 0.45,
    "mediastinal fat": 0.92,
    "lung": 0.07,
    "vessel": 0.62,
    "airway wall": 0.22,
    "liver": 0.58,
    "spleen": 0.40,
    "stomach": 0.30,
    "gas": 0.02,
    "heart": 0.55,
    "myocardium": 0.46,
    "blood": 0.65,
    "oesophagus": 0.40,
    "air": 0.02,
}
MOVING = ("heart", "myocardium", "blood", "vessel")


@dataclass(frozen=True)
class Magnet(Machine):
    """An MR scanner. ``slice_mm``: thickness and distance of slices. ``ghost``: height of the largest ghosts."""

    slice_mm: float
    ghost: float


STRAIGHT, FLIPPED = np.eye(3), np.diag([-1.0, -1.0, 1.0])
TOMOGRAPHS = {
    "A": Tomograph(kernel_mm=0.6, grain=28, noise=0, gain=1, bias=0, slices=1.0, axes=STRAIGHT),
    "B": Tomograph(kernel_mm=0.8, grain=20, noise=0, gain=1, bias=0, slices=1.0, axes=FLIPPED),
    "C": Tomograph(kernel_mm=0.5, grain=40, noise=0, gain=1, bias=0, slices=1.25, axes=STRAIGHT),
}
MAGNETS = {
    "A": Magnet(slice_mm=3.0, ghost=0.06, noise=0.030, gain=500, bias=0.15, slices=1.0, axes=STRAIGHT),
    "B": Magnet(slice_mm=3.5, ghost=0.09, noise=0.040, gain=900, bias=0.22, slices=1.0, axes=STRAIGHT),
    "C": Magnet(slice_mm=4.0, ghost=0.07, noise=0.035, gain=220, bias=0.20, slices=1.0, axes=FLIPPED),
}


def ct_of(lungs: Lungs, nodules: tuple[Nodule, ...], random: Generator) -> Array:
    """Return a chest (z, y, x) with its nodules in HU, as an ideal scanner would show it."""
    chest = lungs.chest
    texture = smooth_field(chest.frame.grid.shape, chest.frame.grid.step, 12, random)
    y = chest.frame.grid.axes()[1] / np.float32(chest.frame.half[1])
    values: dict[str, float | Array] = {name: hu + float(random.normal(0, 3)) for name, hu in HU.items()}
    values["lung"] = float(random.uniform(-880, -790)) + np.float32(35) * y + 22 * texture
    image = chest.paint(values, AIR_HU)
    _paint(image, lungs, nodules, SOFT_HU)
    return image


def mr_of(lungs: Lungs, nodules: tuple[Nodule, ...], random: Generator) -> tuple[Array, Array]:
    """Return a chest (z, y, x) with its nodules, fat being 1, and that of it which moves with the heart."""
    chest = lungs.chest
    texture = smooth_field(chest.frame.grid.shape, chest.frame.grid.step, 12, random)
    values: dict[str, float | Array] = {
        name: signal * float(np.exp(random.normal(0, 0.06))) for name, signal in SIGNAL.items()
    }
    values["lung"] = np.float32(values["lung"]) * np.exp(np.float32(0.15) * texture)
    image = chest.paint(values, 0.0)
    moving = np.asarray(image * chest.share(*MOVING), np.float32)
    _paint(image, lungs, nodules, SOFT_MR)
    return image, moving


def _paint(image: Array, lungs: Lungs, nodules: tuple[Nodule, ...], soft: tuple[float, float]) -> None:
    """Paint nodules into ``image`` (z, y, x) in place: soft tissue, as far as they hold it, and lung in between."""
    for nodule in nodules:
        box, share, solid = nodule.share(lungs.chest.frame.grid)
        value = np.float32(soft[0] + soft[1] * nodule.level)
        part = image[box]
        part += np.maximum(value - part, 0) * share * solid * lungs.lung[box]


def through_mr(
    images: tuple[Array, Array], scanner: Magnet, geometry: Geometry, random: Generator
) -> NDArray[np.int16]:
    """Return an image (z, y, x) on the scanner's grid with ghosts of what moves, bias field and Rician noise.

    ``images``: all, and what of it moves. Phases are encoded along y, so ghosts
    lie before and behind; what leaves the image at one side enters at the other.
    """
    image, moving = images
    shift = round(image.shape[1] * float(random.uniform(0.2, 0.45)))
    height = np.float32(scanner.ghost * random.uniform(0.5, 1))
    ghosted = image + height * (np.roll(moving, shift, axis=1) + np.roll(moving, -shift, axis=1))
    return spoil(ghosted, scanner, geometry, random)


def sliced(scanner: Magnet, spacing_mm: float) -> Magnet:
    """Return the scanner with its slices as thick as they are, whatever the voxel size in their plane."""
    return replace(scanner, slices=scanner.slice_mm / spacing_mm)
