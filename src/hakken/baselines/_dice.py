"""The mean Dice of masks at many thresholds at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float32]


def mean_dice(
    values: Sequence[Values],
    truths: Sequence[NDArray[np.bool_]],
    outside: Sequence[int],
    levels: NDArray[Any],
    above: bool = True,
) -> NDArray[np.float64]:
    """Return the mean Dice (levels,) over cases of the voxels at or beyond each level.

    ``values`` and ``truths`` (n,) are those of the voxels within each case's mask, ``outside`` how many lesion voxels
    lie beyond it. Cases without a lesion count with 0 unless nothing is found in them, where they have no Dice.
    """
    rows = []
    for own, truth, beyond in zip(values, truths, outside, strict=True):
        shared = _counts(own[truth], levels, above)
        total = _counts(own, levels, above) + int(truth.sum()) + beyond
        with np.errstate(invalid="ignore"):
            rows.append(2 * shared / total)
    defined = np.stack(rows)
    known = ~np.isnan(defined)
    return np.asarray(np.where(known, defined, 0).sum(0) / np.maximum(known.sum(0), 1), float)


def _counts(values: Values, levels: NDArray[Any], above: bool) -> NDArray[np.int64]:
    """Return how many values lie at or beyond each level."""
    ordered = np.sort(values)
    if above:
        return np.asarray(len(ordered) - np.searchsorted(ordered, levels, side="left"), np.int64)
    return np.asarray(np.searchsorted(ordered, levels, side="right"), np.int64)
