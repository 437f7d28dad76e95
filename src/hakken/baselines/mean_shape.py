"""A baseline of segmentation that does not look at the image: where lesions of the training cases lie on average.

The training masks are averaged down within the box around each case's mask (32 cells an axis; the whole image where the
study has no mask) and averaged over the cases. A lesion is where this map, stretched over the box of a case, reaches a
level; which level has the highest mean Dice on validation. What a network has learnt beyond where lesions usually are
is the difference from it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hakken.baselines._box import averaged, box_of, spread
from hakken.baselines._dice import mean_dice
from hakken.core.errors import HakkenError
from hakken.imaging.cases import Case, image
from hakken.imaging.prepared import PreparedCase
from hakken.outcomes.masks import Mask
from hakken.study import Study

OUTCOMES = ("masks",)
CASES = "images"
TRAINING = True
CELLS = 32
LEVELS = 49
"""Levels that are tried, evenly between 0 and the map's maximum."""

NAME = ""
"""There is one mask of a case, so it needs no name."""


def fit(cases: Sequence[Case], study: Study, training: Sequence[Case]) -> dict[str, Any]:
    """Return the map and the level with the highest mean Dice over ``cases``, the first of equals.

    Raises HakkenError where no training case has a lesion.
    """
    learnt, shown = [image(case) for case in training], [image(case) for case in cases]
    shares = np.mean([averaged((case.labels() > 0)[box_of(case)], _grid(case)) for case in learnt], axis=0)
    if not shares.any():
        raise HakkenError(
            f"baseline `mean_shape`: none of the {len(training)} training cases has a lesion; leave the baseline out"
        )
    levels = float(shares.max()) * np.arange(1, LEVELS + 1) / (LEVELS + 1)
    values, truths, outside = [], [], []
    for case in shown:
        inside, truth = case.mask() > 0, case.labels() > 0
        values.append(_stretched(shares, case)[inside])
        truths.append(truth[inside])
        outside.append(int(truth[~inside].sum()))
    reached = mean_dice(values, truths, outside, levels)
    best = int(np.argmax(reached))
    return {"shares": shares.tolist(), "level": float(levels[best]), "dice": float(reached[best])}


def predict(values: Mapping[str, Any], case: Case, study: Study) -> dict[str, Any]:
    """Return the mask of a case: where the map reaches the level, within the case's mask."""
    found = image(case)
    beyond = _stretched(np.array(values["shares"], np.float32), found) >= values["level"]
    mask: Mask = beyond & (found.mask() > 0)
    return {"masks": {NAME: mask}}


def words(values: Mapping[str, Any], study: Study) -> str:
    """Return the rule in a few words."""
    return f"where at least {100 * values['level']:.2g} % of the training cases have a lesion"


def _grid(case: PreparedCase) -> tuple[int, int, int]:
    return (1 if case.geometry.is_flat else CELLS, CELLS, CELLS)


def _stretched(shares: NDArray[np.float32], case: PreparedCase) -> NDArray[np.float32]:
    """Return the map on the grid of a case (z, y, x), 0 outside the box around its mask."""
    box = box_of(case)
    whole = np.zeros(case.geometry.shape_zyx, np.float32)
    whole[box] = spread(shares, whole[box].shape)
    return whole
