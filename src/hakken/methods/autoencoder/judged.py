"""Where the error of a patch is judged. Axes are (z, y, x), units are voxels."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Triple = tuple[int, int, int]


def judged_voxels(inside: NDArray[np.bool_], patch: Triple, least_inside: float) -> NDArray[np.bool_]:
    """Return the voxels ``inside`` (z, y, x) of whose patch (z, y, x) at least the share ``least_inside`` lies inside.

    A patch holds its voxel at index ``patch // 2``; beyond the image nothing lies inside.
    """
    share = ndimage.uniform_filter(inside.astype(np.float64), patch, mode="constant")
    return np.asarray(inside & (share >= least_inside - 1e-9))
