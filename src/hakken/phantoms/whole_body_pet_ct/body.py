"""A normal body from vertex to thigh: tissues as layers, painted one over the other, as in `chest_pet_ct`.

Lengths are those of an adult whose vertex lies 1,000 mm above the middle of the thighs, and scale with the body. Its
own space: x to its left, y to its back, in mm, and t, mm below the vertex. Arrays are ordered (z, y, x), z to the head.
A layer fills the slab of slices that it lies in, which makes a body as cheap as a chest.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.random import Generator

from hakken.anatomy.shapes import Array, Grid, ellipsoid, occupancy, smooth_field

ADULT_MM = 1000.0
ABOVE_MM = 8.0
"""Air above the vertex."""

CHIN, APEX, CREST, CROTCH = 212.0, 288.0, 715.0, 930.0
HALFWAY = 30.0
"""The diaphragm's dome is half crossed so far below its top: the border of chest and abdomen."""

SIDES = (-1, 1)
"""Right and left."""

Knots = Sequence[tuple[float, ...]]

# t, half width x, half depth y of an adult of middle weight.
TRUNK: Knots = (
    *((262, 40, 45), (285, 118, 66), (305, 165, 86), (350, 170, 104), (450, 162, 116), (560, 152, 112)),
    *((640, 147, 104), (720, 164, 106), (800, 175, 112), (880, 172, 112), (930, 165, 104)),
)
CAVITY: Knots = ((284, 20, 20), (310, 74, 46), (350, 110, 68), (450, 130, 84), (560, 134, 86), (620, 128, 84))


@dataclass(frozen=True)
class Slab:
    """The slices of a layer, and the occupancy (z, y, x) of its tissue there."""

    tissue: str
    slices: slice
    share: Array


@dataclass(frozen=True)
class Frame:
    """The measures of one body; ``dome``: t of the right dome of the diaphragm, ``young``: how dense marrow is, 0 to 1.

    ``scale`` is the body's length over an adult's, ``bladder_ml`` what the bladder holds at the time of CT.
    """

    grid: Grid
    scale: float
    stout: float
    young: float
    sex: str
    arms: Literal["up", "down"]
    dome: float
    bladder_ml: float

    @cached_property
    def axes(self) -> tuple[Array, Array, Array]:
        """x (1, 1, X), y (1, Y, 1) and t (Z, 1, 1) in mm of an adult."""
        x, y, z = (axis / np.float32(self.scale) for axis in self.grid.axes())
        return x, y, np.float32(self.grid.shape[0] * self.step / 2 - ABOVE_MM) - z

    @property
    def step(self) -> float:
        """Edge of a voxel in mm of an adult."""
        return self.grid.step / self.scale

    def slab(self, first: float, last: float) -> slice:
        """Return the slices between two depths t."""
        t = self.axes[2].ravel()
        inside = np.flatnonzero((t > first - self.step) & (t < last + self.step))
        return slice(int(inside[0]), int(inside[-1]) + 1) if len(inside) else slice(0, 0)

    def within(self, slices: slice) -> tuple[Array, Array, Array]:
        """Return the axes of a slab."""
        x, y, t = self.axes
        return x, y, t[slices]

    def layer(self, tissue: str, slices: slice, distance: Array, strength: Array | float = 1.0) -> Slab:
        """Return the layer inside a surface of signed distance in mm, times ``strength``."""
        shape = (slices.stop - slices.start, *self.grid.shape[1:])
        share = np.broadcast_to(occupancy(distance, self.step), shape) * np.asarray(strength, np.float32)
        return Slab(tissue, slices, np.asarray(share, np.float32))

    def ball(self, tissue: str, centre: tuple[float, float, float], radii: tuple[float, float, float]) -> Slab:
        """Return an ellipsoid about x, y, t."""
        slices = self.slab(centre[2] - radii[2], centre[2] + radii[2])
        return self.layer(tissue, slices, ellipsoid(self.within(slices), centre, radii))

    def column(self, tissue: str, knots: Knots, inside: float = 0.0) -> Slab:
        """Return what runs along the body through ``knots`` of t, x, y and radius; ``inside``: so much thinner."""
        t, x, y, radius = (np.array(values, float) for values in zip(*knots, strict=True))
        slices = self.slab(float(t[0]), float(t[-1]))
        own = self.within(slices)[2]
        middle_x, middle_y, wide = (np.interp(own, t, values).astype(np.float32) for values in (x, y, radius))
        distance = np.sqrt((self.within(slices)[0] - middle_x) ** 2 + (self.within(slices)[1] - middle_y) ** 2)
        ends = np.maximum(np.float32(t[0]) - own, own - np.float32(t[-1]))
        return self.layer(tissue, slices, np.maximum(distance - wide + np.float32(inside), ends))

    def profile(self, slices: slice, knots: Knots, wider: tuple[float, float] = (1.0, 1.0)) -> Array:
        """Return the signed distance (z, y, x) to a surface whose half width and depth change along the body."""
        x, y, own = self.within(slices)
        t, a, b = (np.array(values, float) for values in zip(*knots, strict=True))
        wide, deep = ((np.interp(own, t, v) * by).astype(np.float32) for v, by in zip((a, b), wider, strict=True))
        ends = np.maximum(np.float32(t[0]) - own, own - np.float32(t[-1]))
        round_ = (np.sqrt((x / wide) ** 2 + (y / deep) ** 2) - 1) * np.minimum(wide, deep)
        return np.asarray(np.maximum(round_, ends), np.float32)

    def height(self, x: Array, y: Array) -> Array:
        """Return t of the diaphragm at each (y, x), higher (smaller) on the right."""
        right = self.dome + 55 * (((x + 55) / 75) ** 2 + (y / 85) ** 2)
        left = self.dome + 14 + 55 * (((x - 55) / 75) ** 2 + (y / 85) ** 2)
        return np.asarray(np.minimum(right, left), np.float32)


@dataclass(frozen=True)
class Body:
    """The body of one patient: its layers, in the order in which they are painted."""

    frame: Frame
    layers: tuple[Slab, ...]

    def paint(self, values: dict[str, float | Array], background: float) -> Array:
        """Return the image (z, y, x) of the layers with the value, or the values (z, y, x), of each tissue."""
        image = np.full(self.frame.grid.shape, background, np.float32)
        for layer in self.layers:
            value, part = values[layer.tissue], image[layer.slices]
            own = value[layer.slices] if isinstance(value, np.ndarray) else np.float32(value)
            part += (own - part) * layer.share
        return image

    def share(self, *tissues: str) -> Array:
        """Return which share (z, y, x) of each voxel shows one of ``tissues`` when all layers are painted."""
        names = {layer.tissue for layer in self.layers}
        return self.paint({name: float(name in tissues) for name in names}, 0.0)

    def filled(self, bladder_ml: float) -> Body:
        """Return the body with so much in its bladder, as it is by the time of PET."""
        frame = self.frame
        full = tuple(_bladder(frame, bladder_ml) if one.tissue == "bladder" else one for one in self.layers)
        return Body(frame, full)


def draw_body(
    shape_mm: tuple[float, float, float],
    step: float,
    *,
    age: int,
    sex: str,
    stout: float,
    arms: Literal["up", "down"],
    random: Generator,
) -> Body:
    """Draw a body whose images are ``shape_mm`` (x, y, z) large, on voxels of ``step`` mm."""
    x, y, z = shape_mm
    frame = Frame(
        grid=Grid((round(z / step), round(y / step), round(x / step)), step),
        scale=z / ADULT_MM * float(random.uniform(0.96, 1.02)),
        stout=stout,
        young=float(np.clip(1 - (age - 35) / 50 + random.normal(0, 0.15), 0, 1)),
        sex=sex,
        arms=arms,
        dome=float(random.uniform(455, 485)),
        bladder_ml=float(random.uniform(60, 300)),
    )
    parts = (_outline(frame), _muscles(frame), _thorax(frame, random), _abdomen(frame, random), _vessels(frame))
    inner = (*(one for part in parts for one in part), *_bones(frame), *_head(frame), *_urinary(frame, random))
    return Body(frame, inner)


def _limbs(frame: Frame) -> dict[str, Knots]:
    """Return the courses of legs and arms; each has the radius of its skin."""
    thigh, limb = 75 + 8 * frame.stout, 38 + 9 * frame.stout
    found: dict[str, Knots] = {}
    for side in SIDES:
        found[f"leg {side}"] = ((870, side * 88, 5, thigh), (1010, side * 86, 5, thigh - 4))
        beside = side * (204 + 20 * frame.stout)
        found[f"arm {side}"] = (
            ((-20, side * 105, 0, limb - 6), (60, side * 138, 0, limb - 2), (290, side * 158, 10, limb + 6))
            if frame.arms == "up"
            else ((300, side * 170, 10, limb + 4), (360, beside, 15, limb), (800, beside, 15, limb - 8))
        )
    return found


def _trunk(frame: Frame, slices: slice) -> Array:
    return frame.profile(slices, TRUNK, (0.92 + 0.2 * frame.stout, 0.95 + 0.26 * frame.stout))


def _skin(frame: Frame) -> float:
    return 7 + 20 * frame.stout


def _outline(frame: Frame) -> list[Slab]:
    """Return the fat that everything else lies in."""
    trunk = frame.slab(262, 930)
    layers = [
        frame.ball("fat", (0, 0, 105), (77, 96, 105)),
        frame.ball("fat", (0, -35, 182), (54, 56, 34)),
        frame.column("fat", ((150, 0, 12, 56), (260, 0, 14, 57 + 6 * frame.stout), (300, 0, 14, 70))),
        frame.layer("fat", trunk, _trunk(frame, trunk)),
        *(frame.column("fat", knots) for knots in _limbs(frame).values()),
    ]
    if frame.sex == "F":
        layers += [frame.ball("fat", (side * 75, -100 - 18 * frame.stout, 425), (46, 40, 44)) for side in SIDES]
    return layers


def _muscles(frame: Frame) -> list[Slab]:
    """Return the muscles below the skin's fat, and the fat that the organs of the trunk lie in."""
    trunk, belly = frame.slab(275, 930), frame.slab(470, 900)
    skin = _skin(frame)
    wall = frame.slab(262, 930)
    inner = frame.profile(belly, ((470, 130, 86), (640, 118, 76), (720, 118, 78), (800, 100, 80), (895, 70, 66)))
    muscle = np.float32(skin) + _trunk(frame, wall)
    offset = trunk.start - wall.start
    return [
        frame.ball("muscle", (0, 0, 105), (72, 91, 100)),
        frame.ball("muscle", (0, -35, 182), (49, 51, 30)),
        frame.column("muscle", ((160, 0, 14, 46), (300, 0, 16, 52))),
        frame.layer("muscle", trunk, muscle[offset : offset + trunk.stop - trunk.start]),
        *(frame.column("muscle", knots, 6 + 9 * frame.stout) for knots in _limbs(frame).values()),
        frame.layer("visceral fat", belly, inner),
        *(frame.column("muscle", ((590, s * 30, 40, 12), (720, s * 36, 38, 19), (860, s * 62, 10, 18))) for s in SIDES),
        frame.ball("muscle", (0, 4, 886), (22, 22, 20)),
    ]


def _thorax(frame: Frame, random: Generator) -> list[Slab]:
    """Return ribs, lungs with vessels, heart, gullet and windpipe."""
    chest = frame.slab(284, 620)
    (x, y, t), cavity = frame.within(chest), frame.profile(chest, CAVITY)
    below = t - frame.height(x, y)  # positive below the diaphragm
    aside = np.maximum(np.float32(23) + 6 * y / 80 - np.abs(x), np.float32(27) - np.hypot(x, y - np.float32(58)))
    lungs = np.maximum(np.maximum(cavity + np.float32(2), aside), below)
    slant = np.cos(2 * np.pi * (t - np.float32(0.5) * y) / 28)
    ribs = np.maximum(np.abs(cavity - np.float32(4)) - np.float32(4), (np.float32(0.15) - slant) * np.float32(7))
    ribs = np.maximum(ribs, np.maximum(np.float32(296) - t, t - np.float32(600)))
    lung = frame.layer("lung", chest, lungs)
    texture = smooth_field(lung.share.shape, frame.step, 30, random)
    heart = np.array([16, -28, frame.dome - 36]) + random.normal(0, 3, 3)
    chamber = heart + np.array([20, 5, 9])
    return [
        frame.layer("bone", chest, ribs),
        frame.layer("mediastinal fat", chest, np.maximum(cavity, below)),
        lung,
        Slab("vessel", chest, lung.share * np.clip(texture - np.float32(1.3), 0, 0.7) * (np.abs(x) < 85)),
        frame.ball("heart", tuple(heart), (50, 40, 44)),
        frame.ball("myocardium", tuple(chamber), (33, 30, 37)),
        frame.ball("heart", tuple(chamber), (22, 19, 26)),
        frame.column("oesophagus", ((230, 4, 30, 7), (420, 4, 34, 7), (500, 18, 30, 8))),
        frame.column("air", ((196, 0, -22, 8), (300, 0, 0, 9), (392, 0, 14, 9))),
    ]


def _abdomen(frame: Frame, random: Generator) -> list[Slab]:
    """Return bowel with its gas, liver, spleen and stomach."""
    belly, upper = frame.slab(540, 850), frame.slab(440, 690)
    knots = ((440, 128, 82), (640, 116, 74), (720, 112, 72), (850, 80, 62))
    inner = frame.profile(belly, knots)
    (x, y, t), high = frame.within(upper), frame.profile(upper, knots)
    above = frame.height(x, y) + np.float32(4) - t
    edge, low = random.uniform(10, 45), random.uniform(580, 612)
    liver = np.maximum(np.maximum(high + np.float32(3), above), np.maximum(x - edge + 0.3 * y, t - low + 0.4 * x))
    loops = smooth_field((belly.stop - belly.start, *frame.grid.shape[1:]), frame.step, 42, random)
    gas = smooth_field(loops.shape, frame.step, 34, random)
    front = frame.within(belly)[1] < 34
    wall = frame.layer("bowel", belly, inner + np.float32(8))
    inside = np.asarray(wall.share * front, np.float32)
    size = random.uniform(0.75, 1.15)
    return [
        Slab("bowel", belly, inside * np.clip(0.5 + 1.6 * loops, 0, 1)),
        Slab("gas", belly, inside * np.clip((gas - np.float32(1.4)) * 2, 0, 1) * np.clip(2 * loops, 0, 1)),
        frame.layer("liver", upper, liver),
        frame.ball("spleen", (92, 42, frame.dome + 72), (29, 34, 46)),
        frame.ball("stomach", (58, -34, frame.dome + 78), (38 * size, 32 * size, 44)),
        frame.ball("gas", (56, -44, frame.dome + 62), (22 * size, 14 * size, 22)),
    ]


def _vessels(frame: Frame) -> list[Slab]:
    """Return the great vessels."""
    return [
        frame.column("blood", ((346, 6, 0, 13), (372, 20, 30, 13), (500, 18, 36, 12), (690, 4, 28, 9))),
        frame.column("blood", ((346, -8, -14, 13), (frame.dome - 50, -12, -24, 14))),
        frame.column("blood", ((310, -26, -8, 9), (frame.dome - 30, -28, -12, 10))),
        frame.column("blood", ((frame.dome + 40, -16, 28, 11), (700, -14, 28, 10))),
        *(frame.column("blood", ((150, s * 24, 4, 5), (310, s * 22, 0, 6))) for s in SIDES),
        *(frame.column("blood", ((694, s * 10, 28, 7), (860, s * 60, -30, 7), (1000, s * 70, -25, 6))) for s in SIDES),
    ]


def _bones(frame: Frame) -> list[Slab]:
    """Return spine, sternum, shoulder blades, pelvis and long bones: dense bone first, the marrow within after."""
    spine: Knots = ((196, 0, 22, 11), (290, 0, 44, 13), (420, 0, 58, 16), (640, 0, 52, 20), (760, 0, 56, 20))
    column, marrow = frame.column("bone", spine), frame.column("marrow", spine, 3.0)
    discs = np.clip(1.2 + np.cos(2 * np.pi * frame.within(column.slices)[2] / 26) * 3, 0, 1).astype(np.float32)
    arch = tuple((t, x, y + 24, 9) for t, x, y, _ in spine)
    pairs: list[Slab] = []
    for side in SIDES:
        pairs += _shelled(frame, (side * 88, 62, 350), (34, 8, 50))
        pairs += _shelled(frame, (side * 82, 34, 775), (15, 48, 58))
        pairs += _shelled(frame, (side * 50, 30, 905), (17, 20, 22))
        pairs += _shelled(frame, (side * 94, 6, 872), (25, 25, 25))
        knots: Knots = ((880, side * 112, 4, 16), (930, side * 104, 2, 14), (1010, side * 92, 0, 13))
        pairs += [frame.column("bone", knots), frame.column("marrow", knots, 6)]
        arm = [(t, x, y, 12.0) for t, x, y, _ in _limbs(frame)[f"arm {side}"]]
        pairs += [frame.column("bone", arm), frame.column("marrow", arm, 5.5)]
    return [
        frame.column("disc", spine),
        Slab("bone", column.slices, column.share * discs),
        Slab("marrow", marrow.slices, marrow.share * discs[: marrow.share.shape[0]]),
        frame.column("bone", arch, -3.0),
        frame.column("cord", arch, 2.0),
        *_shelled(frame, (0, -80, 390), (18, 7, 62)),
        *_shelled(frame, (0, 64, 800), (44, 18, 48)),
        *pairs,
    ]


def _shelled(frame: Frame, centre: tuple[float, float, float], radii: tuple[float, float, float]) -> list[Slab]:
    """Return a flat or round bone with marrow inside."""
    a, b, c = (max(radius - 4, 1.5) for radius in radii)
    return [frame.ball("bone", centre, radii), frame.ball("marrow", centre, (a, b, c))]


def _head(frame: Frame) -> list[Slab]:
    """Return skull, brain, jaw, airways, glands of head and neck."""
    return [
        frame.ball("bone", (0, 6, 86), (70, 86, 82)),
        frame.ball("brain", (0, 6, 85), (63, 79, 75)),
        frame.ball("white matter", (0, 6, 78), (40, 55, 44)),
        frame.ball("csf", (0, 4, 82), (13, 28, 12)),
        frame.ball("bone", (0, -58, 190), (34, 18, 12)),
        frame.ball("air", (0, -48, 140), (20, 26, 16)),
        frame.column("air", ((150, 0, -16, 11), (196, 0, -22, 9))),
        *(frame.ball("gland", (s * 19, -6, 184), (8, 9, 12)) for s in SIDES),
        *(frame.ball("gland", (s * 52, 0, 165), (10, 16, 22)) for s in SIDES),
        *(frame.ball("thyroid", (s * 18, -20, 264), (9, 9, 17)) for s in SIDES),
    ]


def _urinary(frame: Frame, random: Generator) -> list[Slab]:
    """Return kidneys, ureters with their peaks of urine, and the bladder."""
    layers = []
    for side in SIDES:
        at = (side * 60 + random.normal(0, 3), 42.0, 592 - 12 * side + random.normal(0, 6))
        layers += [frame.ball("kidney", at, (27, 25, 53))]
        layers += [frame.ball("urine", (at[0] - side * 10, at[1] - 4, at[2] + 6), (9, 10, 18))]
        tube = frame.column(
            "ureter", ((at[2] + 20, side * 42, 34, 4), (700, side * 36, 22, 4), (790, side * 46, 34, 4))
        )
        end = frame.column("ureter", ((790, side * 46, 34, 4), (855, side * 18, 12, 4)))
        for one in (tube, end):
            t = frame.within(one.slices)[2]
            places = random.uniform(600, 850, 3)
            peaks = np.exp(-(((t - places.reshape(-1, 1, 1, 1)) / 11) ** 2)).max(0)
            layers += [Slab("ureter", one.slices, one.share * np.clip(0.15 + peaks, 0, 1).astype(np.float32))]
    return [*layers, _bladder(frame, frame.bladder_ml)]


def _bladder(frame: Frame, millilitres: float) -> Slab:
    """Return the bladder, which rises as it fills."""
    radius = float(np.cbrt(3 * millilitres * 1000 / (4 * np.pi)))
    return frame.ball("bladder", (0, -22, 888 - 1.05 * radius), (1.08 * radius, 0.9 * radius, radius))
