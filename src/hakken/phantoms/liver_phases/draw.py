"""One case of three-phase liver CT, from its seed to its images and its truth.

Densities are in Hounsfield units, lengths in mm. Between two phases the patient breathes: what hangs on the diaphragm
moves up or down, the wall and the spine stay, and the whole body shifts a little. So an image of one phase lies on
another only after registration, and only where that follows the organs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from scipy import ndimage

from hakken.anatomy.abdomen import breathe
from hakken.anatomy.scanners import Machine, Pose, draw_pose, lay_grid, scan
from hakken.anatomy.shapes import Array, Points
from hakken.core.seeds import derive_seed
from hakken.core.volume import Geometry, Volume
from hakken.phantoms import PhantomCase, options_of
from hakken.phantoms.liver_phases import Options
from hakken.phantoms.liver_phases.lesions import Placed, draw_tumour, place_tumour
from hakken.phantoms.liver_phases.liver import AIR_HU, Abdomen, draw_abdomen
from hakken.study import Study

PHASES = ("unenhanced", "early", "late")
CONVENTION = (
    "where the centre of the lesion lies in the image of each phase; x, y, z in mm, LPS; breathing moves a point p of "
    "the body by mobility(p) * breath"
)
HALF = 0.5
"""The share of a voxel from which on it belongs to a region."""
BODY_SHARE = 0.3
"""Share of the largest displacement that the whole body may shift; the rest is breathing."""


@dataclass(frozen=True)
class Tomograph(Machine):
    """One CT scanner; ``noise`` is its SD in HU. ``kernel_mm``: SD of its blur; ``grain_mm``: that of the noise's."""

    kernel_mm: float
    grain_mm: float


SCANNERS = {
    "A": Tomograph(noise=9.0, bias=0.0, slices=1.0, gain=1.0, axes=np.eye(3), kernel_mm=0.8, grain_mm=0.8),
    "B": Tomograph(noise=12.0, bias=0.0, slices=1.25, gain=1.0, axes=np.eye(3), kernel_mm=0.6, grain_mm=0.6),
    "C": Tomograph(
        noise=10.0, bias=0.0, slices=1.5, gain=1.0, axes=np.diag([-1.0, -1.0, 1.0]), kernel_mm=1.0, grain_mm=1.0
    ),
}


@dataclass(frozen=True)
class ThreePhases:
    """The images of one case, int16 HU, by phase; lesion labels on the unenhanced one; what is true (for JSON).

    ``regions`` are those of the study on the unenhanced image, uint8; 0 everywhere where it names none.
    """

    phases: dict[str, Volume]
    lesions: Volume
    truth: dict[str, Any]
    regions: Volume

    def images(self, study: Study) -> dict[str, Volume]:
        """Return the images of the study's channels, which have the names of the phases."""
        return {name: self.phases[name] for name in study.channels}


def draw_case(case: PhantomCase, study: Study) -> ThreePhases:
    """Draw one case. It depends on the study's seed and phantom and on the case alone; so does every byte.

    Both examinations of a patient show the same body.
    """
    phantom = options_of(study, Options)
    scanner = SCANNERS[case.scanner]
    body = np.random.default_rng(derive_seed(study.seed, "phantom body", case.body))
    random = np.random.default_rng(derive_seed(study.seed, "phantom case", case.origin))
    abdomen = draw_abdomen(phantom.shape_mm, phantom.spacing_mm, body)
    tumour = draw_tumour(case.kind, case.levels[0], abdomen.scale, random)
    placed = place_tumour(tumour, abdomen.liver, abdomen.liver_hu, abdomen.grid, random)
    lying = draw_pose(5, 2, np.zeros(3), random)
    geometry = lay_grid(scanner, abdomen.grid, phantom.spacing_mm, lying)
    phases, centres = {}, {}
    for number, phase in enumerate(PHASES):
        breath = _breath(phantom.displacement_mm, random) if number else np.zeros(3)
        pose = _moved(lying, phantom.displacement_mm, phantom.displacement_degrees, random) if number else lying
        density = abdomen.density[number] + (placed.density[number] - abdomen.density[number]) * placed.share
        lifted = np.asarray(density - np.float32(AIR_HU), np.float32)  # in HU above air: beyond the grid is air
        shown = scan(breathe(lifted, abdomen.mobility, abdomen.grid, breath), abdomen.grid, geometry, pose)
        phases[phase] = Volume.on(geometry, _stored(shown, scanner, geometry, random))
        there = placed.centre + abdomen.grid.sample(abdomen.mobility, placed.centre[None])[0] * breath
        centres[phase] = np.round(pose.apply(there[None])[0], 4).tolist()
    share = scan(placed.share, abdomen.grid, geometry, lying)
    labels = (share >= min(0.5, float(share.max()))).astype(np.int16)
    truth = _truth(case, placed, labels, geometry, centres)
    regions = _regions(abdomen, geometry, lying, study.cohort.regions)
    return ThreePhases(phases, Volume.on(geometry, labels), truth, Volume.on(geometry, regions))


def _regions(abdomen: Abdomen, geometry: Geometry, lying: Pose, names: tuple[str, ...]) -> NDArray[np.uint8]:
    """Return the labels (z, y, x) of the regions ``names``: the trunk is what is no air and not the liver."""
    labels = np.zeros(geometry.shape_zyx, np.uint8)
    tissue = np.asarray(abdomen.density[0] > AIR_HU / 2, np.float32)
    for name, share in (("trunk", tissue), ("liver", abdomen.liver)):
        if name in names:
            labels[scan(share, abdomen.grid, geometry, lying) >= HALF] = names.index(name) + 1
    return labels


def _breath(largest_mm: float, random: Generator) -> Points:
    """Return how far the diaphragm has moved since the unenhanced phase, x, y, z in mm: mostly up or down."""
    way = (1 - BODY_SHARE) * largest_mm * random.uniform(0.4, 1) * random.choice([-1, 1])
    return np.array([0.05 * random.normal() * largest_mm, -0.25 * way, way])


def _moved(lying: Pose, largest_mm: float, largest_degrees: float, random: Generator) -> Pose:
    """Return how the body lies in a later phase."""
    moved = draw_pose(BODY_SHARE * largest_mm, largest_degrees, lying.shift, random)
    return Pose(moved.rotation @ lying.rotation, moved.apply(lying.shift[None])[0], np.zeros(3))


def _stored(density: Array, scanner: Tomograph, geometry: Geometry, random: Generator) -> NDArray[np.int16]:
    """Return ``density`` (z, y, x), in HU above air, as the scanner stores it: in HU, blurred, with grainy noise."""
    spacing = np.asarray(geometry.spacing[::-1])
    blurred = ndimage.gaussian_filter(density, scanner.kernel_mm / spacing)
    grain = random.standard_normal(density.shape).astype(np.float32)
    grain = ndimage.gaussian_filter(grain, scanner.grain_mm / spacing)
    grain *= np.float32(scanner.noise) / np.float32(grain.std())
    return np.asarray(np.round(np.clip(blurred + np.float32(AIR_HU) + grain, -1024, 3071)), np.int16)


def _truth(
    case: PhantomCase, placed: Placed, labels: NDArray[np.int16], geometry: Geometry, centres: dict[str, list[float]]
) -> dict[str, Any]:
    """Return what is true of the case; the lesion's centre x, y, z in mm, LPS, in the unenhanced image."""
    tumour = placed.tumour
    lesion = {
        "lesion": 1,
        "class": tumour.kind,
        "centre": centres[PHASES[0]],
        "centre_by_phase": centres,
        "diameter_mm": round(tumour.diameter_mm, 3),
        "volume_mm3": round(int((labels > 0).sum()) * geometry.voxel_mm3, 3),
        "contrast_hu": [round(value, 2) for value in tumour.contrast],
        "capsule": tumour.capsule,
        "rim": tumour.rim,
        "necrosis": tumour.necrosis,
    }
    return {"case_id": case.case_id, "scanner": case.scanner, "lesions": [lesion], "displacement": CONVENTION}
