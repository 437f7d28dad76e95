"""Abnormal foci of uptake in a chest: in the lung, in the mediastinum and in bone.

Nakao et al., Jpn J Radiol 2022;40:730-739, had 28 foci in the lung and 17 elsewhere in 34 examinations.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.random import Generator
from scipy.special import ndtri

from hakken.anatomy.chest import Chest
from hakken.anatomy.shapes import Array, occupancy, smooth_field
from hakken.phantoms import Levels
from hakken.phantoms._laws import kind_at
from hakken.phantoms._pet_ct import BETWEEN, Focus, placed

SHARES = {"lung": 28 / 45, "mediastinum": 9 / 45, "bone": 8 / 45}
"""28 in the lung as published; how the other 17 divide is the phantom's own law."""

RADII_MM = {"lung": (4.5, 12.0), "mediastinum": (5.0, 10.0), "bone": (5.0, 10.0)}
UPTAKE = {"lung": 3.2, "mediastinum": 4.2, "bone": 4.0}


def draw_foci(chest: Chest, levels: Sequence[Levels], random: Generator) -> tuple[Focus, ...]:
    """Draw a focus for each of ``levels`` into one chest; they do not touch.

    Kind, size and uptake are those of the level. A focus for which no room is found is left out, but the first one
    always finds it.
    """
    return placed(levels, lambda level: _focus(chest, level, random), chest.frame.grid.step)


def _focus(chest: Chest, level: Levels, random: Generator) -> Focus:
    """Return an uneven ball at a random place of the tissue of its kind, within the images."""
    frame, grid, kind = chest.frame, chest.frame.grid, kind_at(level.kind, SHARES)
    low, high = np.log(RADII_MM[kind])
    radius = float(np.exp(low + level.size * (high - low))) * frame.scale
    _, _, z = grid.axes()
    room = (_room(chest, kind) > 0.6) & (np.abs(z) < frame.half[2] - 1.5 * radius)
    seed = random.choice(np.flatnonzero(room))
    centre = grid.points(np.stack(np.unravel_index([seed], grid.shape), -1))[0]
    stretch = random.uniform(0.85, 1.2, 3)
    squares = [
        ((axis - np.float32(at)) / np.float32(by)) ** 2
        for axis, at, by in zip(grid.axes(), centre, stretch, strict=True)
    ]
    uneven = np.float32(0.12 * radius) * smooth_field(grid.shape, grid.step, 1.6 * radius, random)
    share = occupancy(np.sqrt(squares[0] + squares[1] + squares[2]) - np.float32(radius) + uneven, grid.step)
    if kind == "bone":
        share = share * chest.share("bone", "marrow")
    suv = UPTAKE[kind] * float(np.exp(BETWEEN * ndtri(level.look)))
    return Focus(kind, share, suv, *_on_ct(kind, random))


def _room(chest: Chest, kind: str) -> Array:
    """Return the share (z, y, x) of the tissue in which a kind of focus begins."""
    if kind == "lung":
        return chest.share("lung")
    return chest.share("mediastinal fat") if kind == "mediastinum" else chest.share("marrow")


def _on_ct(kind: str, random: Generator) -> tuple[float, float]:
    """Return density in HU and strength: nodules are more or less solid, bone lytic, sclerotic or as ever."""
    if kind == "lung":
        return float(random.uniform(10, 60)), float(random.uniform(0.4, 1))
    if kind == "mediastinum":
        return float(random.uniform(20, 50)), float(random.uniform(0.5, 1))
    chosen = int(random.integers(3))
    return (40.0, 700.0, 0.0)[chosen], (0.7, 0.7, 0.0)[chosen]
