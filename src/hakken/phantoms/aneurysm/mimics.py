"""What looks like an aneurysm on time-of-flight angiography and is none: bright fat, vessels that touch, sinuses."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator

from hakken.anatomy.head import Anatomy
from hakken.anatomy.shapes import Points
from hakken.anatomy.tubes import Tubes, along, curve, join
from hakken.phantoms.aneurysm.arteries import Arteries
from hakken.phantoms.aneurysm.branching import unit


@dataclass(frozen=True)
class Mimics:
    """Pieces of what shines like blood, and where each mimic is: kind and place x, y, z in mm of the head."""

    tubes: Tubes
    places: tuple[tuple[str, Points], ...]


def draw_mimics(anatomy: Anatomy, arteries: Arteries, vein: float, random: Generator) -> Mimics:
    """Draw the mimics of one head; ``vein`` is the signal of venous blood relative to fast arterial flow."""
    kissing, touching = _kissing(arteries, random)
    fat, spots = _fat(anatomy, arteries, random)
    places = [("kissing vessel", place) for place in touching]
    places += [("bright fat", place) for place in spots]
    places += [("infundibulum", place) for place in arteries.infundibula]
    places += [("vessel loop", place) for place in arteries.growth.loops]
    return Mimics(join([*kissing, *fat, *_sinuses(anatomy, vein, random)]), tuple(places))


def _kissing(arteries: Arteries, random: Generator) -> tuple[list[Tubes], list[Points]]:
    """Return thin arteries that cross a thick one and touch it, as if something grew out of it."""
    middle, radii = arteries.tubes.ends.mean(1), arteries.tubes.radii.mean(-1)
    near = np.linalg.norm(middle - arteries.centre, axis=-1) < 45 * arteries.reach
    thick = np.flatnonzero(near & (radii > 0.9) & (radii < 2.0))
    tubes, places = [], []
    for number in random.choice(thick, int(random.integers(3, 7))):
        heading = unit(arteries.tubes.ends[number, 1] - arteries.tubes.ends[number, 0])
        side = unit(np.cross(heading, random.normal(size=3)))
        width = float(random.uniform(0.5, 0.95))
        place = middle[number] + side * (radii[number] + 0.9 * width)
        way = unit(np.cross(heading, side) + 0.4 * random.normal(size=3))
        bend, half = random.uniform(0.5, 2.5), random.uniform(5, 9) * arteries.reach
        far = place + side * bend
        knots = np.array([far - way * half + side * bend, place - 0.35 * way * half, place, place + 0.35 * way * half])
        knots = np.concatenate([knots, [far + way * half + side * bend * random.uniform(0, 2)]])
        line = curve(knots, 0.7)
        signal = np.interp(np.linspace(0, 1, len(line)), [0, 0.25, 0.75, 1], [0.25, 0.85, 0.85, 0.25])
        tubes.append(along(line, np.full(len(line), width), signal * random.uniform(0.8, 1.0)))
        places.append(place)
    return tubes, places


def _fat(anatomy: Anatomy, arteries: Arteries, random: Generator) -> tuple[list[Tubes], list[Points]]:
    """Return lumps of bright fat below the circle, in the marrow of the skull's base and beside the sinuses."""
    tubes, places = [], []
    for _ in range(int(random.integers(6, 12))):
        away = random.normal(0, 1, 3) * (16, 14, 7) + (0, -4, -26)
        place = arteries.centre + arteries.reach * away
        outside = anatomy.grid.sample(anatomy.wall.head, place[None])[0] < 0.99
        if outside or arteries.tubes.near(place, 6).distance(place[None])[0] < 0.5:
            continue
        length, width = random.uniform(0.1, 2.5), float(random.uniform(0.9, 2.4))
        ends = place + np.array([[-0.5], [0.5]]) * length * unit(random.normal(size=3))
        tubes.append(along(ends, np.full(2, width), np.full(2, random.uniform(0.4, 0.8))))
        places.append(place)
    a, b, c = anatomy.radii
    for side in (-1.0, 1.0):  # the fat behind the eyes
        knots = np.array([(0.40, -0.62, -0.74), (0.36, -0.76, -0.76)]) * (side * a, b, c)
        signal = random.uniform(0.35, 0.5)
        tubes.append(along(knots, np.array([1.6, 4.0]) * anatomy.scale, np.full(2, signal)))
    return tubes, places


def _sinuses(anatomy: Anatomy, vein: float, random: Generator) -> list[Tubes]:
    """Return the sagittal, straight and transverse sinuses, faint, for their blood was saturated above the slab."""
    a, b, c = anatomy.radii
    angle = np.linspace(-0.75, 1.4, 12)
    sagittal = np.stack([random.normal(0, 0.3, 12), b * np.sin(angle), c * np.cos(angle)], -1) * 1.02
    straight = np.array([(0, 0.28, 0.06), (0, 0.45, -0.05), (0, 0.7, -0.22), (0, 0.98, -0.36)]) * (a, b, c)
    lines = [(sagittal, np.linspace(1.2, 3.2, 12)), (straight, np.linspace(1.0, 2.0, 4))]
    strong = float(random.choice([-1.0, 1.0]))
    for side in (-1.0, 1.0):
        knots = np.array([(0, 1, -0.36), (0.45, 0.9, -0.42), (0.8, 0.55, -0.52), (0.8, 0.28, -0.75), (0.7, 0.2, -1)])
        width = (3.2 if side == strong else 2.2) * random.uniform(0.8, 1.1)
        lines.append((knots * (side * a, b, c), np.full(5, width)))
    tubes = []
    for knots, radii in lines:
        line = curve(knots, 1.5)
        widths = np.interp(np.linspace(0, 1, len(line)), np.linspace(0, 1, len(radii)), radii) * anatomy.scale
        tubes.append(along(line, widths, np.full(len(line), vein * random.uniform(0.8, 1.2))))
    return tubes
