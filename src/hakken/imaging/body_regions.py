"""Named regions of the body on CT, from landmarks that a rule finds: levels along the body, and where urine lies.

Levels are slabs of axial slices. **Lungs** are the large pieces of air inside the body: the highest slice that they
reach is the border of neck and chest; where they have thinned to half of their largest area, half-way down the
diaphragm, is that of chest and abdomen. The **narrowest slice** of the neck above the lungs is sought, and the head
begins where the body is a quarter wider again, at the chin. The **crotch** is the highest slice below the lungs where
little of the body is left on the midline: pelvis above it, thighs below. The **iliac crest** ends the lowest run of
slices that show bone on both sides of the spine, which ribs are parted from by those that do not: abdomen above it,
pelvis below.
A landmark that the image does not show cuts nothing off: an image of the abdomen alone is abdomen.

**Kidneys, ureters and bladder** are zones about the spine and the midline in which excreted tracer lies, not outlines:
beside the spine below the diaphragm; the two strips in front of the psoas from there to the bladder; and the middle of
the pelvis behind the pubic bone. What is found there is rather urine, and a lesion there may be missed for it.

All arrays are (z, y, x) with axes towards head, back and left, as a prepared case has them; lengths are in mm.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from hakken.imaging.pieces import Mask
from hakken.study import BODY_REGIONS
from hakken.study.scalars import LEVELS

Labels = NDArray[np.uint8]
Floats = NDArray[np.float64]

AIR_HU, BONE_HU = -500.0, 150.0
LEAST_LUNG_ML, LIKE_LARGEST = 300.0, 0.4
"""Of a lung, in ml and as a share of the larger one; air of the bowel, or between arm and trunk, is less."""
APEX_SHARE, DIAPHRAGM_SHARE = 0.03, 0.5
"""Of the lungs' largest area in a slice: above the apex less, at the middle of the diaphragm half."""
WIDER = 1.15
CHIN_MM = (40.0, 150.0)
"""How far above the lungs the chin lies, at least and at most."""
RIBS_MM, GAP_MM = 110.0, 40.0
"""Lateral bone so far below the diaphragm, or above a gap of so much, is that of ribs."""
DIAPHRAGM_TO_CREST, CREST_TO_CROTCH = 210.0, 200.0
"""Usual distances in an adult, where one end is not in the image."""
WINGS_MM = (55.0, 140.0)
WINGS_MM2 = 250.0
MIDLINE_MM, SPLIT = 12.0, 0.35
SMOOTH_MM = 60.0

KIDNEY_BELOW, KIDNEY_ASIDE, KIDNEY_DEEP = (10.0, 170.0), (28.0, 95.0), (-55.0, 30.0)
URETER_BELOW, URETER_ASIDE, URETER_DEEP = 120.0, (15.0, 62.0), (-65.0, -5.0)
BLADDER_ABOVE, BLADDER_ASIDE, BLADDER_DEEP = (5.0, 130.0), 52.0, (-140.0, -30.0)
LIVER_BELOW, LIVER_RIGHT, LIVER_FRONT, LIVER_RADIUS = 30.0, 70.0, 55.0, 15.0
"""Where the sphere for the liver's uptake lies (PERCIST takes one of 30 mm in the right lobe), from the diaphragm, the
midline and the middle of the spine."""


@dataclass(frozen=True, eq=False)
class Landmarks:
    """What was found of one body: slices by their index z, None where the image does not show them.

    ``middle`` and ``spine`` (z,) are the x and y indices of the midline and of the middle of the spine in each slice.
    """

    chin: int | None
    apex: int | None
    diaphragm: int | None
    crest: int | None
    crotch: int | None
    middle: Floats
    spine: Floats


def region_at(regions: Labels, voxels: NDArray[Any]) -> list[str]:
    """Return the name of the region at voxels (n, 3) z, y, x, with fractions; that of the nearest slice outside.

    >>> regions = np.array([[[1, 0]], [[2, 2]]], np.uint8)
    >>> region_at(regions, np.array([[0.2, 0, 0], [1, 0, 1]]))
    ['head', 'neck']
    """
    last = np.asarray(regions.shape) - 1
    places = np.clip(np.rint(np.asarray(voxels, float).reshape(-1, 3)).astype(int), 0, last)
    found = []
    for z, y, x in places.tolist():
        number = int(regions[z, y, x]) or _usual(regions[z]) or _usual(regions)
        found.append(BODY_REGIONS[number - 1] if number else "")
    return found


def _usual(labels: Labels) -> int:
    counts = np.bincount(labels.ravel(), minlength=2)[1:]
    return int(counts.argmax()) + 1 if counts.any() else 0


def label_regions(ct: NDArray[Any], body: Mask, spacing: tuple[float, float, float]) -> Labels:
    """Return the number (z, y, x) of the region of each voxel of a ``body`` on CT in HU; ``spacing`` is x, y, z."""
    marks = find_landmarks(ct, body, spacing)
    labels = np.broadcast_to(levels_of(marks, len(body))[:, None, None], body.shape).copy()
    for number, zone in enumerate(_zones(marks, body.shape, spacing), start=len(BODY_REGIONS) - 2):
        labels[zone] = number
    labels[~body] = 0
    return labels


def levels_of(marks: Landmarks, slices: int) -> Labels:
    """Return the number of the level of each slice (z,)."""
    levels = np.full(slices, BODY_REGIONS.index("chest" if marks.apex is not None else "abdomen") + 1, np.uint8)
    for place, name in ((marks.apex, "neck"), (marks.chin, "head")):
        if place is not None:
            levels[place + 1 :] = BODY_REGIONS.index(name) + 1
    for place, name in ((marks.diaphragm, "abdomen"), (marks.crest, "pelvis"), (marks.crotch, "thighs")):
        if place is not None:
            levels[: place + 1] = BODY_REGIONS.index(name) + 1
    return levels


def slice_levels(regions: Labels) -> Labels:
    """Return the number (z,) of the level that most voxels of each slice are of, whatever lies apart in it."""
    counts = [np.bincount(plane.ravel(), minlength=len(LEVELS) + 1)[1 : len(LEVELS) + 1] for plane in regions]
    return np.array([int(one.argmax()) + 1 if one.any() else 0 for one in counts], np.uint8)


def find_landmarks(ct: NDArray[Any], body: Mask, spacing: tuple[float, float, float]) -> Landmarks:
    """Return the landmarks of a body (z, y, x) on CT in HU."""
    trunk = _on_midline(body, spacing)
    middle, spine = _axis(ct, trunk, spacing)
    apex, diaphragm = _lungs(ct, body, spacing)
    crotch = _crotch(body, middle, diaphragm, spacing)
    return Landmarks(
        chin=_chin(trunk, apex, spacing),
        apex=apex,
        diaphragm=diaphragm,
        crest=None if apex is not None and diaphragm is None else _crest(ct, body, middle, diaphragm, spacing),
        crotch=crotch,
        middle=middle,
        spine=spine,
    )


def liver_sphere(ct: NDArray[Any], body: Mask, spacing: tuple[float, float, float]) -> Mask | None:
    """Return a sphere of 30 mm (z, y, x) in the right lobe of the liver; None where no diaphragm is seen."""
    marks = find_landmarks(ct, body, spacing)
    if marks.diaphragm is None:
        return None
    z = max(marks.diaphragm - LIVER_BELOW / spacing[2], 0)
    at = round(z)
    y, x = marks.spine[at] - LIVER_FRONT / spacing[1], marks.middle[at] - LIVER_RIGHT / spacing[0]
    grid = np.ogrid[tuple(slice(size) for size in body.shape)]
    steps = zip(grid, (z, y, x), spacing[::-1], strict=True)
    squares = sum(((axis - place) * step) ** 2 for axis, place, step in steps)
    return np.asarray((squares <= LIVER_RADIUS**2) & body)


def _on_midline(body: Mask, spacing: tuple[float, float, float]) -> Mask:
    """Return of each slice the pieces that come near the middle of the body: without arms that lie apart."""
    columns = np.flatnonzero(body.any((0, 1)))
    centre = (columns[0] + columns[-1]) / 2 if len(columns) else body.shape[2] / 2
    reach = max(round(80 / spacing[0]), 1)
    near = slice(max(round(centre) - reach, 0), round(centre) + reach + 1)
    found = np.zeros_like(body)
    for z, plane in enumerate(body):
        labels, count = ndimage.label(plane)
        if count:
            sizes = np.bincount(labels[:, near].ravel(), minlength=count + 1)[1:]
            found[z] = np.isin(labels, 1 + np.flatnonzero(sizes > 0.3 * sizes.max()))
    return found


def _axis(ct: NDArray[Any], trunk: Mask, spacing: tuple[float, float, float]) -> tuple[Floats, Floats]:
    """Return the midline x (z,) and the middle of the spine y (z,), smoothed along the body."""
    size = max(round(SMOOTH_MM / spacing[2]), 1)
    middle, spine = np.full(len(trunk), np.nan), np.full(len(trunk), np.nan)
    for z, plane in enumerate(trunk):
        y, x = np.nonzero(plane)
        if len(x):
            middle[z] = (x.min() + x.max()) / 2
            back = np.percentile(y, 45)
            near = plane & (np.abs(np.arange(plane.shape[1]) - middle[z]) * spacing[0] < 30) & (ct[z] > BONE_HU)
            rows = np.nonzero(near)[0]
            rows = rows[rows > back]
            spine[z] = np.percentile(rows, 40) if len(rows) else np.nan
    return _filled(middle, size), _filled(spine, size)


def _filled(values: Floats, size: int) -> Floats:
    """Return values (z,) with gaps filled from their neighbours, and a running median."""
    known = np.flatnonzero(np.isfinite(values))
    if not len(known):
        return np.zeros(len(values))
    whole = np.interp(np.arange(len(values)), known, values[known])
    return np.asarray(ndimage.median_filter(whole, size=size, mode="nearest"), np.float64)


def _lungs(ct: NDArray[Any], body: Mask, spacing: tuple[float, float, float]) -> tuple[int | None, int | None]:
    """Return the slices of the lungs' apex and of the middle of the diaphragm; None of an end that is cut off."""
    labels, count = ndimage.label(body & (ct < AIR_HU))
    sizes = np.bincount(labels.ravel(), minlength=count + 1) * np.prod(spacing) / 1000
    sizes[0] = 0
    lungs = np.isin(labels, np.flatnonzero(sizes >= max(LEAST_LUNG_ML, LIKE_LARGEST * sizes.max())))
    area = lungs.sum((1, 2)).astype(float)
    if not area.any():
        return None, None
    there = np.flatnonzero(area > APEX_SHARE * area.max())
    low = np.flatnonzero(area >= DIAPHRAGM_SHARE * area.max())
    apex = int(there[-1]) if there[-1] < len(area) - 2 else len(area) - 1
    return apex, int(low[0]) - 1 if low[0] > 0 else None


def _chin(trunk: Mask, apex: int | None, spacing: tuple[float, float, float]) -> int | None:
    """Return the last slice of the neck: above it the body is wider again."""
    if apex is None:
        return None
    first, last = (apex + round(mm / spacing[2]) for mm in CHIN_MM)
    area = ndimage.median_filter(trunk.sum((1, 2)).astype(float), 3, mode="nearest")[apex:]
    if apex + 2 >= len(trunk) or not len(area):
        return None
    reach = area[: last - apex + 1]
    narrow = int(reach.argmin())
    wider = np.flatnonzero(reach[narrow:] >= WIDER * reach[narrow])
    chin = apex + narrow + int(wider[0]) if len(wider) else last
    return min(max(chin, first), last, len(trunk) - 1)


def _crotch(body: Mask, middle: Floats, diaphragm: int | None, spacing: tuple[float, float, float]) -> int | None:
    """Return the highest slice of the thighs."""
    top = len(body) if diaphragm is None else max(diaphragm - round(2 * RIBS_MM / spacing[2]), 0)
    reach = max(MIDLINE_MM / spacing[0], 0.75)
    found = None
    for z in range(top):
        depth = body[z].sum(0)
        near = np.abs(np.arange(body.shape[2]) - middle[z]) <= reach
        if depth.any() and depth[near].min() <= SPLIT * depth.max():
            found = z
    return found


def _crest(
    ct: NDArray[Any], body: Mask, middle: Floats, diaphragm: int | None, spacing: tuple[float, float, float]
) -> int | None:
    """Return the highest slice of the pelvis: the end of the lowest run of slices with bone on both sides.

    Between it and the ribs lie slices whose bone is that of the spine alone. A run that does not begin where the image
    ends is one of ribs.
    """
    aside = (np.arange(body.shape[2]) - middle[:, None]) * spacing[0]
    bone = (ct > BONE_HU) & body
    wings = [((side * aside > WINGS_MM[0]) & (side * aside < WINGS_MM[1]))[:, None] & bone for side in (-1, 1)]
    area = np.minimum(*(wing.sum((1, 2)) for wing in wings)) * spacing[0] * spacing[1]
    seen = np.flatnonzero(area >= WINGS_MM2)
    if diaphragm is not None:
        seen = seen[seen < diaphragm - RIBS_MM / spacing[2]]
    if not len(seen) or seen[0] * spacing[2] > GAP_MM:
        return None
    gaps = np.flatnonzero(np.diff(seen) * spacing[2] > GAP_MM)
    return int(seen[gaps[0]] if len(gaps) else seen[-1])


def _zones(marks: Landmarks, shape: tuple[int, ...], spacing: tuple[float, float, float]) -> tuple[Mask, Mask, Mask]:
    """Return where kidneys, ureters and bladder lie (z, y, x)."""
    z, y, x = (axis.astype(float) for axis in np.ogrid[tuple(slice(size) for size in shape)])
    aside = np.abs(x - marks.middle[:, None, None]) * spacing[0]
    deep = (y - marks.spine[:, None, None]) * spacing[1]
    nowhere = np.zeros(shape, bool)
    bladder = nowhere
    above = (z - marks.crotch) * spacing[2] if marks.crotch is not None else None
    if above is None and marks.crest is not None:
        above = (z - marks.crest) * spacing[2] + CREST_TO_CROTCH
    below = (marks.diaphragm - z) * spacing[2] if marks.diaphragm is not None else None
    if below is None and marks.crest is not None:
        below = (marks.crest - z) * spacing[2] + DIAPHRAGM_TO_CREST
    if above is not None:
        bladder = _between(above, BLADDER_ABOVE) & (aside < BLADDER_ASIDE) & _between(deep, BLADDER_DEEP)
    if below is None:
        return nowhere, nowhere, np.asarray(bladder)
    kidneys = _between(below, KIDNEY_BELOW) & _between(aside, KIDNEY_ASIDE) & _between(deep, KIDNEY_DEEP)
    run = (below > URETER_BELOW) & (True if above is None else above > BLADDER_ABOVE[0])
    ureters = run & _between(aside, URETER_ASIDE) & _between(deep, URETER_DEEP) & ~kidneys & ~bladder
    return np.asarray(kidneys), np.asarray(ureters), np.asarray(bladder)


def _between(values: NDArray[Any], ends: tuple[float, float]) -> Mask:
    return np.asarray((values >= ends[0]) & (values <= ends[1]))
