"""Masks as text: the runs of lesion voxels of each case and size of the network, one a line.

A mask (z, y, x) is gone through in C order, x fastest; a run begins at the flat index ``start`` and is ``length``
voxels long. Columns: ``case_id, levels, features, start, length``; a mask without a voxel has one line, of length 0.
What is no network, such as a threshold, has 0 levels.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from hakken.networks.unet import Size

COLUMNS = ("case_id", "levels", "features", "start", "length")

Mask = NDArray[np.bool_]
Runs = NDArray[np.int64]
Masks = Mapping[Size, Mask]
"""The masks (z, y, x) of one case, by size."""


def runs_of(mask: Mask) -> Runs:
    """Return the start and the length (n, 2) of each run of a mask.

    >>> runs_of(np.array([[[False, True, True], [True, False, True]]]))
    array([[1, 3],
           [5, 1]])
    """
    edges = np.flatnonzero(np.diff(np.asarray(mask, np.int8).ravel(), prepend=0, append=0)).reshape(-1, 2)
    return np.stack([edges[:, 0], edges[:, 1] - edges[:, 0]], 1)


def mask_of(runs: Runs, shape: tuple[int, ...]) -> Mask:
    """Return the mask of this shape that has these runs (n, 2); raises ValueError where one does not fit in it."""
    mask = np.zeros(int(np.prod(shape)), bool)
    for start, length in runs.tolist():
        if not 0 <= start <= start + length <= len(mask):
            raise ValueError(f"a run of {length} voxels from {start} on does not fit into {shape}")
        mask[start : start + length] = True
    return mask.reshape(shape)


def mask_table(found: Mapping[str, Masks]) -> str:
    """Return the masks of cases, by case id, as CSV."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(COLUMNS)
    for case_id, masks in found.items():
        for size, mask in masks.items():
            runs = runs_of(mask).tolist() or [(0, 0)]
            writer.writerows((case_id, size.levels, f"{size.features:g}", *run) for run in runs)
    return stream.getvalue()
