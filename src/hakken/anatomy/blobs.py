"""Irregular roundish bodies: lesions whose surface waves with the direction."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from hakken.anatomy.shapes import Points


@dataclass(frozen=True)
class Blob:
    """A roundish body: centre x, y, z in mm in the body's space, radius in mm, and its irregularity.

    ``waves`` (k, 3), ``phases`` (k,) and ``height`` make the radius depend on the direction.
    """

    centre: tuple[float, float, float]
    radius: float
    waves: NDArray[np.float64]
    phases: NDArray[np.float64]
    height: float

    def distance(self, offsets: Points) -> Points:
        """Return the signed distance in mm, negative inside, of points (n, 3) given relative to the centre."""
        far = np.linalg.norm(offsets, axis=-1)
        unit = offsets / np.maximum(far, 1e-6)[:, None]
        surface = self.radius * (1 + self.height * np.sin(unit @ self.waves.T + self.phases).mean(-1))
        return np.asarray(far - surface)


def draw_blob(place: Points, radius: float, height: float, random: Generator) -> Blob:
    """Draw an irregular body with the volume of a ball of this radius; ``height`` is the SD of its surface."""
    x, y, z = place.tolist()
    waves, phases = random.normal(0, 1.8, (4, 3)), random.uniform(0, 2 * np.pi, 4)
    rough = Blob((x, y, z), 1.0, waves, phases, 2 * height)
    surface = 1 - rough.distance(ball_directions())
    return replace(rough, radius=float(radius / np.cbrt((surface**3).mean())))


def ball_directions(count: int = 300) -> Points:
    """Return unit vectors (n, 3) spread evenly over the sphere, on a golden spiral."""
    height = 1 - (2 * np.arange(count) + 1) / count
    turn = np.pi * (3 - np.sqrt(5)) * np.arange(count)
    width = np.sqrt(1 - height**2)
    return np.stack([width * np.cos(turn), width * np.sin(turn), height], axis=-1)
