"""A normal chest: tissues as layers, painted one over the other, from shoulders to the upper abdomen.

The chest's own space: x to its left, y to its back, z to its head, in mm, the origin in its middle. Arrays are ordered
(z, y, x). One and the same list of layers is painted in Hounsfield units for CT and in uptake for PET, so what CT shows
of the anatomy is all that PET and CT have in common. Lengths are those of an adult of 320 mm width and scale with it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.random import Generator

from hakken.anatomy.shapes import (
    Array,
    Grid,
    Points,
    ellipsoid,
    occupancy,
    paint_balls,
    polyline,
    smooth_field,
)

ADULT_MM = 320.0
BEYOND_MM = 16.0
"""The chest goes on so far beyond the images' first and last slice, so that a tilted body still fills them."""

RIB_PERIOD, VERTEBRA_PERIOD = 28.0, 24.0


@dataclass(frozen=True)
class Frame:
    """The measures of one chest: ``half`` extents x, y, z of the images in mm, and how they scale with an adult's.

    ``stout``, 0 to 1, is how much fat there is, ``diaphragm`` the height z in mm of its right dome, and ``young``, 0 to
    1, how dense the marrow is.
    """

    grid: Grid
    half: tuple[float, float, float]
    scale: float
    stout: float
    young: float
    diaphragm: float

    @cached_property
    def body(self) -> Array:
        """Signed distance (z, y, x) in mm to the skin, negative inside."""
        a, b, c = self.half
        return ellipsoid(self.grid.axes(), (0, 0, -0.5 * c), (0.95 * a, 0.93 * b, 4.5 * c))

    @cached_property
    def cavity(self) -> Array:
        """Signed distance (z, y, x) in mm to the inside of the ribs, negative inside."""
        a, b, c = self.half
        wall = (16 + 17 * self.stout + 17) * self.scale
        return ellipsoid(self.grid.axes(), (0, 0.02 * b, -0.6 * c), (0.95 * a - wall, 0.93 * b - 0.8 * wall, 1.75 * c))

    def fill(self, distance: Array) -> Array:
        """Return the occupancy (z, y, x) inside a surface of signed distance in mm."""
        return np.broadcast_to(occupancy(distance, self.grid.step), self.grid.shape)

    def ball(self, centre: tuple[float, ...], radii: tuple[float, ...]) -> Array:
        """Return the signed distance to an ellipsoid with ``radii`` of an adult, at ``centre`` in mm."""
        return ellipsoid(self.grid.axes(), centre, tuple(radius * self.scale for radius in radii))

    def tube(self, knots: Points, radii: tuple[float, float]) -> Array:
        """Return the occupancy of a tube through ``knots`` (n, 3) mm that tapers between two radii of an adult."""
        pieces = int(np.ceil(np.linalg.norm(np.diff(knots, axis=0), axis=-1).max() / (0.5 * self.grid.step)))
        line = polyline(np.asarray(knots, float), max(pieces, 1))
        target = np.zeros(self.grid.shape, np.float32)
        thickness = np.linspace(*radii, len(line)) * self.scale
        paint_balls(target, self.grid, line, thickness, tube=True)
        return target


@dataclass(frozen=True)
class Chest:
    """The chest of one patient: ``layers`` are occupancies (z, y, x) by tissue, in the order in which they are painted.

    A name may end in ``/`` and a number where a tissue is painted more than once.
    """

    frame: Frame
    layers: Mapping[str, Array]

    def paint(self, values: Mapping[str, float | Array], background: float) -> Array:
        """Return the image (z, y, x) of the layers with the value, or the values (z, y, x), of each tissue."""
        image = np.full(self.frame.grid.shape, background, np.float32)
        for name, share in self.layers.items():
            image += (np.asarray(values[tissue(name)], np.float32) - image) * share
        return image

    def share(self, *tissues: str) -> Array:
        """Return which share (z, y, x) of each voxel shows one of ``tissues`` when all layers are painted."""
        names = {tissue(name) for name in self.layers}
        return self.paint({name: float(name in tissues) for name in names}, 0.0)


def tissue(layer: str) -> str:
    """Return the tissue of a layer.

    >>> tissue("blood"), tissue("blood/2")
    ('blood', 'blood')
    """
    return layer.partition("/")[0]


def draw_chest(shape_mm: tuple[float, float, float], step: float, age: int, random: Generator) -> Chest:
    """Draw a chest whose images will be ``shape_mm`` (x, y, z) large, on voxels of ``step`` mm."""
    x, y, z = shape_mm
    grid = Grid((round((z + 2 * BEYOND_MM) / step), round(y / step), round(x / step)), step)
    frame = Frame(
        grid=grid,
        half=(x / 2, y / 2, z / 2),
        scale=x / ADULT_MM * float(random.uniform(0.94, 1.04)),
        stout=float(random.beta(1.6, 1.6)),
        young=float(np.clip(1 - (age - 35) / 50 + random.normal(0, 0.15), 0, 1)),
        diaphragm=float(random.uniform(-0.55, -0.2)) * z / 2,
    )
    within = _lungs(frame, random) | _abdomen(frame, random) | _mediastinum(frame, random)
    return Chest(frame, _wall(frame, random) | within | _bones(frame))


def _wall(frame: Frame, random: Generator) -> dict[str, Array]:
    """Return skin fat, the muscles of the chest's wall and shoulders, and the fat between them."""
    grid, scale = frame.grid, frame.scale
    x, y, _ = grid.axes()
    uneven = np.float32(2.5 * scale) * smooth_field(grid.shape, grid.step, 60 * scale, random)
    sides = np.float32(5 * scale) * np.abs(x / np.float32(frame.half[0])) + 3 * scale * (y < 0)
    skin = (8 + 17 * frame.stout) * scale + sides * np.float32(0.4 + frame.stout) + uneven
    bundles = smooth_field(grid.shape, grid.step, 26 * scale, random)
    outside = frame.fill(-frame.cavity - np.float32(2 * scale))
    muscle = frame.fill(frame.body + skin) * np.clip(1.3 + 2 * bundles, 0, 1)
    return {"fat": frame.fill(frame.body), "muscle": np.asarray(muscle * outside, np.float32)}


def _bones(frame: Frame) -> dict[str, Array]:
    """Return ribs, sternum, shoulder blades, vertebrae and discs: dense bone first, the marrow within it after."""
    (x, y, z), (a, b, c), scale = frame.grid.axes(), frame.half, frame.scale
    slant = np.cos(2 * np.pi * (z - np.float32(0.5) * y) / (RIB_PERIOD * scale))
    shell = np.abs(frame.cavity - np.float32(4.5 * scale))
    ribs = np.maximum(shell - np.float32(4 * scale), (np.float32(0.15) - slant) * np.float32(7 * scale))
    front = frame.half[1] * 0.93 - (16 + 17 * frame.stout) * 0.8 * scale
    sternum = frame.ball((0, -front + 6 * scale, 0.1 * c), (19, 7, 90))
    blades = np.minimum(*(frame.ball((side * 0.58 * a, 0.62 * b, 0.6 * c), (36, 8, 55)) for side in (-1, 1)))
    place = spine_y(frame)
    column = np.sqrt(x**2 + ((y - np.float32(place)) * np.float32(1.25)) ** 2) - np.float32(18 * scale)
    level = np.cos(2 * np.pi * z / (VERTEBRA_PERIOD * scale))
    body = np.maximum(column, (-np.float32(0.75) - level) * np.float32(5 * scale))
    arch = np.sqrt(x**2 + (y - np.float32(place + 23 * scale)) ** 2)
    ring = np.abs(arch - np.float32(12 * scale)) - np.float32(3.5 * scale)
    process = np.maximum(
        np.abs(x) - np.float32(3.5 * scale), np.abs(y - np.float32(place + 44 * scale)) - np.float32(11 * scale)
    )
    back = np.minimum(ring, np.maximum(process, (-np.float32(0.2) - level) * np.float32(5 * scale)))
    cartilage = frame.fill(ribs) * (y < -0.55 * b)
    dense = np.minimum(np.minimum(ribs, sternum), np.minimum(blades, np.minimum(body, back)))
    rim = np.float32(2.6 * scale)
    spongy = np.minimum(np.minimum(sternum, body) + rim, np.minimum(ribs + rim, blades + np.float32(3.2 * scale)))
    cord = np.minimum(arch, np.float32(99)) - np.float32(8 * scale)
    return {
        "disc": frame.fill(column),
        "bone": frame.fill(dense) * frame.fill(frame.body + np.float32(4)),
        "cartilage": np.asarray(cartilage, np.float32),
        "marrow": frame.fill(spongy) * (1 - cartilage),
        "cord": frame.fill(cord),
    }


def spine_y(frame: Frame) -> float:
    """Return how far back the middle of the vertebral bodies lies, y in mm."""
    return 0.56 * frame.half[1]


def _lungs(frame: Frame, random: Generator) -> dict[str, Array]:
    """Return both lungs, between ribs, mediastinum and diaphragm, and the vessels that run through them."""
    (x, y, z), scale = frame.grid.axes(), frame.scale
    uneven = smooth_field(frame.grid.shape, frame.grid.step, 50 * scale, random)
    middle = np.float32(21 * scale) + np.float32(4.5 * scale) * uneven + np.float32(8 * scale) * y / frame.half[1]
    spine = np.sqrt(x**2 + (y - np.float32(spine_y(frame) + 4 * scale)) ** 2)
    aside = np.maximum(middle - np.abs(x), np.float32(26 * scale) - spine)
    lungs = np.maximum(np.maximum(frame.cavity + np.float32(2 * scale), aside), _dome(frame) - z)
    share = frame.fill(lungs)
    vessels = np.zeros(frame.grid.shape, np.float32)
    for side in (-1.0, 1.0):
        for _ in range(34):
            _branch(frame, vessels, side, random)
    above = _dome(frame) - z
    return {
        "fat/2": frame.fill(np.maximum(frame.cavity, -above)),
        "mediastinal fat": frame.fill(np.maximum(frame.cavity, above)),
        "lung": share,
        "vessel": vessels * share,
    }


def _branch(frame: Frame, target: Array, side: float, random: Generator) -> None:
    """Paint one vessel from a lung's hilum outwards, in place; its radius falls from 3.5 or less to 0.8 mm."""
    (a, b, c), scale = frame.half, frame.scale
    hilum = np.array([side * 30 * scale, 0.12 * b, 0.05 * c])
    aim = np.array(
        [side * random.uniform(0.25, 0.75) * a, random.uniform(-0.6, 0.6) * b, random.uniform(-0.7, 0.85) * c]
    )
    bend = random.normal(0, 10 * scale, (2, 3))
    knots = np.stack([hilum, hilum + 0.35 * (aim - hilum) + bend[0], hilum + 0.7 * (aim - hilum) + bend[1], aim])
    np.maximum(target, frame.tube(knots, (float(random.uniform(1.6, 3.5)), 0.8)), out=target)


def _dome(frame: Frame) -> Array:
    """Return the height z in mm of the diaphragm at each (y, x), higher on the right."""
    x, y, _ = frame.grid.axes()
    a, b, _ = frame.half
    drop = np.float32(55 * frame.scale)
    right = frame.diaphragm - drop * (((x + 0.42 * a) / (0.55 * a)) ** 2 + (y / (0.8 * b)) ** 2)
    left = frame.diaphragm - 14 * frame.scale - drop * (((x - 0.42 * a) / (0.55 * a)) ** 2 + (y / (0.8 * b)) ** 2)
    return np.asarray(np.maximum(right, left), np.float32)


def _abdomen(frame: Frame, random: Generator) -> dict[str, Array]:
    """Return the liver under the right dome, spleen and stomach under the left."""
    (a, b, c), (x, y, z) = frame.half, frame.grid.axes()
    below = np.maximum(frame.cavity + np.float32(3 * frame.scale), z - _dome(frame) + np.float32(4 * frame.scale))
    edge = np.float32(0.12 * a * random.uniform(0.4, 1.6))
    liver = np.maximum(below, x - edge + np.float32(0.3) * y)
    spleen = np.maximum(below, frame.ball((0.55 * a, 0.35 * b, frame.diaphragm - 0.35 * c), (34, 42, 60)))
    size = random.uniform(0.7, 1.25)
    place = (0.42 * a, -0.2 * b, frame.diaphragm - 0.35 * c)
    stomach = np.maximum(below, frame.ball(place, (38 * size, 36 * size, 45)))
    gas = frame.ball((place[0], place[1] - 12 * frame.scale, place[2]), (22 * size, 14 * size, 28))
    return {
        "liver": frame.fill(liver),
        "spleen": frame.fill(spleen),
        "stomach": frame.fill(stomach),
        "gas": frame.fill(np.maximum(gas, stomach + np.float32(6 * frame.scale))),
    }


def _mediastinum(frame: Frame, random: Generator) -> dict[str, Array]:
    """Return heart, great vessels, oesophagus and trachea; on CT without contrast agent the heart is of one density."""
    (a, b, c), scale = frame.half, frame.scale
    jitter = random.normal(0, 3 * scale, (4, 3))
    heart = np.array([0.14 * a, -0.22 * b, frame.diaphragm + 42 * scale]) + jitter[0]
    chamber = heart + np.array([20, 6, -8]) * scale
    size = random.uniform(0.9, 1.12)
    whole = frame.ball(tuple(heart), (52 * size, 42 * size, 46 * size))
    left = frame.ball(tuple(chamber), (33 * size, 30 * size, 38 * size))
    wall = np.maximum(left, -(left + np.float32(11 * scale)))
    back = spine_y(frame) - 24 * scale
    top = 0.52 * c + jitter[1][2]
    arch = np.array(
        [
            (-14 * scale, -0.2 * b, heart[2] + 25 * scale),
            (-20 * scale, -0.22 * b, 0.5 * (heart[2] + 25 * scale + top)),
            (-8 * scale, -0.1 * b, top),
            (14 * scale, 0.5 * back, top + 4 * scale),
            (21 * scale, back, top - 16 * scale),
            (20 * scale, back + 6 * scale, -c - BEYOND_MM),
        ]
    )
    cava = np.array(
        [(-28 * scale, -0.1 * b, heart[2]), (-26 * scale, -0.12 * b, top), (-24 * scale, -0.05 * b, 1.4 * c)]
    )
    outlet = heart + np.array([-2, 0, 34]) * scale
    trunk = np.array([outlet, (6 * scale, -0.02 * b, heart[2] + 44 * scale)])
    hila = [np.array([trunk[1], (side * 42 * scale, 0.12 * b, heart[2] + 40 * scale)]) for side in (-1, 1)]
    split = np.array([0, 0.1 * b, heart[2] + 55 * scale])
    pipe = np.array([(0, 0.02 * b, c + BEYOND_MM), split])
    bronchi = [np.array([split, (side * 34 * scale, 0.14 * b, split[2] - 24 * scale)]) for side in (-1, 1)]
    gullet = np.array(
        [(0, 0.16 * b, c + BEYOND_MM), (4 * scale, back - 12 * scale, 0), (16 * scale, back - 14 * scale, -c)]
    )
    above = 1 - frame.fill(frame.grid.axes()[2] - _dome(frame))
    return {
        "heart": frame.fill(np.maximum(whole, frame.cavity)) * above,
        "myocardium": frame.fill(np.maximum(wall, frame.cavity)) * above,
        "blood": frame.tube(arch, (14, 11)),
        "blood/2": np.maximum(frame.tube(cava, (9, 9)), frame.tube(trunk, (13, 12))),
        "blood/3": np.maximum(*(frame.tube(knots, (10, 7)) for knots in hila)),
        "oesophagus": frame.tube(gullet, (7, 7)),
        "air": frame.tube(pipe, (8.5, 8.5)),
        "air/2": np.maximum(*(frame.tube(knots, (6.5, 5)) for knots in bronchi)),
    }
