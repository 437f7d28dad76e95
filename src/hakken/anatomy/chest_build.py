"""The solids of a chest on X-rays: how its body, lungs, heart, diaphragm and spine are bounded.

The space is that of `hakken.anatomy.rays`. Lengths are those of an adult man of 264 mm between the ribs and scale with
the body. Surfaces are signed distances in mm, negative inside.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.random import Generator

from hakken.anatomy.shapes import Array, ellipsoid

SOFT, LUNG = 0.0190, 0.0052
"""Attenuation of soft tissue and of the inflated lung per mm at about 70 keV."""


@dataclass(frozen=True)
class Build:
    """The measures of one chest: ``scale`` of a man, ``wall`` in mm, the height z of the right dome of the diaphragm.

    ``heart`` is its size, ``air`` the density of the lung, ``breast`` the size of the breasts, 0 without; ``side`` is
    -1 where heart and stomach are on the right. ``fluid`` is a side, -1 or 1, and the height z of the effusion there.
    """

    scale: float
    wall: float
    diaphragm: float
    heart: float
    air: float
    breast: float
    side: float = 1.0
    fluid: tuple[float, float] | None = None

    @property
    def half(self) -> tuple[float, float]:
        """Half of the width and of the depth between the ribs in mm."""
        return 132 * self.scale, 88 * self.scale

    @property
    def apex(self) -> float:
        """How high the lungs reach, z in mm."""
        return 118 * self.scale

    @property
    def heart_centre(self) -> tuple[float, float, float]:
        """The middle of the heart, whichever side it is on."""
        return self.side * 26 * self.scale, -22 * self.scale, self.diaphragm + 40 * self.scale

    def cavity(self, x: Array, y: Array, z: Array) -> Array:
        """Return the signed distance in mm to the inside of the ribs, negative inside."""
        narrow = _narrowing(z, 10 * self.scale, self.apex)
        across, along = (np.float32(half) * narrow for half in self.half)
        near = np.sqrt((x / across) ** 2 + (y / along) ** 2)
        return np.asarray(near * (near - 1) / np.sqrt((x / across**2) ** 2 + (y / along**2) ** 2 + 1e-9), np.float32)

    def body(self, x: Array, y: Array, z: Array) -> Array:
        """Return the signed distance to the skin, shoulders and breasts included."""
        across, along = (half + self.wall for half in self.half)
        high = np.clip((z - 50 * self.scale) / (90 * self.scale), 0, 1) ** 2
        wide, deep = across * (1 + 0.4 * high), along * (1 - 0.3 * high)
        near = np.sqrt((x / wide) ** 2 + (y / deep) ** 2)
        trunk = near * (near - 1) / np.sqrt((x / wide**2) ** 2 + (y / deep**2) ** 2 + 1e-9)
        slope = (z - self.apex - 40 * self.scale) + 0.45 * np.maximum(np.abs(x) - 60 * self.scale, 0)
        neck = np.sqrt(x**2 + (y - 10 * self.scale) ** 2) - 58 * self.scale
        trunk = np.minimum(np.maximum(trunk, slope), np.maximum(neck, 60 * self.scale - z))
        if self.breast:
            radii = tuple(size * self.breast * self.scale for size in (58, 38, 50))
            front = -0.8 * along
            for side in (-1, 1):
                place = (side * 76 * self.scale, front, -48 * self.scale)
                trunk = np.minimum(trunk, ellipsoid((x, y, z), place, radii))
        return np.asarray(trunk, np.float32)

    def dome(self, x: Array, y: Array) -> Array:
        """Return the height z of the diaphragm, higher on the right."""
        across, along = self.half
        aside = (np.abs(x) - 0.5 * across) / (0.62 * across)
        lower = 10 * self.scale * (x * self.side > 0)
        drop = 58 * self.scale * (aside**2 + ((y + 8 * self.scale) / (1.15 * along)) ** 2)
        return np.asarray(self.diaphragm - lower - drop, np.float32)

    def middle(self, x: Array, y: Array, z: Array) -> Array:
        """Return the signed distance to heart, great vessels, mediastinum and spine, negative inside."""
        scale = self.scale
        wide = (21 + 7 * np.exp(-(((z - 12 * scale) / (38 * scale)) ** 2))) * scale
        wide = wide * np.clip(1.15 + y / (90 * scale), 0.35, 1)
        spine = np.sqrt(x**2 + (y - np.float32(62 * scale)) ** 2) - np.float32(25 * scale)
        own = x * np.float32(self.side)
        arch = ellipsoid((own, y, z), (17 * scale, 22 * scale, 62 * scale), (19 * scale, 34 * scale, 19 * scale))
        cava = np.maximum(np.sqrt((own + 15 * scale) ** 2 + (y + 12 * scale) ** 2) - 15 * scale, -z)
        return np.asarray(np.minimum.reduce([np.abs(x) - wide, spine, arch, cava, self.heart_at(x, y, z)]), np.float32)

    def heart_at(self, x: Array, y: Array, z: Array) -> Array:
        """Return the signed distance to the heart, whose long axis points down to its side."""
        right, back, up = self.heart_centre
        across, high = (x - np.float32(right)) * np.float32(self.side), z - np.float32(up)
        along, over = 0.82 * across - 0.57 * high, 0.57 * across + 0.82 * high
        radii = tuple(size * self.heart * self.scale for size in (66, 46, 47))
        return ellipsoid((along, y - np.float32(back), over), (0, 0, 0), radii)

    def lungs(self, x: Array, y: Array, z: Array) -> Array:
        """Return the signed distance to the lungs, negative inside."""
        within = np.maximum(self.cavity(x, y, z) + np.float32(3), self.dome(x, y) - z)
        return np.asarray(np.maximum(within, -self.middle(x, y, z)), np.float32)

    def stomach_gas(self, x: Array, y: Array, z: Array) -> Array:
        """Return the signed distance to the gas under the diaphragm."""
        place = (self.side * 62 * self.scale, -15 * self.scale, self.diaphragm - 38 * self.scale)
        return ellipsoid((x, y, z), place, tuple(size * self.scale for size in (26, 22, 14)))

    def spine(self, x: Array, y: Array, z: Array) -> Array:
        """Return the signed distance to the vertebral bodies, the discs between them left out."""
        scale = self.scale
        column = np.sqrt(x**2 + ((y - np.float32(60 * scale)) * np.float32(1.2)) ** 2) - np.float32(17 * scale)
        level = np.cos(2 * np.pi * z / (25 * scale))
        return np.asarray(np.maximum(column, (-np.float32(0.8) - level) * np.float32(5 * scale)), np.float32)

    def effusion(self, x: Array, z: Array) -> Array:
        """Return how far below the surface of the effusion, which rises to the side, z lies; negative within it."""
        assert self.fluid is not None
        side, level = self.fluid
        outwards = np.clip((x * side / self.half[0] - 0.5) / 0.5, 0, 1)
        return np.asarray(np.maximum(z - level - 42 * self.scale * outwards**2, -x * side), np.float32)


def draw_build(sex: str, random: Generator) -> Build:
    """Draw the measures of a chest; they depend on the sex."""
    woman = sex == "F"
    scale = (0.92 if woman else 1.0) * float(np.exp(np.clip(random.normal(0, 0.045), -0.1, 0.1)))
    stout, breath = float(random.beta(1.8, 2.2)), float(random.beta(2, 1.6))
    return Build(
        scale=scale,
        wall=(16 + 26 * stout) * scale,
        diaphragm=(-58 - 34 * breath) * scale,
        heart=float(random.uniform(0.86, 1.08)) * (1 + 0.05 * (1 - breath)),
        air=LUNG * float(random.uniform(0.9, 1.1)) * (1.12 - 0.2 * breath),
        breast=float(random.uniform(0.55, 1.15)) if woman else 0.0,
    )


def _narrowing(z: Array, start: float, end: float) -> Array:
    """Return by what the chest is narrower at a height, 1 below ``start`` and next to 0 at its ``end``."""
    part = np.clip((z - np.float32(start)) / np.float32(end - start), 0, 1)
    return np.asarray(np.maximum(np.sqrt(1 - part**2.6), 0.04), np.float32)
