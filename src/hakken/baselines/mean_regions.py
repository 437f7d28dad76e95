"""A baseline of regions that does not look at the image: where each region of the training cases lies on average.

As `mean_shape` does for lesions: the regions are averaged down within the box around each case's mask and averaged over
the cases. A voxel is of the region with the largest share there, if that reaches a level, which has the highest mean
Dice of the regions on validation.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hakken.baselines._box import averaged, box_of, spread
from hakken.core.errors import HakkenError
from hakken.imaging.cases import Case, image
from hakken.imaging.prepared import PreparedCase
from hakken.outcomes import Part, in_order
from hakken.outcomes.regions import Labels, objective
from hakken.study import Study

OUTCOMES = ("regions",)
CASES = "images"
TRAINING = True
CELLS = 32
LEVELS = tuple(number / 20 for number in range(4, 17))
"""Shares of the training cases that are tried as the level: 0.2 to 0.8."""


def fit(cases: Sequence[Case], study: Study, training: Sequence[Case]) -> dict[str, Any]:
    """Return the shares and the level with the highest mean Dice over ``cases``, the first of equals.

    Raises HakkenError where no training case has a region.
    """
    learnt = [image(case) for case in training]
    shares = np.mean([averaged(_flags(case, study)[(slice(None), *box_of(case))], _grid(case)) for case in learnt], 0)
    if not shares.any():
        raise HakkenError(
            f"baseline `mean_regions`: none of the {len(training)} training cases has a region; leave the baseline out"
        )
    part = Part(study, in_order(cases), study.outcomes["regions"])
    stretched = {case.case_id: _stretched(shares, case) for case in part.images}
    reached = [
        objective({case.case_id: _labels(stretched[case.case_id], case, level) for case in part.images}, part)
        for level in LEVELS
    ]
    best = int(np.argmax(reached))
    return {"shares": shares.tolist(), "level": LEVELS[best], "dice": float(reached[best])}


def predict(values: Mapping[str, Any], case: Case, study: Study) -> dict[str, Any]:
    """Return the regions of a case, within its mask."""
    found = image(case)
    shares = _stretched(np.array(values["shares"], np.float32), found)
    return {"regions": _labels(shares, found, values["level"])}


def words(values: Mapping[str, Any], study: Study) -> str:
    """Return the rule in a few words."""
    return f"where at least {100 * values['level']:.2g} % of the training cases have the region"


def _flags(case: PreparedCase, study: Study) -> NDArray[np.bool_]:
    """Return where each region lies (r, z, y, x)."""
    numbers = np.arange(1, len(study.cohort.regions) + 1).reshape(-1, 1, 1, 1)
    return np.asarray(case.regions()[None] == numbers)


def _grid(case: PreparedCase) -> tuple[int, int, int]:
    return (1 if case.geometry.is_flat else CELLS, CELLS, CELLS)


def _stretched(shares: NDArray[np.float32], case: PreparedCase) -> NDArray[np.float32]:
    """Return the shares (r, z, y, x) on the grid of a case, 0 outside the box around its mask."""
    box = box_of(case)
    whole = np.zeros((len(shares), *case.geometry.shape_zyx), np.float32)
    shape = (box[0].stop - box[0].start, box[1].stop - box[1].start, box[2].stop - box[2].start)
    for number, one in enumerate(shares):
        whole[(number, *box)] = spread(one, shape)
    return whole


def _labels(shares: NDArray[np.float32], case: PreparedCase, level: float) -> Labels:
    inside = (case.mask() > 0) & (shares.max(0) >= level)
    return np.asarray(np.where(inside, shares.argmax(0) + 1, 0), np.uint8)
