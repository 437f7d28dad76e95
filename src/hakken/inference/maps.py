"""Maps of scores over a case, on a lattice of its voxels. Axes are (z, y, x), units are voxels."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Triple = tuple[int, int, int]


@dataclass(frozen=True, eq=False)
class ScoreMap:
    """Probability of a lesion at lattice points: ``array`` (z, y, x), float32.

    Point (i, j, k) lies at voxel ``origin + (i, j, k) * step`` of the image; points outside the mask are 0.
    """

    array: NDArray[np.float32]
    origin: Triple
    step: Triple

    def to_voxel(self, points: NDArray[Any]) -> NDArray[np.float64]:
        """Return voxels (n, 3) z, y, x of lattice indices (n, 3) z, y, x; fractions are welcome."""
        return np.asarray(np.asarray(points, float) * self.step + self.origin)


def at_lattice(array: NDArray[Any], origin: Triple, step: Triple) -> NDArray[np.bool_]:
    """Return a mask (z, y, x) at the lattice points."""
    every = tuple(slice(start, None, distance) for start, distance in zip(origin, step, strict=True))
    return np.asarray(array[every]) > 0


def triple(values: Iterable[int]) -> Triple:
    """Return three whole numbers as a tuple."""
    z, y, x = (int(value) for value in values)
    return (z, y, x)
