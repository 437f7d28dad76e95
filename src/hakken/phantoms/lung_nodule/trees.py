"""Vessels and airways of the lungs: trees that fill them, each lung with arteries, veins, and airways beside arteries.

A tree grows as in Tawhai et al., J Appl Physiol 2004;97:2310-2321, coarsely: a branch heads for the middle of the
places that it is to reach and divides them in two. Radii fall with the share of the places that are left, as those of
pulmonary arteries do with their order (Huang et al., J Appl Physiol 1996;81:2123-2133: 1.56 in diameter for 3.36 in
number).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator

from hakken.anatomy.chest import Chest
from hakken.anatomy.shapes import Array, Points
from hakken.anatomy.tubes import Tubes, along, join

PLACES = 260
"""Places that each tree of a lung is to reach."""

EXPONENT = float(np.log(1.56) / np.log(3.36))
ROOTS_MM = {"artery": 6.2, "vein": 5.8}
THINNEST_MM = 0.5
REACH = 0.45
"""How far of its way to the middle of its places a branch goes before it divides."""

STEPS = 4
BEND = 0.12
AIRWAY_MM = 1.1
"""Airways are drawn down to this radius; their walls take a fifth of it and half a millimetre."""

HILA = {"artery": (0.0, 8.0), "vein": (-6.0, -12.0)}
"""Where the trees enter the lung, y and z in mm of an adult from the middle of the hilum."""


@dataclass(frozen=True)
class Trees:
    """All vessels, and the outside and the inside of all airways, as pieces."""

    vessels: Tubes
    walls: Tubes
    lumina: Tubes


def draw_trees(chest: Chest, depth: Array, random: Generator) -> Trees:
    """Draw the trees of both lungs; ``depth`` (z, y, x) in mm is how far inside the lungs a voxel lies, 0 outside."""
    frame = chest.frame
    vessels, airways = [], []
    x = frame.grid.axes()[0]
    for side in (-1.0, 1.0):
        inside = np.flatnonzero((depth > 3 * frame.scale) & (x * side > 0))
        for name, root in ROOTS_MM.items():
            chosen = np.stack(np.unravel_index(random.choice(inside, PLACES), depth.shape), -1)
            places = frame.grid.points(chosen + random.uniform(-0.5, 0.5, chosen.shape))
            tree = _tree(_hilum(chest, side, name), places, root * frame.scale, random)
            vessels.append(tree)
            if name == "artery":
                airways.append(_beside(tree, side))
    wide = join(airways)
    kept = wide.radii.min(-1) >= AIRWAY_MM * frame.scale
    walls = Tubes(wide.ends[kept], wide.radii[kept], wide.strength[kept])
    return Trees(join(vessels), walls, Tubes(walls.ends, 0.8 * walls.radii - 0.5 * frame.scale, walls.strength))


def _hilum(chest: Chest, side: float, name: str) -> Points:
    (_, b, c), scale = chest.frame.half, chest.frame.scale
    back, up = HILA[name]
    return np.array([side * 34 * scale, 0.12 * b + back * scale, 0.05 * c + up * scale])


def _tree(start: Points, places: Points, root: float, random: Generator) -> Tubes:
    """Return the pieces of a tree from ``start`` (3,) that reaches towards ``places`` (n, 3), all in mm."""
    pieces, whole = [], len(places)
    buds = [(start, root, places)]
    while buds:
        point, radius, left = buds.pop()
        own = max(THINNEST_MM, root * (len(left) / whole) ** EXPONENT)
        middle = left.mean(0)
        end = point + (REACH if len(left) > 1 else 1.0) * (middle - point)
        pieces.append(_branch(point, end, (min(radius, own), own), random))
        if len(left) > 1:
            buds += [(end, own, part) for part in _divided(left, end - point)]
    return join(pieces)


def _branch(start: Points, end: Points, radii: tuple[float, float], random: Generator) -> Tubes:
    """Return a branch between two points (3,) that bends a little."""
    share = np.linspace(0, 1, STEPS + 1)[:, None]
    aside = np.cross(end - start, random.normal(size=3))
    aside *= BEND * np.linalg.norm(end - start) / max(float(np.linalg.norm(aside)), 1e-9)
    line = start + share * (end - start) + np.sin(np.pi * share) * random.uniform(0, 1) * aside
    return along(line, np.linspace(*radii, STEPS + 1), np.ones(STEPS + 1))


def _divided(places: Points, heading: Points) -> tuple[Points, Points]:
    """Return places (n, 3) in two halves, cut along ``heading`` and across their longest extent beside it."""
    unit = heading / max(float(np.linalg.norm(heading)), 1e-9)
    offset = places - places.mean(0)
    across = offset - (offset @ unit)[:, None] * unit
    longest = np.linalg.svd(across, full_matrices=False)[2][0]
    order = np.argsort(across @ longest, kind="stable")
    half = len(places) // 2
    return places[order[:half]], places[order[half:]]


def _beside(tree: Tubes, side: float) -> Tubes:
    """Return the airways that run beside arteries of the same width."""
    way = np.array([0.3 * side, -0.7, 0.65])
    shift = 2.1 * tree.radii[..., None] * way / np.linalg.norm(way)
    return Tubes(tree.ends + shift, 1.05 * tree.radii, tree.strength)
