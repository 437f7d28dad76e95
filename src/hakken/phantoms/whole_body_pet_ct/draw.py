"""One FDG PET/CT from vertex to thigh, from its seed to its two images and its truth. Nothing is written here.

Between CT and PET the diaphragm moves and the bladder fills. PET is taken bed by bed: each has another noise, which
steps at their borders. Scanners, their reconstructions and noise are those of `chest_pet_ct`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from scipy import ndimage

from hakken.anatomy.scanners import Pose, draw_pose, labelled, lay_grid, scan
from hakken.anatomy.shapes import Array
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
from hakken.phantoms.whole_body_pet_ct import Options
from hakken.phantoms.whole_body_pet_ct.body import APEX, CHIN, CREST, CROTCH, HALFWAY, Body, draw_body
from hakken.phantoms.whole_body_pet_ct.facts import Facts, facts_of
from hakken.phantoms.whole_body_pet_ct.foci import draw_foci
from hakken.phantoms.whole_body_pet_ct.uptake import draw_density, draw_levels, draw_uptake
from hakken.study import Study

COARSER = 1.5
"""Edge of PET's voxels over that of CT's."""

BED_MM, BED_NOISE = 160.0, 0.18
"""Length of a bed position, and the SD of the logarithm of its noise."""

USUAL_KG = 70.0
FILLED_ML = (5.0, 60.0)
"""What runs into the bladder between CT and PET."""

REGIONS = ("head", "neck", "chest", "abdomen", "pelvis", "thighs", "kidneys", "ureters", "bladder")
"""What the labels 1, 2, ... of the regions mean."""
ORGANS = {"kidneys": ("kidney", "urine"), "ureters": ("ureter",), "bladder": ("bladder",)}


@dataclass(frozen=True)
class WholeBody(PetCt):
    """The same with ``regions``, uint8, n for the n-th of `REGIONS`, on the grid of the study's reference channel."""

    regions: Volume


def draw_case(case: PhantomCase, study: Study) -> WholeBody:
    """Draw one case. It depends on the study's seed and phantom and on the case alone; so does every byte.

    Both examinations of a patient show the same body, with another uptake and perhaps other arms.
    """
    phantom, scanner, facts = options_of(study, Options), SCANNERS[case.scanner], facts_of(case, study.seed)
    random = np.random.default_rng(derive_seed(study.seed, "phantom case", case.origin))
    own = np.random.default_rng(derive_seed(study.seed, "phantom body", case.body))
    body = draw_body(
        phantom.shape_mm,
        phantom.spacing_mm,
        age=case.age,
        sex=case.sex,
        stout=facts.stout,
        arms=facts.arms,
        random=own,
    )
    density, levels = draw_density(body, own), draw_levels(body, facts, case.age, random)
    filling = float(random.uniform(*FILLED_ML))
    uptake = draw_uptake(body.filled(body.frame.bladder_ml + filling), levels, random)
    foci = draw_foci(body, case.levels, random)
    for focus in foci:
        focus.paint(density, uptake)
    breath = float(random.normal(0, BREATH_MM)) * body.frame.scale
    pose = draw_pose(6, 2, np.zeros(3), random)
    fine, coarse = (lay_grid(scanner, body.frame.grid, phantom.spacing_mm * by, pose) for by in (1.0, COARSER))
    ct = scan_ct(scan(density - np.float32(AIR_HU), body.frame.grid, fine, pose), scanner, fine, random)
    pet = _pet(_blurred(breathe(uptake, body, breath), scanner, phantom.spacing_mm), body, scanner, facts, random)
    on_pet = study.channels[study.reference].modality == "pet"
    geometry = coarse if on_pet else fine
    shares = [breathe(focus.share, body, breath) if on_pet else focus.share for focus in foci]
    labels = labelled([scan(share, body.frame.grid, geometry, pose) for share in shares], geometry)
    known = {"uptake_suv": {name: round(suv, 4) for name, suv in levels.items()}, "breath_mm": breath}
    known |= {"filled_ml": filling, **facts.cells}
    return WholeBody(
        ct=Volume.on(fine, ct),
        pet=Volume.on(coarse, stored_pet(scan(pet, body.frame.grid, coarse, pose))),
        lesions=Volume.on(geometry, labels),
        regions=Volume.on(geometry, _regions(body, geometry, pose)),
        truth=truth_of(case, foci, labels, geometry, pose) | known,
    )


def breathe(image: Array, body: Body, breath_mm: float) -> Array:
    """Return ``image`` (z, y, x) with what lies at the diaphragm moved up by ``breath_mm``, and less away from it.

    The displacement falls to nothing 90 mm above the dome and 200 mm below it.
    """
    frame = body.frame
    t = frame.axes[2].ravel().astype(float)
    weight = np.interp(t, [frame.dome - 90, frame.dome, frame.dome + 60, frame.dome + 200], [0, 1, 1, 0])
    return moved_along_z(image, np.arange(len(t)) - breath_mm * weight / frame.grid.step)


def _blurred(uptake: Array, scanner: Tomographs, spacing_mm: float) -> Array:
    return np.asarray(ndimage.gaussian_filter(uptake, scanner.fwhm_mm * FWHM_TO_SD / spacing_mm), np.float32)


def bed_noise(body: Body, random: Generator) -> Array:
    """Return by how much the noise of each slice (z, 1, 1) exceeds the usual: one factor for each bed position."""
    t = body.frame.axes[2].ravel()
    beds = np.floor((t - t.min()) / BED_MM).astype(int)
    factors = np.exp(BED_NOISE * random.standard_normal(int(beds.max()) + 1))
    return np.asarray(factors[beds][:, None, None], np.float32)


def _pet(uptake: Array, body: Body, scanner: Tomographs, facts: Facts, random: Generator) -> Array:
    """Return blurred ``uptake`` (z, y, x), SUV, with noise that grows with the square root of counts and the weight."""
    noise = ndimage.gaussian_filter(random.standard_normal(uptake.shape).astype(np.float32), 0.8)
    noise *= np.float32(scanner.noise * np.sqrt(facts.weight / USUAL_KG)) / np.float32(noise.std())
    return np.asarray(uptake * np.float32(scanner.gain) + noise * bed_noise(body, random) * np.sqrt(uptake), np.float32)


def _regions(body: Body, geometry: Geometry, pose: Pose) -> NDArray[np.uint8]:
    """Return the number (z, y, x) of the region of each voxel of the body, 0 outside."""
    frame = body.frame
    borders = [CHIN, APEX, frame.dome + HALFWAY, CREST, CROTCH]
    level = np.searchsorted(borders, frame.axes[2].ravel()).astype(np.float32)[:, None, None]
    level = np.broadcast_to(level, frame.grid.shape)
    inside = scan(body.paint(dict.fromkeys({one.tissue for one in body.layers}, 1.0), 0.0), frame.grid, geometry, pose)
    labels = np.rint(scan(np.asarray(level, np.float32), frame.grid, geometry, pose)).astype(np.uint8) + 1
    labels[inside < 0.5] = 0
    for name, tissues in ORGANS.items():
        labels[scan(body.share(*tissues), frame.grid, geometry, pose) >= 0.5] = REGIONS.index(name) + 1
    return np.asarray(labels, np.uint8)
