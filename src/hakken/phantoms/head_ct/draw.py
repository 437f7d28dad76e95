"""One case of emergency head CT without contrast agent, from its seed to its image and its truth.

Densities are in Hounsfield units (HU), lengths in mm. Normal heads vary: sulci and ventricles widen with age, white
matter around the ventricles darkens, pineal gland, plexus and basal ganglia calcify, the falx and the sinuses are
dense. So neither the brightest voxel nor the mean of a head tells whether it is ill.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from scipy import ndimage
from scipy.spatial.transform import Rotation

from hakken.anatomy.head import Anatomy, draw_anatomy
from hakken.anatomy.scanners import Machine, Pose, draw_pose, labelled, lay_grid, scan, whereabouts
from hakken.anatomy.shapes import Array, ellipsoid, occupancy, paint_balls, smooth_field
from hakken.core.seeds import derive_seed
from hakken.core.volume import Geometry, Volume
from hakken.phantoms import OneImage, PhantomCase, options_of
from hakken.phantoms.head_ct import Options
from hakken.phantoms.head_ct.pathologies import Pathology, draw_pathologies
from hakken.study import Study

AIR_HU = -1000.0
FAT, MUSCLE, BONE, DIPLOE = -70.0, 50.0, 1150.0, 450.0
FLUID, GREY, WHITE, NUCLEI = 7.0, 38.0, 29.0, 38.5
FALX, VENOUS = 46.0, 56.0


@dataclass(frozen=True)
class Tomograph(Machine):
    """One CT scanner; ``noise`` is its SD in HU, ``gain`` is 1 and there is no bias field.

    ``kernel_mm``: SD of the reconstruction kernel. ``grain_mm``: SD of the blur that makes the noise grainy.
    ``offset``: error of calibration in HU. ``cupping``: how much brighter in HU brain is just below the skull (beam
    hardening). ``streaks``: SD in HU of the streaks between the dense bones of the base.
    """

    kernel_mm: float
    grain_mm: float
    offset: float
    cupping: float
    streaks: float


SCANNERS = {
    "A": Tomograph(
        kernel_mm=0.8,
        grain_mm=0.7,
        offset=0.0,
        cupping=3.0,
        streaks=2.5,
        noise=3.0,
        bias=0.0,
        slices=1.0,
        gain=1.0,
        axes=np.eye(3),
    ),
    "B": Tomograph(
        kernel_mm=0.5,
        grain_mm=0.5,
        offset=1.5,
        cupping=4.0,
        streaks=3.5,
        noise=4.0,
        bias=0.0,
        slices=1.25,
        gain=1.0,
        axes=Rotation.from_euler("x", 12, degrees=True).as_matrix(),
    ),
    "C": Tomograph(
        kernel_mm=1.1,
        grain_mm=1.0,
        offset=-1.5,
        cupping=2.0,
        streaks=2.0,
        noise=2.5,
        bias=0.0,
        slices=1.5,
        gain=1.0,
        axes=np.diag([-1.0, -1.0, 1.0]),
    ),
}


def draw_case(case: PhantomCase, study: Study) -> OneImage:
    """Draw one case. It depends on the study's seed and phantom and on the case alone; so does every byte.

    Both examinations of a patient show the same head; its calcifications are the same too.
    """
    phantom = options_of(study, Options)
    scanner = SCANNERS[case.scanner]
    head = np.random.default_rng(derive_seed(study.seed, "phantom head", case.body))
    random = np.random.default_rng(derive_seed(study.seed, "phantom case", case.origin))
    anatomy = draw_anatomy(phantom.shape_mm, phantom.spacing_mm, case.age, head)
    image = draw_tissues(anatomy, case.age, head)
    lesions = draw_pathologies(anatomy, case.levels, random)
    for lesion in lesions:
        lesion.paint(image)
    pose = draw_pose(8, 6, np.zeros(3), random)
    geometry = lay_grid(scanner, anatomy.grid, phantom.spacing_mm, pose)
    labels = labelled([scan(lesion.share, anatomy.grid, geometry, pose) for lesion in lesions], geometry)
    exposed = _exposed(image, anatomy, scanner, random)
    stored = _noisy(scan(exposed - np.float32(AIR_HU), anatomy.grid, geometry, pose), scanner, geometry, random)
    return OneImage(
        image=Volume.on(geometry, stored),
        lesions=Volume.on(geometry, labels),
        truth=_truth(case, lesions, labels, geometry, pose),
    )


def draw_tissues(anatomy: Anatomy, age: int, random: Generator) -> Array:
    """Return a head without lesions (z, y, x) in HU, as an ideal scanner would show it."""
    image = np.full(anatomy.grid.shape, AIR_HU, np.float32)
    grey, white, nuclei, fluid = (value + random.normal(0, 0.7) for value in (GREY, WHITE, NUCLEI, FLUID))
    for share, value in (
        (anatomy.wall.head, FAT),
        (anatomy.wall.muscle, MUSCLE),
        (anatomy.wall.skull, BONE),
        (anatomy.wall.marrow, DIPLOE),
        (_air_cells(anatomy, random), AIR_HU),
        (anatomy.fluid, fluid),
        (anatomy.grey, grey),
        (anatomy.white, white),
        (anatomy.nuclei * anatomy.grey, nuclei),
        (_pale_matter(anatomy, age, random), white - 8),
        (anatomy.ventricles, fluid),
        (_falx(anatomy), FALX),
        (_sinuses(anatomy, random), VENOUS),
    ):
        image += (np.float32(value) - image) * share
    image += np.float32(0.7) * anatomy.texture * anatomy.grey
    for share, value in _calcifications(anatomy, age, random):
        image += (np.float32(value) - image) * share
    return image


def _air_cells(anatomy: Anatomy, random: Generator) -> Array:
    """Return the occupancy of frontal sinus and mastoid cells, within the bone; their size varies much."""
    grid, (a, b, c) = anatomy.grid, anatomy.radii
    target = np.zeros(grid.shape, np.float32)
    thick = 3.4 * anatomy.scale
    front = (0.0, -b - 4.5 * anatomy.scale, -0.30 * c)
    size = random.uniform(0.6, 1.5)
    np.maximum(
        target, occupancy(ellipsoid(grid.axes(), front, (0.3 * a * size, thick, 0.16 * c)), grid.step), out=target
    )
    for side in (-1, 1):
        place = (side * (0.90 * a + 2 * anatomy.scale), 0.35 * b, -0.62 * c)
        cells = ellipsoid(grid.axes(), place, (thick, 0.14 * b * size, 0.16 * c))
        np.maximum(target, occupancy(cells, grid.step), out=target)
    return target * anatomy.wall.skull


def _pale_matter(anatomy: Anatomy, age: int, random: Generator) -> Array:
    """Return how far the white matter around the ventricles has darkened with age, 0 to 1."""
    grid = anatomy.grid
    near = ndimage.gaussian_filter(anatomy.ventricles, 4.5 * anatomy.scale / grid.step) * np.float32(2.2)
    patchy = np.clip(0.6 + 0.4 * smooth_field(grid.shape, grid.step, 14, random), 0, 1)
    share = float(np.clip((age - 50) / 35, 0, 1)) * random.uniform(0.2, 0.9)
    return np.asarray(np.clip(near, 0, 1) * patchy * np.float32(share) * anatomy.white, np.float32)


def _falx(anatomy: Anatomy) -> Array:
    """Return the occupancy of the falx in the cleft between the hemispheres."""
    x, _, z = anatomy.grid.axes()
    cleft = anatomy.fluid * (1 - anatomy.grey) * (z > 0.1 * anatomy.radii[2])
    return np.asarray(occupancy(np.abs(x) - np.float32(0.9), anatomy.grid.step) * cleft * np.float32(0.8), np.float32)


def _sinuses(anatomy: Anatomy, random: Generator) -> Array:
    """Return the occupancy of the sagittal and the transverse sinus."""
    a, b, c = anatomy.radii
    target = np.zeros(anatomy.grid.shape, np.float32)
    angle = np.linspace(-0.6, 1.6, 60)
    line = np.stack([np.zeros(60), b * np.sin(angle), c * np.cos(angle)], -1) * 1.01
    paint_balls(
        target, anatomy.grid, line, np.linspace(1.0, 3.0, 60) * anatomy.scale * random.uniform(0.8, 1.2), tube=True
    )
    along = np.linspace(0, 1, 40)[:, None]
    for side in (-1, 1):
        ends = np.array([(0, 0.98 * b, -0.36 * c), (side * 0.8 * a, 0.5 * b, -0.46 * c)])
        bow = np.sin(np.pi * along) * np.array([side * 0.12 * a, 0.16 * b, 0])
        line = ends[:1] * (1 - along) + ends[1:] * along + bow
        radii = np.full(40, 2.2 * anatomy.scale * random.uniform(0.5, 1.2))
        paint_balls(target, anatomy.grid, line, radii, tube=True)
    return target


def _calcifications(anatomy: Anatomy, age: int, random: Generator) -> list[tuple[Array, float]]:
    """Return shares (z, y, x) and densities of what calcifies without illness: pineal, plexus, basal ganglia, falx."""
    (a, b, c), scale = anatomy.radii, anatomy.scale
    old = float(np.clip((age - 30) / 50, 0, 1))
    places = [((0.0, 0.22 * b, 0.02 * c), 0.6 + 0.3 * old, (1.6, 3.2))]
    places += [((side * 0.30 * a, 0.38 * b, 0.10 * c), 0.45 + 0.4 * old, (1.6, 3.4)) for side in (-1, 1)]
    places += [((side * 0.42 * a, -0.05 * b, 0.0), 0.15 * old, (1.2, 2.6)) for side in (-1, 1)]
    places.append(((0, float(random.uniform(-0.5, 0.3)) * b, 0.75 * c), 0.12, (1.2, 2.5)))
    found: list[tuple[Array, float]] = []
    for place, chance, (low, high) in places:
        jitter, count = random.normal(0, 0.6, (4, 3)) * scale, int(random.integers(1, 5))
        radii, hu = random.uniform(low, high, 4) * scale * 0.8, float(random.uniform(90, 260))
        if random.random() < chance:
            share = np.zeros(anatomy.grid.shape, np.float32)
            paint_balls(share, anatomy.grid, (np.asarray(place) + 2 * jitter)[:count], radii[:count])
            found.append((share, hu))
    return found


def _exposed(image: Array, anatomy: Anatomy, scanner: Tomograph, random: Generator) -> Array:
    """Return the head (z, y, x) in HU with beam hardening and streaks, blurred by the kernel."""
    grid, (_, _, z) = anatomy.grid, anatomy.grid.axes()
    inside = occupancy(-anatomy.hull, grid.step)
    cup = np.float32(scanner.cupping) * np.exp(-np.maximum(anatomy.hull, 0) / np.float32(5 * anatomy.scale))
    base = np.clip((np.float32(-0.25 * anatomy.radii[2]) - z) / np.float32(0.2 * anatomy.radii[2]), 0, 1)
    lines = ndimage.gaussian_filter1d(random.standard_normal(image.shape).astype(np.float32), 12 / grid.step, axis=2)
    lines /= np.float32(lines.std())
    strength = np.float32(scanner.streaks * random.uniform(0.5, 1.5))
    shown = image + inside * (cup - cup.mean() + np.float32(scanner.offset) + strength * base * lines)
    return np.asarray(ndimage.gaussian_filter(shown, scanner.kernel_mm / grid.step), np.float32)


def _noisy(density: Array, scanner: Tomograph, geometry: Geometry, random: Generator) -> NDArray[np.int16]:
    """Return ``density`` (z, y, x), in HU above air, as the scanner stores it: in HU, with grainy noise."""
    sigma = [scanner.grain_mm / spacing for spacing in geometry.spacing[::-1]]
    grain = ndimage.gaussian_filter(random.standard_normal(density.shape).astype(np.float32), sigma)
    grain *= np.float32(scanner.noise) / np.float32(grain.std())
    return np.asarray(np.round(np.clip(density + np.float32(AIR_HU) + grain, -1024, 3071)), np.int16)


def _truth(
    case: PhantomCase, lesions: tuple[Pathology, ...], labels: NDArray[np.int16], geometry: Geometry, pose: Pose
) -> dict[str, Any]:
    """Return what is true of the case; lesion centres x, y, z in mm, LPS, in the space of the image."""
    found = []
    for number, lesion in enumerate(lesions, start=1):
        found.append(
            {
                "lesion": number,
                "kind": lesion.kind,
                **whereabouts(labels, number, geometry),
                "density_hu": round(lesion.hu, 2),
            }
        )
    return {
        "case_id": case.case_id,
        "scanner": case.scanner,
        "lesions": found,
        "pose": np.round(pose.matrix, 9).tolist(),
    }
