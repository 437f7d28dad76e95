"""One case of the phantom, from its seed to its images and its truth. Nothing is written here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from hakken.anatomy.head import Anatomy, draw_anatomy, paint_tissues
from hakken.anatomy.scanners import SCANNERS, Pose, Scanner, draw_pose, lay_grid, scan, spoil
from hakken.anatomy.shapes import Array
from hakken.core.seeds import derive_seed
from hakken.core.volume import Geometry, Volume
from hakken.phantoms import PhantomCase, options_of
from hakken.phantoms.brain_metastasis import Options
from hakken.phantoms.brain_metastasis.lesions import Metastasis, draw_metastases, draw_spots, paint
from hakken.phantoms.brain_metastasis.vessels import Vessels, draw_vessels
from hakken.study import Study

CONVENTION = (
    "maps points of the enhanced channel (fixed) to points of the plain channel (moving); x, y, z, 1 in mm, LPS; "
    "p -> rotation (p - centre) + centre + translation"
)


@dataclass(frozen=True)
class Drawing:
    """The images of one case and what is true of it (plain values, for JSON).

    ``enhanced`` and ``plain`` are int16; ``lesions`` int16 on the grid of ``enhanced``, n for lesion n.
    """

    enhanced: Volume
    plain: Volume
    lesions: Volume
    truth: dict[str, Any]

    def images(self, study: Study) -> dict[str, Volume]:
        """Return the images of the study's channels: the reference with contrast agent, the other one without."""
        return {name: self.enhanced if name == study.reference else self.plain for name in study.channels}


@dataclass(frozen=True)
class Subject:
    """A head with its lesions, and what it would look like on an ideal scanner, in the head's space."""

    anatomy: Anatomy
    lesions: tuple[Metastasis, ...]
    enhanced: Array
    plain: Array


def draw_case(case: PhantomCase, study: Study) -> Drawing:
    """Draw one case. It depends on the study's seed and phantom and on the case alone; so does every byte.

    Both examinations of a patient show the same head.
    """
    phantom = options_of(study, Options)
    head = np.random.default_rng(derive_seed(study.seed, "phantom head", case.patient))
    random = np.random.default_rng(derive_seed(study.seed, "phantom case", case.index))
    anatomy = draw_anatomy(phantom.shape_mm, phantom.spacing_mm, case.age, head)
    vessels = draw_vessels(anatomy, head)
    lesions = draw_metastases(anatomy, vessels, case.lesions, random)
    scanner = SCANNERS[case.scanner]
    enhanced, plain = _contrasts(anatomy, vessels, scanner, random)
    for body in (*draw_spots(anatomy, random), *lesions):
        paint(body, anatomy, enhanced, plain)
    return _scanned(case, phantom, Subject(anatomy, lesions, enhanced, plain), random)


def _contrasts(anatomy: Anatomy, vessels: Vessels, scanner: Scanner, random: Generator) -> tuple[Array, Array]:
    """Return the two channels of a head without lesions: enhanced and plain, white matter at 1."""
    plain = paint_tissues(anatomy, [value * random.uniform(0.97, 1.03) for value in scanner.tissues])
    enhanced = plain * (1 + np.float32(0.05) * (anatomy.grey - anatomy.white))
    timing = random.uniform(0.85, 1.1)
    enhanced += (np.float32(scanner.membrane * timing) - enhanced) * vessels.membrane
    enhanced += (np.float32(scanner.blood * timing) - enhanced) * vessels.blood
    plain += (np.float32(scanner.flow) - plain) * vessels.blood
    return enhanced, plain


def _scanned(
    case: PhantomCase,
    phantom: Options,
    subject: Subject,
    random: Generator,
) -> Drawing:
    """Put the head into the scanner twice, moved in between, and return what comes out."""
    scanner, grid = SCANNERS[case.scanner], subject.anatomy.grid
    lying = draw_pose(8, 4, np.zeros(3), random)
    moved = draw_pose(phantom.displacement_mm, phantom.displacement_degrees, lying.shift, random)
    later = Pose(moved.rotation @ lying.rotation, moved.apply(lying.shift[None])[0], np.zeros(3))
    geometry = lay_grid(scanner, grid, phantom.spacing_mm, lying)
    enhanced = spoil(scan(subject.enhanced, grid, geometry, lying), scanner, geometry, random)
    plain = spoil(scan(subject.plain, grid, geometry, later), scanner, geometry, random)
    places = lying.apply(np.array([lesion.blob.centre for lesion in subject.lesions]).reshape(-1, 3))
    return Drawing(
        enhanced=Volume.on(geometry, enhanced),
        plain=Volume.on(geometry, plain),
        lesions=Volume.on(geometry, label(subject.lesions, geometry, lying)),
        truth=_truth(case, subject.lesions, places, moved),
    )


def label(lesions: tuple[Metastasis, ...], geometry: Geometry, pose: Pose) -> NDArray[np.int16]:
    """Return the lesion labels (z, y, x) on ``geometry``: n in voxels whose centre is in lesion n, at least in one."""
    labels = np.zeros(geometry.shape_zyx, np.int16)
    for number, lesion in enumerate(lesions, start=1):
        centre = np.asarray([lesion.blob.centre])
        middle = np.round(geometry.to_voxel(pose.apply(centre))[0]).astype(int)
        reach = np.ceil(1.6 * lesion.blob.radius / np.asarray(geometry.spacing)[::-1]).astype(int) + 1
        low = np.clip(middle - reach, 0, None)
        axes = [
            np.arange(start, stop)
            for start, stop in zip(low, np.minimum(middle + reach + 1, labels.shape), strict=True)
        ]
        voxels = np.stack(np.meshgrid(*axes, indexing="ij"), -1).reshape(-1, 3)
        distance = lesion.blob.distance(pose.undo(geometry.to_world(voxels)) - centre)
        inside = voxels[(distance < 0) | (distance == distance.min())]
        labels[tuple(inside.T)] = number
    return labels


def _truth(
    case: PhantomCase, lesions: tuple[Metastasis, ...], places: NDArray[np.float64], moved: Pose
) -> dict[str, Any]:
    """Return what is true of the case; lesion centres x, y, z in mm, LPS, in the space of the enhanced channel."""
    return {
        "case_id": case.case_id,
        "scanner": case.scanner,
        "lesions": [
            {"lesion": number, "centre": np.round(place, 4).tolist(), **lesion.describe()}
            for number, (lesion, place) in enumerate(zip(lesions, places, strict=True), start=1)
        ],
        "displacement": {
            "convention": CONVENTION,
            "matrix": np.round(moved.matrix, 9).tolist(),
            "rotation": np.round(moved.rotation, 9).tolist(),
            "centre": np.round(moved.centre, 6).tolist(),
            "translation": np.round(moved.shift, 6).tolist(),
        },
    }
