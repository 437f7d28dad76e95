"""One chest X-ray, from its seed to its image and its truth. Nothing is written here.

Both examinations of a patient show the same chest, in another stance and exposure. Findings have random numbers of
their own: the same case without them is the same image but for what they change.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from hakken.anatomy.chest_film import FilmChest, Shadows, View, draw_film_chest
from hakken.anatomy.rays import Detector, draw_stance, exposed
from hakken.anatomy.scanners import labelled
from hakken.anatomy.shapes import Array
from hakken.core.seeds import derive_seed
from hakken.core.volume import Geometry, Volume
from hakken.phantoms import OneImage, PhantomCase, options_of
from hakken.phantoms.chest_xray import Finding, Options
from hakken.phantoms.chest_xray.masses import draw_masses, painted
from hakken.study import Study

HIGHEST = 4095
"""The largest number that a detector stores; the smallest is 0."""


@dataclass(frozen=True)
class Machine:
    """How a detector measures: photons on each mm², scattered part, blur in mm, and how attenuation becomes numbers."""

    photons: float
    scatter: float
    blur_mm: float
    gain: float
    offset: float


MACHINES = {
    "A": Machine(photons=2.4e4, scatter=0.10, blur_mm=0.25, gain=620, offset=420),
    "B": Machine(photons=1.2e4, scatter=0.16, blur_mm=0.35, gain=680, offset=260),
    "C": Machine(photons=1.8e4, scatter=0.07, blur_mm=0.45, gain=560, offset=520),
}


@dataclass(frozen=True)
class Found:
    """What an image shows: the attenuation, the share (rows, columns) of pixels of each finding, and their truths."""

    attenuation: Array
    shares: tuple[Array, ...]
    truths: tuple[dict[str, Any], ...]


def draw_case(case: PhantomCase, study: Study) -> OneImage:
    """Draw one image. It depends on the study's seed and phantom and on the case alone; so does every byte."""
    phantom = options_of(study, Options)
    body = np.random.default_rng(derive_seed(study.seed, "phantom chest", case.body))
    random = np.random.default_rng(derive_seed(study.seed, "phantom film", case.origin))
    chest = draw_film_chest(case.sex, case.age, body)
    stance = draw_stance(6, 2.5, random)
    columns, rows = (max(round(size / phantom.spacing_mm), 8) for size in phantom.shape_mm[:2])
    detector = Detector((rows, columns), phantom.spacing_mm)
    machine, exposure = MACHINES[case.scanner], (float(random.uniform(0.8, 1.2)), float(random.normal(0, 60)))
    of_findings = np.random.default_rng(derive_seed(study.seed, "phantom findings", case.origin))
    found = _shown(case, phantom, View(chest, stance, detector), of_findings)
    geometry = Geometry((1, rows, columns), (detector.step, detector.step, 1.0))
    labels = labelled([share[None] for share in found.shares], geometry)
    return OneImage(
        image=Volume.on(geometry, _developed(found.attenuation, detector, machine, exposure, random)[None]),
        lesions=Volume.on(geometry, labels),
        truth={
            "case_id": case.case_id,
            "scanner": case.scanner,
            "sex": case.sex,
            "exposure": {"gain": round(exposure[0], 4), "offset": round(exposure[1], 2)},
            "lesions": [
                {"lesion": number, **told, "centre": _centre(labels == number, geometry)}
                for number, told in enumerate(found.truths, start=1)
            ],
        },
    )


def _shown(case: PhantomCase, phantom: Options, view: View, random: Generator) -> Found:
    """Return what the rays go through, the finding of the case, if it has one, among it."""
    finding = _finding(case, phantom)
    if finding != "mass":
        shadows = replace(view, chest=_changed(view.chest, finding, random)).shadows()
        return Found(
            shadows.attenuation,
            (_region(finding, shadows),) if finding else (),
            ({"class": finding},) if finding else (),
        )
    shadows, kinds = view.shadows(), len(phantom.findings)
    levels = tuple(replace(level, kind=level.kind * kinds % 1) for level in case.levels)
    masses = draw_masses(view, shadows, levels, phantom.diameters_mm, random)
    parts = [painted(mass, view.detector) for mass in masses]
    total = shadows.attenuation + np.sum([part.added for part in parts], axis=0)
    return Found(total, tuple(part.share for part in parts), tuple(mass.describe() for mass in masses))


def _finding(case: PhantomCase, phantom: Options) -> Finding | None:
    """Return what a case shows, by the level of its first lesion's kind; None where it is normal."""
    if not case.lesions:
        return None
    return phantom.findings[int(case.levels[0].kind * len(phantom.findings))]


def _changed(chest: FilmChest, finding: Finding | None, random: Generator) -> FilmChest:
    """Return the chest with what is abnormal in its organs."""
    build = chest.build
    if finding == "large_heart":
        return chest.with_build(replace(build, heart=build.heart * float(random.uniform(1.25, 1.45))))
    if finding == "mirrored_heart":
        return chest.with_build(replace(build, side=-1.0))
    if finding == "effusion":
        side, level = float(random.choice([-1, 1])), float(random.uniform(-45, 20))
        return chest.with_build(replace(build, fluid=(side, build.diaphragm + level * build.scale)))
    return chest


def _region(finding: Finding, shadows: Shadows) -> Array:
    """Return where (rows, columns) a finding of the organs is seen, 1 or 0."""
    seen = shadows.fluid > 8 if finding == "effusion" else shadows.heart > 15
    return seen.astype(np.float32)


def _developed(
    attenuation: Array, detector: Detector, machine: Machine, exposure: tuple[float, float], random: Generator
) -> NDArray[np.int16]:
    """Return the numbers that are stored: attenuation times a gain, and an offset, cut to what can be stored."""
    seen = exposed(
        attenuation,
        detector,
        photons=machine.photons,
        scatter=machine.scatter,
        blur_mm=machine.blur_mm,
        random=random,
    )
    gain, offset = exposure
    stored = machine.offset + offset + machine.gain * gain * seen
    return np.asarray(np.clip(np.rint(stored), 0, HIGHEST), np.int16)


def _centre(within: NDArray[np.bool_], geometry: Geometry) -> list[float] | None:
    """Return the middle of the pixels of a finding, x, y, z in mm."""
    voxels = np.argwhere(within)
    return np.round(geometry.to_world(voxels).mean(0), 4).tolist() if len(voxels) else None
