"""Abnormal foci of uptake anywhere in the body; kinds, sizes and uptake are quantiles of their laws in each part."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from scipy.special import ndtri

from hakken.anatomy.shapes import Array, occupancy, smooth_field
from hakken.phantoms import Levels
from hakken.phantoms._laws import kind_at
from hakken.phantoms._pet_ct import BETWEEN, Focus, placed
from hakken.phantoms.whole_body_pet_ct.body import Body


@dataclass(frozen=True)
class Kind:
    """A kind of focus: its share, the tissues and depths t that it begins in, radii in mm, median SUV and HU."""

    share: float
    tissues: tuple[str, ...]
    depths: tuple[float, float]
    radii: tuple[float, float]
    suv: float
    density: tuple[float, float]


KINDS = {
    "neck": Kind(0.14, ("fat", "muscle"), (215, 290), (6, 11), 4.2, (30, 50)),
    "lung": Kind(0.20, ("lung",), (285, 600), (6, 14), 3.4, (10, 60)),
    "mediastinum": Kind(0.10, ("mediastinal fat",), (320, 470), (6, 12), 4.2, (20, 50)),
    "liver": Kind(0.12, ("liver",), (440, 690), (8, 16), 5.5, (20, 50)),
    "abdomen": Kind(0.13, ("visceral fat", "bowel"), (560, 705), (7, 14), 4.5, (20, 50)),
    "pelvis": Kind(0.13, ("visceral fat", "bowel"), (720, 890), (7, 14), 4.5, (20, 50)),
    "bone": Kind(0.12, ("marrow",), (230, 1000), (7, 13), 4.2, (40, 60)),
    "thigh": Kind(0.06, ("muscle",), (925, 985), (7, 15), 3.6, (40, 55)),
}


SHARES = {name: kind.share for name, kind in KINDS.items()}


def draw_foci(body: Body, levels: Sequence[Levels], random: Generator) -> tuple[Focus, ...]:
    """Draw a focus for each of ``levels`` into one body; they do not touch.

    A focus for which no room is found is left out, but the first one always finds it.
    """
    return placed(levels, lambda level: _focus(body, level, random), body.frame.grid.step)


def _focus(body: Body, level: Levels, random: Generator) -> Focus:
    """Return an uneven ball at a random place of the tissues of its kind."""
    frame, name = body.frame, kind_at(level.kind, SHARES)
    kind = KINDS[name]
    low, high = np.log(kind.radii)
    radius = float(np.exp(low + level.size * (high - low)))
    x, y, t = frame.axes
    room = (body.share(*kind.tissues) > 0.6) & (t > kind.depths[0]) & (t < kind.depths[1])
    seed = np.unravel_index(random.choice(np.flatnonzero(room)), room.shape)
    stretch = random.uniform(0.85, 1.2, 3)
    squares: Array = np.zeros(1, np.float32)
    for axis, place, by in zip((x, y, t), seed[::-1], stretch, strict=True):
        squares = squares + ((axis - axis.ravel()[place]) / np.float32(by)) ** 2
    uneven = np.float32(0.12 * radius) * smooth_field(frame.grid.shape, frame.step, max(1.6 * radius, 12), random)
    share = occupancy(np.sqrt(squares) - np.float32(radius) + uneven, frame.step)
    suv = kind.suv * float(np.exp(BETWEEN * ndtri(level.look)))
    strength = 0.0 if name == "bone" and random.random() < 1 / 3 else float(random.uniform(0.5, 1))
    return Focus(name, share, suv, float(random.uniform(*kind.density)), strength)
