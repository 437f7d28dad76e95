"""How far a mask reaches: its largest diameter."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import ndimage
from scipy.spatial import ConvexHull
from scipy.spatial.distance import pdist

from hakken.evaluation.findings import Flags


def largest_diameter(mask: Flags, spacing_zyx: Sequence[float]) -> float | None:
    """Return the largest distance between two points of a mask (z, y, x), in the unit of ``spacing_zyx``.

    Of an empty mask it is None. The points are the middles of the faces of its voxels, of a flat mask (one slice) those
    of their edges: a row of n voxels of edge a is n a long, and a single voxel as long as its longest edge.

    >>> largest_diameter(np.ones((1, 1, 5), bool), (1.0, 1.0, 2.0))
    10.0
    """
    rows = np.argwhere(mask.any(axis=2))
    if not len(rows):
        return None
    lines = mask[tuple(rows.T)]
    last = mask.shape[2] - 1
    ends = np.concatenate([lines.argmax(1), last - lines[:, ::-1].argmax(1)])  # what lies between them is no corner
    axes = [1, 2] if mask.shape[0] == 1 else [0, 1, 2]
    places = np.column_stack([np.tile(rows, (2, 1)), ends])[:, axes].astype(float)
    halves = np.concatenate([np.eye(len(axes)), -np.eye(len(axes))]) / 2
    points = ((places[:, None] + halves) * np.asarray(spacing_zyx, float)[axes]).reshape(-1, len(axes))
    return float(pdist(points[ConvexHull(points).vertices]).max())


def largest_of_pieces(mask: Flags, spacing_zyx: Sequence[float]) -> float | None:
    """Return the largest diameter of any of the 26-connected pieces of a mask (z, y, x), its lesions; None if empty.

    >>> largest_of_pieces(np.array([[[True, True, False, True]]]), (1.0, 1.0, 1.0))
    2.0
    """
    pieces, _ = ndimage.label(mask, np.ones((3, 3, 3), bool))
    boxes = enumerate(ndimage.find_objects(pieces), start=1)
    flat = mask.shape[0] == 1
    found = [_of_piece(pieces[box] == number, spacing_zyx, flat) for number, box in boxes]
    return max(found, default=None)


def _of_piece(piece: Flags, spacing_zyx: Sequence[float], flat: bool) -> float:
    """Return the largest diameter of a piece within its box; that of one slice of a volume is not flat."""
    whole = piece if flat else np.pad(piece, ((0, 1), (0, 0), (0, 0)))
    return largest_diameter(whole, spacing_zyx) or 0.0
