"""One FDG PET/CT of a chest, from its seed to its two images and its truth. Nothing is written here.

CT is in Hounsfield units (HU) on a fine grid, PET in SUV by body weight on a grid of voxels twice as large. The patient
holds the breath for CT and breathes during PET, so what lies at the diaphragm is displaced between the two.
"""

from __future__ import annotations

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from scipy import ndimage

from hakken.anatomy.chest import Chest, draw_chest
from hakken.anatomy.scanners import Machine, Pose, draw_pose, labelled, lay_grid, scan
from hakken.anatomy.shapes import Array, Grid
from hakken.anatomy.tomographs import AIR_HU, scan_ct
from hakken.core.seeds import derive_seed
from hakken.core.volume import Geometry, Volume
from hakken.phantoms import PhantomCase, options_of
from hakken.phantoms._pet_ct import (
    BREATH_MM,
    FWHM_TO_SD,
    SCANNERS,
    PetCt,
    Tomographs,
    moved_along_z,
    stored_pet,
    truth_of,
)
from hakken.phantoms.chest_pet_ct import Options
from hakken.phantoms.chest_pet_ct.foci import draw_foci
from hakken.phantoms.chest_pet_ct.uptake import draw_density, draw_uptake
from hakken.study import Study

COARSER = 2.0
"""Edge of PET's voxels over that of CT's."""


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
        truth=truth_of(case, foci, labels, geometry, pose) | {"uptake_suv": _rounded(levels), "breath_mm": breath},
    )


def breathe(image: Array, chest: Chest, breath_mm: float) -> Array:
    """Return ``image`` (z, y, x) with what lies at or below the diaphragm moved up by ``breath_mm``, less above it.

    The displacement falls to nothing at the middle of the chest.
    """
    grid, low = chest.frame.grid, chest.frame.diaphragm
    z = grid.axes()[2].ravel().astype(float)
    fade = np.clip((0.25 * chest.frame.half[2] - z) / (0.25 * chest.frame.half[2] - low), 0, 1)
    return moved_along_z(image, (z - breath_mm * fade - z[0]) / grid.step)


def _grid(chest: Chest, scanner: Machine, phantom: Options, pose: Pose, coarser: float) -> Geometry:
    """Return a scanner's grid over the part of the chest that is imaged."""
    step = chest.frame.grid.step
    x, y, z = (round(extent / step) for extent in phantom.shape_mm)
    return lay_grid(scanner, Grid((z, y, x), step), phantom.spacing_mm * coarser, pose)


def _pet(uptake: Array, scanner: Tomographs, random: Generator) -> NDArray[np.float32]:
    """Return blurred ``uptake`` (z, y, x), SUV, with noise that grows as the square root of the counts."""
    noise = ndimage.gaussian_filter(random.standard_normal(uptake.shape).astype(np.float32), 0.6)
    noise *= np.float32(scanner.noise) / np.float32(noise.std())
    return stored_pet(uptake * np.float32(scanner.gain) + noise * np.sqrt(uptake))


def _rounded(levels: dict[str, float]) -> dict[str, float]:
    return {name: round(suv, 4) for name, suv in levels.items()}
