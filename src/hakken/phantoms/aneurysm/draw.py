"""One case of time-of-flight MR angiography with aneurysms, from its seed to its image and its truth.

Blood that flows into a slab is bright, tissue within it is saturated. The model holds what this entails: arteries that
fade along their way, dark slow blood in large sacs, slabs whose signal falls from entry to exit (venetian blind), and
ghosts of pulsating arteries along the phase axis.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from hakken.anatomy.head import Anatomy, draw_anatomy, paint_tissues
from hakken.anatomy.scanners import Machine, Pose, draw_pose, lay_grid, scan, spoil
from hakken.anatomy.shapes import Array, Grid, Points, ellipsoid, occupancy, smooth_field
from hakken.anatomy.tubes import Lumen, Tubes, join, paint_tubes
from hakken.core.seeds import derive_seed
from hakken.core.volume import Geometry, Volume
from hakken.phantoms import OneImage, PhantomCase, options_of
from hakken.phantoms.aneurysm import Options
from hakken.phantoms.aneurysm.aneurysms import Placed, Sac, draw_aneurysms, paint_sac
from hakken.phantoms.aneurysm.arteries import Arteries, draw_arteries
from hakken.phantoms.aneurysm.mimics import Mimics, draw_mimics
from hakken.study import Study

TISSUE_MM = 1.2
GHOST = 0.17


@dataclass(frozen=True)
class Angiograph(Machine):
    """One scanner. Intensities are relative to white matter.

    ``tissues``: scalp fat, muscle, skull, marrow, fluid, grey matter, nuclei. ``blood``: fast arterial flow, ``vein``
    relative to it. ``slab_mm``: thickness of a slab, ``fall``: the fraction of the blood's signal lost in it,
    ``edge``: the loss of all signal where slabs meet, ``ghost``: strength of pulsation ghosts.
    """

    tissues: tuple[float, float, float, float, float, float, float]
    blood: float
    vein: float
    slab_mm: float
    fall: float
    edge: float
    ghost: float


SCANNERS = {
    "A": Angiograph(
        tissues=(0.95, 0.70, 0.12, 0.45, 0.45, 1.05, 1.00),
        blood=3.0,
        vein=0.40,
        slab_mm=32,
        fall=0.20,
        edge=0.05,
        ghost=0.02,
        noise=0.10,
        bias=0.16,
        slices=1.0,
        gain=210,
        axes=np.eye(3),
    ),
    "B": Angiograph(
        tissues=(0.80, 0.75, 0.10, 0.50, 0.50, 1.08, 1.02),
        blood=2.5,
        vein=0.46,
        slab_mm=40,
        fall=0.28,
        edge=0.07,
        ghost=0.03,
        noise=0.13,
        bias=0.12,
        slices=1.2,
        gain=95,
        axes=Rotation.from_euler("xz", [-9, 2], degrees=True).as_matrix(),
    ),
    "C": Angiograph(
        tissues=(1.10, 0.80, 0.15, 0.60, 0.42, 1.04, 0.99),
        blood=3.4,
        vein=0.34,
        slab_mm=26,
        fall=0.16,
        edge=0.04,
        ghost=0.025,
        noise=0.08,
        bias=0.28,
        slices=1.4,
        gain=340,
        axes=np.diag([-1.0, -1.0, 1.0]),
    ),
}


@dataclass(frozen=True)
class Subject:
    """A head with its arteries, aneurysms and what looks like them, in the head's space."""

    anatomy: Anatomy
    arteries: Arteries
    mimics: Mimics
    sacs: tuple[Sac, ...]


def draw_case(case: PhantomCase, study: Study) -> OneImage:
    """Draw one case. It depends on the study's seed and phantom and on the case alone; so does every byte.

    Both examinations of a patient show the same head and the same arteries. Tissue is drawn on voxels of at least
    1.2 mm, blood on the scanner's own.
    """
    phantom = options_of(study, Options)
    scanner = SCANNERS[case.scanner]
    head = np.random.default_rng(derive_seed(study.seed, "phantom head", case.body))
    random = np.random.default_rng(derive_seed(study.seed, "phantom case", case.origin))
    anatomy = draw_anatomy(phantom.shape_mm, max(phantom.spacing_mm, TISSUE_MM), case.age, head)
    arteries = draw_arteries(anatomy, head)
    mimics = draw_mimics(anatomy, arteries, scanner.vein, head)
    subject = Subject(anatomy, arteries, mimics, draw_aneurysms(arteries, case.levels, random))
    pose = draw_pose(6, 5, np.zeros(3), random)
    grid = Placed(lay_grid(scanner, _extent(anatomy.grid, phantom.spacing_mm), phantom.spacing_mm, pose), pose)
    lumen, labels = _blood(subject, grid)
    image = scan(_tissue(subject, scanner, random), anatomy.grid, grid.geometry, pose)
    _expose(image, lumen, scanner, grid.geometry, random)
    return OneImage(
        image=Volume.on(grid.geometry, spoil(image, scanner, grid.geometry, random)),
        lesions=Volume.on(grid.geometry, labels),
        truth=_truth(case, subject, pose),
    )


def _extent(coarse: Grid, step: float) -> Grid:
    """Return the grid of the head's size on voxels of ``step`` mm."""
    z, y, x = (round(size * coarse.step / step) for size in coarse.shape)
    return replace(coarse, shape=(z, y, x), step=step)


def _tissue(subject: Subject, scanner: Angiograph, random: Generator) -> Array:
    """Return the head without blood (z, y, x) on its own grid: tissues, and cistern and bone around the circle."""
    image = paint_tissues(subject.anatomy, [value * random.uniform(0.97, 1.03) for value in scanner.tissues])
    grid, scale, centre = subject.anatomy.grid, subject.arteries.reach, subject.arteries.centre
    _, _, skull, marrow, fluid, _, _ = scanner.tissues
    uneven = np.float32(1.5 * scale) * smooth_field(grid.shape, grid.step, 14, random)
    for place, size, value in (
        ((0, 0, -4), (15, 15, 7), fluid),
        ((0, 12, -24), (12, 7, 16), fluid),
        ((0, -12, -31), (23, 18, 15), marrow),
        ((0, -19, -26), (12, 11, 9), 0.3 * skull),
        ((0, -8, -16), (6, 5, 4), 1.15),
    ):
        body = ellipsoid(grid.axes(), tuple(centre + scale * np.array(place)), tuple(scale * np.array(size)))
        share = occupancy(body + uneven, grid.step) * subject.anatomy.wall.skull
        image += (np.float32(value) - image) * share
    return image


def _blood(subject: Subject, grid: Placed) -> tuple[Lumen, NDArray[np.int16]]:
    """Paint vessels, mimics and aneurysms on the scanner's grid; return them and the labels (z, y, x)."""
    lumen = Lumen.empty(grid.geometry)
    vessels: Tubes = join([subject.arteries.tubes, subject.mimics.tubes])
    paint_tubes(lumen, vessels, grid.geometry, grid.pose)
    labels = np.zeros(grid.geometry.shape_zyx, np.int16)
    for number, sac in enumerate(subject.sacs, start=1):
        labels[tuple(paint_sac(lumen, sac, subject.arteries.tubes, grid).T)] = number
    return lumen, labels


def _expose(image: Array, lumen: Lumen, scanner: Angiograph, geometry: Geometry, random: Generator) -> None:
    """Add blood, slabs and ghosts to ``image`` (z, y, x) in place; slabs are stacked along its z axis."""
    level = (np.arange(geometry.shape_zyx[0]) * geometry.spacing[2] / scanner.slab_mm + random.random())[:, None, None]
    place = level % 1
    entry = 1 - scanner.fall * place**1.5
    seam = 1 - scanner.edge * np.exp(-((np.minimum(place, 1 - place) / 0.07) ** 2))
    blood = lumen.signal * np.float32(scanner.blood * random.uniform(0.92, 1.08)) * entry.astype(np.float32)
    image *= 1 - lumen.share
    image += blood
    shift = round(GHOST * geometry.shape_zyx[1])
    for sign in (-1, 1):
        image += np.float32(scanner.ghost) * np.roll(blood, sign * shift, axis=1)
    image *= seam.astype(np.float32)


def _truth(case: PhantomCase, subject: Subject, pose: Pose) -> dict[str, Any]:
    """Return what is true of the case; places x, y, z in mm, LPS, in the space of the image."""
    return {
        "case_id": case.case_id,
        "scanner": case.scanner,
        "lesions": [
            {"lesion": number, "centre": _rounded(sac.centre, pose), **sac.describe()}
            for number, sac in enumerate(subject.sacs, start=1)
        ],
        "mimics": [{"kind": kind, "centre": _rounded(place, pose)} for kind, place in subject.mimics.places],
        "variants": subject.arteries.variants,
    }


def _rounded(place: Points, pose: Pose) -> list[float]:
    return [round(float(value), 4) for value in pose.apply(place[None])[0]]
