"""What phantoms of PET/CT share: scanners, the uptake of normal tissues, foci of abnormal uptake, and one case."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hakken.anatomy.scanners import Pose, whereabouts
from hakken.anatomy.shapes import Array
from hakken.anatomy.tomographs import Tomograph
from hakken.core.volume import Geometry, Volume
from hakken.phantoms import Levels, PhantomCase
from hakken.study import Study

BREATH_MM = 5.0
"""SD over examinations of how far the diaphragm lies lower or higher in PET than in CT."""

SUV_STEP = 1 / 256
FWHM_TO_SD = 1 / 2.3548


@dataclass(frozen=True)
class Tomographs(Tomograph):
    """A PET/CT scanner; of PET: ``noise`` is the SD at SUV 1, ``gain`` the calibration, ``fwhm_mm`` the resolution."""

    fwhm_mm: float


SCANNERS = {
    "A": Tomographs(fwhm_mm=6.0, kernel_mm=0.8, grain=12, noise=0.08, gain=1.00, bias=0, slices=1, axes=np.eye(3)),
    "B": Tomographs(fwhm_mm=7.0, kernel_mm=1.1, grain=9, noise=0.11, gain=1.03, bias=0, slices=1, axes=np.eye(3)),
    "C": Tomographs(
        fwhm_mm=5.0, kernel_mm=0.6, grain=16, noise=0.13, gain=0.97, bias=0, slices=1, axes=np.diag([-1.0, -1.0, 1.0])
    ),
}

PATTERN_MM = 45.0
STOUT = 0.3


@dataclass(frozen=True)
class Law:
    """Uptake of one tissue: the median SUV over examinations, and the SD of its logarithm between them.

    ``uneven`` is the SD of its logarithm from place to place within one examination, over `PATTERN_MM`.
    """

    median: float
    between: float
    uneven: float = 0.0


# Medians are near what is usual for FDG at 60 minutes (liver 2.2, blood 1.6, lung 0.5); deviations are the phantom's.
UPTAKE = {
    "fat": Law(0.30, 0.15, 0.10),
    "muscle": Law(0.70, 0.15, 0.10),
    "disc": Law(0.70, 0.15),
    "bone": Law(0.80, 0.20),
    "cartilage": Law(0.60, 0.15),
    "marrow": Law(1.35, 0.30, 0.08),
    "cord": Law(1.40, 0.15),
    "mediastinal fat": Law(0.55, 0.15, 0.10),
    "lung": Law(0.45, 0.15, 0.08),
    "vessel": Law(1.10, 0.12),
    "liver": Law(2.20, 0.12, 0.03),
    "spleen": Law(1.85, 0.14, 0.03),
    "stomach": Law(1.90, 0.30, 0.15),
    "gas": Law(0.15, 0.10),
    "heart": Law(1.60, 0.12),
    "myocardium": Law(3.60, 0.60, 0.25),
    "blood": Law(1.60, 0.12),
    "oesophagus": Law(1.60, 0.25, 0.15),
    "air": Law(0.15, 0.10),
}

BETWEEN = 0.40
"""SD of the logarithm of a focus's SUV around the median of its kind."""

ATTEMPTS = 30
SMALLEST_MM3 = 120.0


@dataclass(frozen=True)
class Focus:
    """One focus: ``share`` (z, y, x) of each voxel that it fills, its SUV, and what CT shows of it.

    ``hu`` is its density there and ``strength``, 0 to 1, how far it replaces what it fills: 0 is invisible on CT.
    """

    kind: str
    share: Array
    suv: float
    hu: float
    strength: float

    def paint(self, density: Array, uptake: Array) -> None:
        """Paint the focus into both images (z, y, x), HU and SUV, in place; uptake never falls."""
        density += (np.float32(self.hu) - density) * (self.share * np.float32(self.strength))
        uptake += np.maximum(np.float32(self.suv) - uptake, 0) * self.share


def placed(levels: Sequence[Levels], draw: Callable[[Levels], Focus], step: float) -> tuple[Focus, ...]:
    """Return a focus for each of ``levels``, which ``draw`` puts anywhere on a grid of ``step`` mm; they do not touch.

    One for which no room is found is left out, but the first one always finds it.
    """
    found: list[Focus] = []
    free: Array = np.ones(1, np.float32)
    for level in levels:
        for _ in range(ATTEMPTS):
            focus = draw(level)
            inside = focus.share * free
            if inside.sum() * step**3 >= SMALLEST_MM3 and inside.sum() > 0.99 * focus.share.sum():
                found.append(focus)
                free = np.where(focus.share > 0, np.float32(0), free)
                break
    return tuple(found)


def moved_along_z(image: Array, source: NDArray[np.float64]) -> Array:
    """Return ``image`` (z, y, x) whose slice n shows what lies at the place ``source`` (z)[n], in voxels."""
    source = np.clip(source, 0, len(image) - 1)
    below = np.floor(source).astype(int)
    above, part = np.minimum(below + 1, len(image) - 1), (source - below).astype(np.float32)[:, None, None]
    return np.asarray(image[below] * (1 - part) + image[above] * part, np.float32)


def stored_pet(pet: Array) -> NDArray[np.float32]:
    """Return PET (z, y, x) in whole steps of SUV, none below 0."""
    return np.asarray(np.round(np.maximum(pet, 0) / SUV_STEP) * np.float32(SUV_STEP), np.float32)


@dataclass(frozen=True)
class PetCt:
    """The images of one case and what is true of it (plain values, for JSON).

    ``ct`` int16 HU and ``pet`` float32 SUV lie on grids of their own; ``lesions`` int16 on the grid of the study's
    reference channel, n for focus n.
    """

    ct: Volume
    pet: Volume
    lesions: Volume
    truth: dict[str, Any]

    def images(self, study: Study) -> dict[str, Volume]:
        """Return the images of the study's channels by their modality: `ct` or `pet`."""
        return {name: self.ct if channel.modality == "ct" else self.pet for name, channel in study.channels.items()}


def truth_of(
    case: PhantomCase, foci: Sequence[Focus], labels: NDArray[np.int16], geometry: Geometry, pose: Pose
) -> dict[str, Any]:
    """Return what is true of the case; centres of foci x, y, z in mm, LPS, in the space of the images."""
    found = []
    for number, focus in enumerate(foci, start=1):
        found.append(
            {
                "lesion": number,
                "kind": focus.kind,
                **whereabouts(labels, number, geometry),
                "suv": round(focus.suv, 3),
                "shown_on_ct": focus.strength > 0,
            }
        )
    return {
        "case_id": case.case_id,
        "scanner": case.scanner,
        "lesions": found,
        "pose": np.round(pose.matrix, 9).tolist(),
    }
