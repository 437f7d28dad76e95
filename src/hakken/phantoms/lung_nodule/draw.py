"""One chest with nodules, from its seed to its image and its truth. Nothing is written here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from scipy import ndimage

from hakken.anatomy.scanners import Machine, Pose, draw_pose, lay_grid, scan
from hakken.anatomy.shapes import Array, Grid
from hakken.anatomy.tomographs import AIR_HU, scan_ct
from hakken.core.seeds import derive_seed
from hakken.core.volume import Geometry, Volume
from hakken.phantoms import OneImage, PhantomCase, options_of
from hakken.phantoms.lung_nodule import Options
from hakken.phantoms.lung_nodule.contrast import (
    MAGNETS,
    TOMOGRAPHS,
    ct_of,
    mr_of,
    sliced,
    through_mr,
)
from hakken.phantoms.lung_nodule.lidc import lidc_shapes
from hakken.phantoms.lung_nodule.lungs import Lungs, draw_lungs
from hakken.phantoms.lung_nodule.nodules import Nodule, Shapes, draw_nodules, drawn_shape
from hakken.study import Study


@dataclass(frozen=True)
class _Scene:
    """What lies in a scanner: a chest with nodules, as the patient's pose moves it."""

    lungs: Lungs
    nodules: tuple[Nodule, ...]
    pose: Pose
    phantom: Options

    def grid(self, scanner: Machine) -> Geometry:
        """Return a scanner's grid over the part of the chest that is imaged."""
        step = self.lungs.chest.frame.grid.step
        x, y, z = (round(extent / step) for extent in self.phantom.shape_mm)
        return lay_grid(scanner, Grid((z, y, x), step), self.phantom.spacing_mm, self.pose)

    def scan(self, image: Array, geometry: Geometry) -> Array:
        """Return an image (z, y, x) of the chest's grid on the scanner's."""
        return scan(image, self.lungs.chest.frame.grid, geometry, self.pose)


def draw_case(case: PhantomCase, study: Study) -> OneImage:
    """Draw one case: the same case and study give the same bytes."""
    phantom = options_of(study, Options)
    body = np.random.default_rng(derive_seed(study.seed, "phantom chest", case.body))
    random = np.random.default_rng(derive_seed(study.seed, "phantom case", case.origin))
    lungs = draw_lungs(phantom, case.age, body)
    shapes: Shapes = lidc_shapes() if phantom.shapes == "lidc" else drawn_shape
    nodules = draw_nodules(lungs, case.levels, shapes, random)
    scene = _Scene(lungs, nodules, draw_pose(6, 3, np.zeros(3), random), phantom)
    on_mr = study.channels[study.reference].modality == "mr"
    geometry, image = (_mr if on_mr else _ct)(scene, case.scanner, random)
    return OneImage(
        image=Volume.on(geometry, image),
        lesions=Volume.on(geometry, _labels(scene, geometry)),
        truth=_truth(case, scene, geometry),
    )


def _ct(scene: _Scene, name: str, random: Generator) -> tuple[Geometry, NDArray[np.int16]]:
    """Return the grid of a CT scanner and what it shows."""
    scanner = TOMOGRAPHS[name]
    geometry = scene.grid(scanner)
    density = ct_of(scene.lungs, scene.nodules, random) - np.float32(AIR_HU)
    return geometry, scan_ct(scene.scan(density, geometry), scanner, geometry, random)


def _mr(scene: _Scene, name: str, random: Generator) -> tuple[Geometry, NDArray[np.int16]]:
    """Return the grid of an MR scanner and what it shows; a slice is the mean over its thickness."""
    scanner = sliced(MAGNETS[name], scene.phantom.spacing_mm)
    geometry = scene.grid(scanner)
    sigma = scanner.slice_mm / np.sqrt(12) / scene.lungs.chest.frame.grid.step
    image, moving = (
        scene.scan(np.asarray(ndimage.gaussian_filter1d(each, sigma, axis=0)), geometry)
        for each in mr_of(scene.lungs, scene.nodules, random)
    )
    return geometry, through_mr((image, moving), scanner, geometry, random)


def _labels(scene: _Scene, geometry: Geometry) -> NDArray[np.int16]:
    """Return n (z, y, x) in nodule n: as many of its fullest voxels as make up its volume, one at least."""
    labels = np.zeros(geometry.shape_zyx, np.int16)
    lungs, grid = scene.lungs, scene.lungs.chest.frame.grid
    for number, nodule in enumerate(scene.nodules, start=1):
        whole = np.zeros(grid.shape, np.float32)
        box, share, _ = nodule.share(grid)
        whole[box] = share * lungs.lung[box]
        seen = np.where(labels == 0, scene.scan(whole, geometry), 0).ravel()
        count = max(1, round(float(whole.sum()) * grid.step**3 / geometry.voxel_mm3))
        labels.ravel()[np.argsort(-seen, kind="stable")[:count]] = number
    return labels


def _truth(case: PhantomCase, scene: _Scene, geometry: Geometry) -> dict[str, Any]:
    """Return what is true of the case; centres of nodules x, y, z in mm, LPS, in the space of the image."""
    found = [
        {
            "lesion": number,
            "centre": np.round(scene.pose.apply(nodule.centre[None])[0], 4).tolist(),
            **nodule.describe(),
        }
        for number, nodule in enumerate(scene.nodules, start=1)
    ]
    return {
        "case_id": case.case_id,
        "scanner": case.scanner,
        "voxel_mm3": round(geometry.voxel_mm3, 4),
        "lesions": found,
        "pose": np.round(scene.pose.matrix, 9).tolist(),
    }
