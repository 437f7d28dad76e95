"""From a map of values at every voxel to candidates: connected components above a threshold, ranked by their maximum.

After Nakao et al., Jpn J Radiol 2022;40:730-739, where the map holds z and the threshold is 3.0. The threshold shapes
the components once; what moves along a FROC curve is the least maximum that a component needs to be shown.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from hakken.core.volume import Geometry
from hakken.inference.candidates import EVERYWHERE, Candidates


def components(
    values: NDArray[np.floating[Any]],
    geometry: Geometry,
    mask: NDArray[Any] | None = None,
    *,
    threshold: float,
    maximum: int,
) -> Candidates:
    """Return at most ``maximum`` 26-connected components of ``values`` (z, y, x) at or above ``threshold``.

    ``mask`` (z, y, x) limits where they may lie. A candidate's score is the component's highest value, its place the
    voxel that has it (of equals the first in z, y, x), its size that of the whole component. Equal scores are ordered
    by place.
    """
    inside = values >= threshold if mask is None else (values >= threshold) & (np.asarray(mask) > 0)
    labels, count = ndimage.label(inside, EVERYWHERE)
    voxels = np.flatnonzero(inside)
    owner, height = labels.ravel()[voxels], np.asarray(values, float).ravel()[voxels]
    ranked = np.lexsort((voxels, -height, owner))
    best = ranked[np.unique(owner[ranked], return_index=True)[1]]
    sizes = np.bincount(owner, minlength=count + 1)[1:] * geometry.voxel_size
    order = np.lexsort((voxels[best], -height[best]))[:maximum]
    places = np.stack(np.unravel_index(voxels[best[order]], values.shape), -1).astype(float)
    return Candidates(geometry.to_world(places), height[best[order]], np.asarray(sizes[order], float), places)
