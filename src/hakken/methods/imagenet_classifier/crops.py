"""Crops of one lesion for a classifier: axial slices through it, all channels, the lesion's centre in their middle."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from hakken.imaging.prepared import Lesion, PreparedCase
from hakken.patches.shards import cut_patch

SLICES = 5
"""Slices of a lesion at most: the probabilities of its classes are averaged over them."""

CORE = 0.5
"""Share of the lesion's radius within which slices are taken, above and below its centre."""


def slices_of(lesion: Lesion, case: PreparedCase) -> tuple[tuple[int, int], tuple[int, ...]]:
    """Return the voxel (y, x) of a lesion's centre and the slices z through its core, at least the middle one."""
    centre = np.rint(case.geometry.to_voxel(lesion.centre)[0]).astype(int)
    depth, height, width = case.geometry.shape_zyx
    z, y, x = (int(index) for index in np.clip(centre, 0, np.array([depth, height, width]) - 1))
    reach = CORE * lesion.diameter / 2 / case.geometry.spacing[2]
    first, last = max(z - round(reach), 0), min(z + round(reach), depth - 1)
    count = min(SLICES, last - first + 1)
    return (y, x), tuple(sorted(set(np.rint(np.linspace(first, last, count)).astype(int).tolist())))


def lesion_crops(case: PreparedCase, lesion: Lesion, edge: int) -> NDArray[np.float16]:
    """Return the crops (slices, c, edge, edge) of a lesion of a prepared case; beyond the image they are 0."""
    image: NDArray[Any] = case.image()
    (y, x), slices = slices_of(lesion, case)
    return np.stack([cut_patch(image[:, z], (y, x), edge) for z in slices])
