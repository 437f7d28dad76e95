"""One FDG PET/CT of a chest, from its seed to its two images and its truth. Nothing is written here.

CT is in Hounsfield units (HU) on a fine grid, PET in SUV by body weight on a grid of voxels twice as large. The patient
holds the breath for CT and breathes during PET, so what lies at the diaphragm is displaced between the two.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from scipy import ndimage

from hakken.anatomy.chest import Chest, draw_chest
from hakken.anatomy.scanners import Machine, Pose, draw_pose, labelled, lay_grid, scan
from hakken.anatomy.shapes import Array, Grid
from hakken.core.seeds import derive_seed
from hakken.core.volume import Geometry, Volume
from hakken.phantoms import PhantomCase, options_of
from hakken.phantoms.chest_pet_ct import Options
from hakken.phantoms.chest_pet_ct.foci import Focus, draw_foci
from hakken.phantoms.chest_pet_ct.uptake import AIR_HU, draw_density, draw_uptake
from hakken.study import Study

COARSER = 2.0
"""Edge of PET's voxels over that of CT's."""

BREATH_MM = 5.0
"""SD over examinations of how far the diaphragm lies lower or higher in PET than in CT."""

SUV_STEP = 1 / 256
FWHM_TO_SD = 1 / 2.3548


@dataclass(frozen=True)
class Tomographs(Machine):
    """A PET/CT scanner; ``noise`` is the SD of PET at SUV 1, and ``gain`` the calibration of PET.

    ``fwhm_mm``: resolution of PET. ``kernel_mm``: SD of CT's reconstruction kernel. ``grain``: SD of CT's noise in HU.
    """

    fwhm_mm: float
    kernel_mm: float
    grain: float


SCANNERS = {
    "A": Tomographs(fwhm_mm=6.0, kernel_mm=0.8, grain=12, noise=0.08, gain=1.00, bias=0, slices=1, axes=np.eye(3)),
    "B": Tomographs(fwhm_mm=7.0, kernel_mm=1.1, grain=9, noise=0.11, gain=1.03, bias=0, slices=1, axes=np.eye(3)),
    "C": Tomographs(
        fwhm_mm=5.0, kernel_mm=0.6, grain=16, noise=0.13, gain=0.97, bias=0, slices=1, axes=np.diag([-1.0, -1.0, 1.0])
    ),
}


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


def draw_case(case: PhantomCase, study: Study) -> PetCt:
    """Draw one case. It depends on the study's seed and phantom and on the case alone; so does every byte.

    Both examinations of a patient show the same chest, with another uptake.
    """
    phantom, scanner = options_of(study, Options), SCANNERS[case.scanner]
    body = np.random.default_rng(derive_seed(study.seed, "phantom chest", case.body))
    random = np.random.default_rng(derive_seed(study.seed, "phantom case", case.origin))
    chest = draw_chest(phantom.shape_mm, phantom.spacing_mm, case.age, body)
    density = draw_density(chest, body)
    uptake, levels = draw_uptake(chest, random)
    foci = draw_foci(chest, case.levels, random)
    for focus in foci:
        focus.paint(density, uptake)
    breath = float(random.normal(0, BREATH_MM)) * chest.frame.scale
    pose = draw_pose(6, 3, np.zeros(3), random)
    fine, coarse = (_grid(chest, scanner, phantom, pose, edge) for edge in (1.0, COARSER))
    ct = scan_ct(scan(density - np.float32(AIR_HU), chest.frame.grid, fine, pose), scanner, fine, random)
    blurred = ndimage.gaussian_filter(breathe(uptake, chest, breath), scanner.fwhm_mm * FWHM_TO_SD / phantom.spacing_mm)
    pet = _pet(scan(np.asarray(blurred, np.float32), chest.frame.grid, coarse, pose), scanner, random)
    on_pet = study.channels[study.reference].modality == "pet"
    geometry = coarse if on_pet else fine
    shares = [breathe(focus.share, chest, breath) if on_pet else focus.share for focus in foci]
    labels = labelled([scan(share, chest.frame.grid, geometry, pose) for share in shares], geometry)
    return PetCt(
        ct=Volume.on(fine, ct),
        pet=Volume.on(coarse, pet),
        lesions=Volume.on(geometry, labels),
        truth=_truth(case, foci, labels, geometry, pose) | {"uptake_suv": _rounded(levels), "breath_mm": breath},
    )


def breathe(image: Array, chest: Chest, breath_mm: float) -> Array:
    """Return ``image`` (z, y, x) with what lies at or below the diaphragm moved up by ``breath_mm``, less above it.

    The displacement falls to nothing at the middle of the chest.
    """
    grid, low = chest.frame.grid, chest.frame.diaphragm
    z = grid.axes()[2].ravel().astype(float)
    fade = np.clip((0.25 * chest.frame.half[2] - z) / (0.25 * chest.frame.half[2] - low), 0, 1)
    source = np.clip((z - breath_mm * fade - z[0]) / grid.step, 0, len(z) - 1)
    below = np.floor(source).astype(int)
    above, part = np.minimum(below + 1, len(z) - 1), (source - below).astype(np.float32)[:, None, None]
    return np.asarray(image[below] * (1 - part) + image[above] * part, np.float32)


def _grid(chest: Chest, scanner: Machine, phantom: Options, pose: Pose, coarser: float) -> Geometry:
    """Return a scanner's grid over the part of the chest that is imaged."""
    step = chest.frame.grid.step
    x, y, z = (round(extent / step) for extent in phantom.shape_mm)
    return lay_grid(scanner, Grid((z, y, x), step), phantom.spacing_mm * coarser, pose)


def scan_ct(density: Array, scanner: Tomographs, geometry: Geometry, random: Generator) -> NDArray[np.int16]:
    """Return ``density`` (z, y, x), in HU above air, as the scanner stores it: in HU, with grainy noise."""
    sigma = [scanner.kernel_mm / spacing for spacing in geometry.spacing[::-1]]
    grain = ndimage.gaussian_filter(random.standard_normal(density.shape).astype(np.float32), sigma)
    grain *= np.float32(scanner.grain) / np.float32(grain.std())
    shown = ndimage.gaussian_filter(density, sigma) + np.float32(AIR_HU) + grain
    return np.asarray(np.round(np.clip(shown, -1024, 3071)), np.int16)


def _pet(uptake: Array, scanner: Tomographs, random: Generator) -> NDArray[np.float32]:
    """Return blurred ``uptake`` (z, y, x), SUV, with noise that grows as the square root of the counts."""
    noise = ndimage.gaussian_filter(random.standard_normal(uptake.shape).astype(np.float32), 0.6)
    noise *= np.float32(scanner.noise) / np.float32(noise.std())
    noisy = np.maximum(uptake * np.float32(scanner.gain) + noise * np.sqrt(uptake), 0)
    return np.asarray(np.round(noisy / SUV_STEP) * np.float32(SUV_STEP), np.float32)


def _truth(
    case: PhantomCase, foci: tuple[Focus, ...], labels: NDArray[np.int16], geometry: Geometry, pose: Pose
) -> dict[str, Any]:
    """Return what is true of the case; centres of foci x, y, z in mm, LPS, in the space of the images."""
    found = []
    for number, focus in enumerate(foci, start=1):
        voxels = np.argwhere(labels == number)
        found.append(
            {
                "lesion": number,
                "kind": focus.kind,
                "centre": np.round(geometry.to_world(voxels).mean(0), 4).tolist(),
                "volume_mm3": round(len(voxels) * geometry.voxel_mm3, 3),
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


def _rounded(levels: dict[str, float]) -> dict[str, float]:
    return {name: round(suv, 4) for name, suv in levels.items()}
