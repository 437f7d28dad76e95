"""One case of five-phase liver MR, from its seed to its images, its regions and its truth. Nothing is written here.

Lengths are in mm. The hepatobiliary phase is where the others are brought to: from phase to phase the patient breathes
a little otherwise, in the arterial phase most, and the whole body shifts. Lesions and regions are labelled there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from hakken.anatomy.abdomen import (
    Slab,
    breathe,
    draw_body,
    draw_liver,
    draw_mobility,
    draw_tree,
    lay_slab,
    layers,
)
from hakken.anatomy.scanners import Machine, Pose, draw_pose, labelled, lay_grid, scan, spoil
from hakken.anatomy.shapes import Array, Points, occupancy, smooth_field
from hakken.core.seeds import derive_seed
from hakken.core.volume import Geometry, Volume
from hakken.phantoms import PhantomCase, options_of
from hakken.phantoms.liver_eob import PHASES, REGIONS, Options
from hakken.phantoms.liver_eob.curves import Curve, draw_tissues
from hakken.phantoms.liver_eob.nodules import Placed, draw_lesions, draw_mimics, paint, place
from hakken.study import Study

REFERENCE = "hepatobiliary"
MOTION = {"pre": 0.6, "arterial": 1.0, "portal": 0.7, "transitional": 0.5, REFERENCE: 0.0}
"""The largest motion of each phase, as a share of `motion_mm`."""

BODY_SHARE = 0.3
"""Share of the motion that the whole body may shift; the rest is breathing."""

DUCTS, DUCT_MM = 16, 1.1
MOTTLED = 0.02
AIR = 0.02
CONVENTION = (
    "where the centre of each lesion lies in the image of each phase; x, y, z in mm, LPS; breathing moves a point p of "
    "the body by mobility(p) * breath, and the whole body by shift"
)


@dataclass(frozen=True)
class Magnet(Machine):
    """One MR scanner. ``tesla`` is its field; ``enhancement`` how much the contrast agent does there."""

    tesla: float
    enhancement: float


SCANNERS = {
    "A": Magnet(noise=0.05, bias=0.20, slices=1.0, gain=420, axes=np.eye(3), tesla=3.0, enhancement=1.05),
    "B": Magnet(
        noise=0.07, bias=0.15, slices=1.2, gain=900, axes=np.diag([-1.0, -1.0, 1.0]), tesla=1.5, enhancement=0.95
    ),
    "C": Magnet(
        noise=0.06,
        bias=0.30,
        slices=1.2,
        gain=160,
        axes=Rotation.from_euler("xz", [4, 3], degrees=True).as_matrix(),
        tesla=3.0,
        enhancement=1.1,
    ),
    "D": Magnet(
        noise=0.09,
        bias=0.12,
        slices=1.4,
        gain=60,
        axes=np.array([(1.0, 0.0, 0.0), (0.0, 0.0, 1.0), (0.0, -1.0, 0.0)]),
        tesla=1.5,
        enhancement=0.9,
    ),
}


@dataclass(frozen=True)
class FivePhases:
    """The images of one case, int16, by phase, and what is true of it (for JSON).

    ``lesions`` int16 and ``regions`` uint8, n for the n-th region of the study, lie on the grid of the hepatobiliary
    phase.
    """

    phases: dict[str, Volume]
    lesions: Volume
    regions: Volume
    truth: dict[str, Any]

    def images(self, study: Study) -> dict[str, Volume]:
        """Return the images of the study's channels, which have the names of the phases."""
        return {name: self.phases[name] for name in study.channels}


@dataclass(frozen=True, eq=False)
class Body:
    """A body with its nodules: ``signal`` (phase, z, y, x), the occupancies ``trunk`` and ``liver`` (z, y, x)."""

    slab: Slab
    signal: Array
    trunk: Array
    liver: Array
    mobility: Array
    lesions: list[Placed]
    mimics: list[Placed]


@dataclass(frozen=True, eq=False)
class Motion:
    """How a phase lies since the hepatobiliary one: the body's ``shift`` and the ``breath``, x, y, z in mm."""

    shift: Points
    breath: Points


@dataclass(frozen=True, eq=False)
class Visit:
    """A body on a scanner: the ``geometry`` of its images, how it is ``lying`` there, and its ``motions`` by phase."""

    body: Body
    scanner: Magnet
    geometry: Geometry
    lying: Pose
    motions: dict[str, Motion]

    def pose(self, phase: str) -> Pose:
        """Return how the body lies in a phase."""
        return Pose(self.lying.rotation, self.lying.shift + self.motions[phase].shift, self.lying.centre)

    def labelled(self, occupied: Array) -> Array:
        """Return an occupancy (z, y, x) of the body on the grid of the hepatobiliary phase."""
        return scan(occupied, self.body.slab.grid, self.geometry, self.lying)


def draw_case(case: PhantomCase, study: Study) -> FivePhases:
    """Draw one case. It depends on the study's seed and phantom and on the case alone; so does every byte.

    Both examinations of a patient show the same body.
    """
    phantom, scanner = options_of(study, Options), SCANNERS[case.scanner]
    random = np.random.default_rng(derive_seed(study.seed, "phantom case", case.origin))
    body = _body(case, phantom, scanner, study.seed, random)
    lying = draw_pose(5, 2, np.zeros(3), random)
    geometry = lay_grid(scanner, body.slab.grid, phantom.spacing_mm, lying)
    motions = {phase: _motion(MOTION[phase] * phantom.motion_mm, random) for phase in PHASES}
    visit = Visit(body, scanner, geometry, lying, motions)
    phases = {phase: Volume.on(geometry, _stored(visit, phase, random)) for phase in PHASES}
    labels = labelled([visit.labelled(one.whole(body.slab.grid)) for one in body.lesions], geometry)
    head = {"case_id": case.case_id, "scanner": case.scanner, "tesla": scanner.tesla}
    truth = head | _truth(visit, labels)
    regions = _regions(visit, study.cohort.regions or REGIONS)
    return FivePhases(phases, Volume.on(geometry, labels), Volume.on(geometry, regions), truth)


def _body(case: PhantomCase, phantom: Options, scanner: Magnet, seed: int, random: Generator) -> Body:
    """Draw a body with the lesions of a case and with mimics; its shapes are those of the patient."""
    own = np.random.default_rng(derive_seed(seed, "phantom body", case.body))
    slab = lay_slab(phantom.shape_mm, phantom.spacing_mm)
    skin = draw_body(slab, own)
    liver = draw_liver(slab, skin, own)
    tissues = _enhanced(draw_tissues(own), scanner)
    signal = np.full((len(PHASES), *slab.grid.shape), AIR, np.float32)
    for share, name in layers(slab, skin, liver, own):
        _lay(signal, share, tissues[name])
    _lay(signal, draw_tree(slab, liver, slab.hilum, DUCTS, own, tip_mm=DUCT_MM), tissues["duct"])
    mottled = smooth_field(slab.grid.shape, slab.grid.step, 9 * slab.scale, own) * liver
    signal += np.float32(MOTTLED) * mottled
    wanted = draw_lesions(case.levels, phantom.contrast, slab.scale, random)
    others = draw_mimics(tissues, phantom.contrast, slab.scale, random)
    lesions, mimics = place(wanted, others, liver, slab.grid, random)
    for nodule in (*mimics, *lesions):
        paint(signal, nodule, tissues["liver"])
    return Body(slab, signal, occupancy(skin, slab.grid.step), liver, draw_mobility(slab, skin), lesions, mimics)


def _enhanced(tissues: dict[str, Curve], scanner: Magnet) -> dict[str, Curve]:
    """Return what tissues show on a scanner, where the contrast agent does more or less."""
    return {name: curve[0] + (curve - curve[0]) * scanner.enhancement for name, curve in tissues.items()}


def _lay(signal: Array, share: Array, curve: Curve) -> None:
    for phase, value in enumerate(curve.tolist()):
        signal[phase] += (np.float32(value) - signal[phase]) * share


def _motion(largest_mm: float, random: Generator) -> Motion:
    """Draw a motion that takes no point further than ``largest_mm``: breathing up or down, and a shift of the body."""
    way = largest_mm * random.uniform(0.4, 1)
    upwards = random.choice([-1, 1]) * np.array([random.normal(0, 0.05), -0.25, 1.0])
    shift, breath = (one / np.linalg.norm(one) for one in (random.normal(size=3), upwards))
    return Motion(BODY_SHARE * way * shift, (1 - BODY_SHARE) * way * breath)


def _stored(visit: Visit, phase: str, random: Generator) -> NDArray[np.int16]:
    """Return a phase (z, y, x) as the scanner stores it; its amplifier is set anew for each."""
    body, motion = visit.body, visit.motions[phase]
    signal = body.signal[PHASES.index(phase)] - np.float32(AIR)  # 0 beyond the grid
    there = breathe(signal, body.mobility, body.slab.grid, motion.breath)
    shown = scan(there, body.slab.grid, visit.geometry, visit.pose(phase)) + np.float32(AIR)
    return spoil(shown * np.float32(random.uniform(0.9, 1.1)), visit.scanner, visit.geometry, random)


def _regions(visit: Visit, names: Sequence[str]) -> NDArray[np.uint8]:
    """Return n (z, y, x) in the n-th of the named regions, 0 elsewhere.

    The liver holds its lesions and vessels; where it has no name of its own, it belongs to the trunk.
    """
    labels = np.zeros(visit.geometry.shape_zyx, np.uint8)
    for name, occupied in (("trunk", visit.body.trunk), ("liver", visit.body.liver)):
        if name in names:
            labels[visit.labelled(occupied) >= 0.5] = names.index(name) + 1
    return labels


def _truth(visit: Visit, labels: NDArray[np.int16]) -> dict[str, Any]:
    """Return what is true of a case; centres x, y, z in mm, LPS."""
    lesions = []
    for number, placed in enumerate(visit.body.lesions, start=1):
        centres = _centres(visit, placed)
        volume = round(int((labels == number).sum()) * visit.geometry.voxel_mm3, 3)
        own = {"lesion": number, "centre": centres[REFERENCE], "centre_by_phase": centres, "volume_mm3": volume}
        lesions.append(own | placed.describe())
    mimics = [{"centre": _centres(visit, one)[REFERENCE]} | one.describe() for one in visit.body.mimics]
    motion = {
        phase: {"shift": np.round(one.shift, 4).tolist(), "breath": np.round(one.breath, 4).tolist()}
        for phase, one in visit.motions.items()
    }
    return {"lesions": lesions, "mimics": mimics, "motion": motion, "displacement": CONVENTION}


def _centres(visit: Visit, placed: Placed) -> dict[str, list[float]]:
    """Return where the centre of a nodule lies in each phase."""
    mobility = visit.body.slab.grid.sample(visit.body.mobility, placed.centre[None])[0]
    places = {phase: (placed.centre + mobility * motion.breath)[None] for phase, motion in visit.motions.items()}
    return {phase: np.round(visit.pose(phase).apply(place)[0], 4).tolist() for phase, place in places.items()}
