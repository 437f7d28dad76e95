"""The thin parts of a chest on X-rays, ball by ball: ribs, girdle, vertebral arches, vessels, airways, small shadows.

The space is that of `hakken.anatomy.rays`, lengths scale with the `Build`.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.random import Generator

from hakken.anatomy.chest_build import Build
from hakken.anatomy.rays import Beads, balls, joined, tube
from hakken.anatomy.shapes import Points, polyline

RIB_MM = 5.0
"""Radius of a rib."""
PAIRS = 11
BRANCHES, TWIGS = 26, 6
"""Vessels from each hilum, and how many each of them parts into."""


def ribs(build: Build, random: Generator) -> Beads:
    """Return the ribs but for the twelfth: from the spine around to the front, falling all the way."""
    scale = build.scale
    falls, apart = random.normal(1, 0.08), random.normal(1, 0.03)
    parts = []
    for number in range(PAIRS):
        top = (108 - 22.5 * apart * number) * scale
        around = np.radians(150 if number < 7 else 150 - 22 * (number - 6))
        fall = (30 + 7 * min(number, 7)) * falls * scale
        for side in (-1, 1):
            angle = np.linspace(np.radians(12), around, 130)
            high = top - fall * (1 - np.cos(angle)) / 1.9 + random.normal(0, 1.2) * scale
            parts.append(tube(_around(build, side * angle, high), RIB_MM * scale * random.uniform(0.92, 1.06)))
    return joined(parts)


def _around(build: Build, angle: Points, high: Points) -> Points:
    """Return points (n, 3) on the wall of the chest at angles (n,) from the spine and heights z (n,)."""
    across, along = build.half
    part = np.clip((high - 10 * build.scale) / (build.apex + 14 * build.scale), 0, 0.999)
    narrow = np.sqrt(1 - part**2.6)
    wall = 4 * build.scale
    return np.stack([(across * narrow + wall) * np.sin(angle), (along * narrow + wall) * np.cos(angle), high], 1)


def girdle(build: Build, random: Generator) -> Beads:
    """Return collar bones, shoulder blades and breastbone."""
    scale, lift = build.scale, random.normal(0, 8)
    parts = [tube(polyline(np.array([(0, -84, 78), (0, -96, -40)]) * scale, 60), 7 * scale).times(0.5)]
    for side in (-1, 1):
        collar = np.array([(12, -78, 96), (55, -72, 112), (100, -40, 122 + lift / 2), (150, -8, 124 + lift)])
        edge = np.array([(128, 66, 104 + lift), (126, 84, 60 + lift), (112, 92, 10 + lift)])
        inner = np.array([(84, 96, 92 + lift), (92, 100, 50 + lift), (112, 92, 10 + lift)])
        for line, radius, share in ((collar, 6.0, 1.0), (edge, 4.5, 0.9), (inner, 2.5, 0.7)):
            turned = (line + random.normal(0, 2, 3)) * (side, 1, 1) * scale
            parts.append(tube(polyline(turned, 60), radius * scale).times(share))
    return joined(parts)


def arches(build: Build) -> Beads:
    """Return pedicles and spinous processes of the vertebrae."""
    levels = np.arange(-7, 7) * 25.0
    points = [(x, y, z - drop) for z in levels for x, y, drop in ((-14, 78, 0), (14, 78, 0), (0, 108, 8))]
    return balls(np.array(points) * build.scale, np.tile([4.5, 4.5, 4.0], len(levels)) * build.scale)


def vessels(build: Build, random: Generator) -> Beads:
    """Return the vessels of both lungs: from the hilum in all directions, parting on their way and growing thinner."""
    return joined([one for side in (-1.0, 1.0) for one in _tree(build, side, random)])


def _tree(build: Build, side: float, random: Generator) -> Iterator[Beads]:
    scale = build.scale
    hilum = np.array([side * 33, 10, 14 + 5 * (side * build.side > 0)]) * scale
    for _ in range(BRANCHES):
        aim = _aim(build, side, random)
        start = hilum + random.normal(0, 1, 3) * (4, 7, 9) * scale
        bend = random.normal(0, 8 * scale, 3)
        line = polyline(np.array([start, start + (aim - start) * 0.4 + bend, start + (aim - start) * 0.8]), 40)
        thick = random.uniform(2.0, 4.8) * scale
        yield tube(line, np.linspace(thick, 0.45 * thick, len(line)))
        for _ in range(TWIGS):
            fork = int(random.integers(15, len(line)))
            away = line[fork] - line[fork - 8]
            away = away / np.linalg.norm(away) + random.normal(0, 0.55, 3)
            twig = line[fork] + np.linspace(0, 1, 30)[:, None] * away * random.uniform(25, 60) * scale
            wide = 0.6 * thick * (1 - 0.5 * fork / len(line))
            yield tube(twig, np.linspace(wide, 0.5, len(twig)))


def _aim(build: Build, side: float, random: Generator) -> Points:
    """Return a place (3,) in or beyond a lung."""
    across, along = build.half
    low = build.diaphragm - 20 * build.scale
    where = random.uniform((0.25, -0.8, low), (0.95, 0.8, 0.9 * build.apex))
    return np.asarray(where * (side * across, along, 1))


def airways(build: Build) -> Beads:
    """Return windpipe and main bronchi."""
    scale = build.scale
    pipe = polyline(np.array([(0, 8, 170), (2 * build.side, 14, 100), (3 * build.side, 20, 40)]) * scale, 50)
    parts = [tube(pipe, 8 * scale)]
    for side in (-1, 1):
        bronchus = polyline(np.array([(3 * build.side, 20, 40), (side * 30, 18, 14)]) * scale, 25)
        parts.append(tube(bronchus, np.linspace(6.5, 4.5, len(bronchus)) * scale))
    return joined(parts)


def spots(build: Build, age: int, random: Generator) -> Beads:
    """Return calcified granulomas, one in four chests of 70 years: small, dense, no masses."""
    count = int(random.poisson(0.35 * age / 70))
    places = np.array([_aim(build, random.choice([-1.0, 1.0]), random) for _ in range(count)]).reshape(-1, 3)
    return balls(places, random.uniform(1.2, 2.6, count))


def nipples(build: Build, random: Generator) -> Beads:
    """Return the shadows of the nipples, seen in two of five, on one side or both: round, faint, no masses."""
    shown = random.random() < 0.4
    both = random.random() < 0.6
    sides = [side for side in (-1, 1) if shown and (both or side == 1)]
    front = -(build.half[1] + build.wall) * 0.86
    places = [np.array([side * 74, 0, -46 - 18 * build.breast]) * build.scale + (0, front, 0) for side in sides]
    jitter = random.normal(0, 5, (len(sides), 3))
    return balls(np.array(places).reshape(-1, 3) + jitter, random.uniform(3.2, 4.6, len(sides)))
