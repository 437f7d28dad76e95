"""How arteries branch: Murray's laws of radii and angles, and trees that grow by them towards the brain's surface.

Notation: a parent of radius r0 divides into daughters r1 >= r2. Murray (Proc Natl Acad Sci 1926;12:207-214): least work
asks for r0^3 = r1^3 + r2^3; Murray (J Gen Physiol 1926;9:835-841): the daughters then leave at the angles a1, a2 with
cos a1 = (r0^4 + r1^4 - r2^4) / (2 r0^2 r1^2), and likewise for a2.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from hakken.anatomy.head import Anatomy
from hakken.anatomy.shapes import Points
from hakken.anatomy.tubes import Tubes

THINNEST_MM = 0.4
STEPS = 20
LENGTH_MM = 12.0
DEEP_MM = 2.2
OUTWARD = 0.2
WIGGLE = 0.30
FADING = 0.93
LOOPS = 0.06


@dataclass(frozen=True)
class Buds:
    """Branches about to grow: points (n, 3) mm, heading and wish (n, 3) of length 1, radii (n,) mm, strength (n,).

    ``wish`` is the direction in which the whole territory lies. ``name`` says whose branches they are.
    """

    name: str
    points: Points
    heading: Points
    wish: Points
    radii: Points
    strength: Points

    def __len__(self) -> int:
        return len(self.points)


@dataclass(frozen=True)
class Fork:
    """A bifurcation: place x, y, z in mm, the parent's heading, radii in mm of both generations, which count from 1."""

    name: str
    place: Points
    heading: Points
    parent: float
    daughters: tuple[float, float]
    generation: int


@dataclass(frozen=True)
class Growth:
    """What grew: pieces, forks, and the middles (x, y, z in mm) of the loops among them."""

    tubes: list[Tubes] = field(default_factory=list)
    forks: list[Fork] = field(default_factory=list)
    loops: list[Points] = field(default_factory=list)


def daughter_radii(parent: Points, ratio: Points) -> tuple[Points, Points]:
    """Return the radii r1, r2 of daughters with r2 = ``ratio`` r1 by Murray's law."""
    larger = parent / np.cbrt(1 + ratio**3)
    return larger, ratio * larger


def branch_angles(parent: Points, first: Points, second: Points) -> tuple[Points, Points]:
    """Return the angles in radians at which both daughters leave the parent's heading, by Murray's law."""
    total, one, two = parent**4, first**4, second**4
    left = (total + one - two) / (2 * parent**2 * first**2)
    right = (total + two - one) / (2 * parent**2 * second**2)
    return np.arccos(np.clip(left, -1, 1)), np.arccos(np.clip(right, -1, 1))


def grow(anatomy: Anatomy, buds: Buds, length: float, random: Generator) -> Growth:
    """Grow trees from ``buds`` until their branches are thinner than 0.4 mm; ``length`` scales that of branches."""
    growth, generation = Growth(), 0
    while len(buds):
        generation += 1
        lines, heading = _extend(anatomy, buds, length, OUTWARD * min(generation / 3, 1), random)
        fading = np.linspace(1, FADING, STEPS + 1)
        looped = np.flatnonzero(random.random(len(buds)) < LOOPS)
        for number in looped:
            lines[number] = _looped(lines[number], length, random)
            growth.loops.append(lines[number][STEPS // 2])
        growth.tubes.append(_pieces(lines, buds, fading))
        radii = daughter_radii(buds.radii, random.uniform(0.5, 1, len(buds)))
        growth.forks.extend(_forks(buds, lines[:, -1], heading, radii, generation))
        buds = _divide(anatomy, replace(buds, points=lines[:, -1], heading=heading), radii, random)
    return growth


def _extend(anatomy: Anatomy, buds: Buds, length: float, outward: float, random: Generator) -> tuple[Points, Points]:
    """Let each branch walk; return its points (n, steps + 1, 3) in mm and its last heading.

    It wanders, follows its wish, is drawn ``outward`` to the brain's surface and kept a little below it.
    """
    point, heading = buds.points, buds.heading
    step = length * random.uniform(0.65, 1.35, len(buds)) * (LENGTH_MM + 8 * buds.radii) / STEPS
    wobble = np.zeros_like(point)
    lines = [point]
    for _ in range(STEPS):
        depth = anatomy.grid.sample(anatomy.hull, point)[:, None]
        slope = anatomy.grid.gradient(anatomy.hull, point, 3.0)
        wobble = 0.7 * wobble + WIGGLE * random.normal(size=point.shape)
        push = np.clip((DEEP_MM - depth) / 2, -outward, 1.5)
        heading = unit(heading + 0.20 * buds.wish + 0.5 * wobble + push * slope)
        point = point + step[:, None] * heading
        lines.append(point)
    return np.stack(lines, 1), heading


def _looped(line: Points, length: float, random: Generator) -> Points:
    """Return a line (n, 3) that turns once around itself in its middle: a vessel loop, round when seen from afar."""
    place = np.linspace(-1, 1, len(line))[:, None]
    heading = unit(line[-1] - line[0])
    side = unit(np.cross(heading, random.normal(size=3)))
    width = length * random.uniform(1.4, 2.6) * np.exp(-((place / 0.45) ** 2))
    turn = place * np.pi * 1.6
    return np.asarray(line + width * (np.cos(turn) * side + np.sin(turn) * np.cross(heading, side)))


def _pieces(lines: Points, buds: Buds, fading: Points) -> Tubes:
    ends = np.stack([lines[:, :-1], lines[:, 1:]], 2).reshape(-1, 2, 3)
    radii = np.repeat(buds.radii, STEPS)[:, None] * np.ones(2)
    strength = buds.strength[:, None, None] * np.stack([fading[:-1], fading[1:]], -1)
    return Tubes(ends, radii, strength.reshape(-1, 2))


def _forks(buds: Buds, ends: Points, heading: Points, radii: tuple[Points, Points], generation: int) -> Iterator[Fork]:
    """Yield the forks at the ends (n, 3) of branches, those with at least one daughter."""
    for number in np.flatnonzero(radii[0] >= THINNEST_MM):
        daughters = (float(radii[0][number]), float(radii[1][number]))
        parent = float(buds.radii[number])
        yield Fork(buds.name, ends[number], heading[number], parent, daughters, generation)


def _divide(anatomy: Anatomy, grown: Buds, radii: tuple[Points, Points], random: Generator) -> Buds:
    """Return the daughters that are thick enough; the plane of a fork lies along the brain's surface."""
    count = len(grown)
    normal = unit(anatomy.grid.gradient(anatomy.hull, grown.points, 3.0))
    normal = unit(normal + 0.5 * random.normal(size=normal.shape))
    side = unit(np.cross(grown.heading, normal)) * random.choice([-1.0, 1.0], count)[:, None]
    ways = []
    for angle, sign in zip(branch_angles(grown.radii, *radii), (1.0, -1.0), strict=True):
        turn = (angle * random.uniform(0.9, 1.3, count))[:, None]
        ways.append(unit(np.cos(turn) * grown.heading + sign * np.sin(turn) * side))
    heading, thick = np.concatenate(ways), np.concatenate(radii)
    kept: NDArray[np.bool_] = thick >= THINNEST_MM
    return Buds(
        name=grown.name,
        points=np.tile(grown.points, (2, 1))[kept],
        heading=heading[kept],
        wish=unit(np.tile(grown.wish, (2, 1)) + 0.7 * heading)[kept],
        radii=thick[kept],
        strength=(np.tile(grown.strength * FADING, 2) * random.uniform(0.9, 1.0, 2 * count))[kept],
    )


def unit(vectors: Points) -> Points:
    """Return vectors (..., 3) of length 1."""
    return np.asarray(vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-9))
