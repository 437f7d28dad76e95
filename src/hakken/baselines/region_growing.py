"""A baseline of lesions that are clicked on: the region around the click whose values are like those at the click.

Like them are values within a share of the range (the percentiles 1 to 99) of the volume of interest about the median of
the voxels near the click; the region is the 26-connected piece of these that holds the click, within a ball of the size
that the user gives. The share has the highest mean Dice on validation.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from hakken.baselines import _clicked
from hakken.imaging.cases import Case
from hakken.imaging.prepared import PreparedCase
from hakken.inference.clicks import RANGE, VolumeOfInterest
from hakken.study import Study

OUTCOMES = ("lesion_masks",)
CASES = "images"
EDGE = 2.0
SHARES = (0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5)
NEAR = 0.15
"""Up to which share of the size voxels are near the click."""
FURTHEST = 0.75
"""Up to which share of the size, from the click, the region may grow."""


def fit(cases: Sequence[Case], study: Study) -> dict[str, Any]:
    """Return the share of the range with the highest mean Dice, the first of equals."""
    rules = ({"edge": EDGE, "channel": study.reference, "share": share} for share in SHARES)
    return _clicked.best_of(rules, _region, cases, study)


def predict(values: Mapping[str, Any], case: Case, study: Study) -> dict[str, Any]:
    """Return the mask of each lesion of a case."""
    return {"lesion_masks": _clicked.masks(_region, values, case, study)}


def words(values: Mapping[str, Any], study: Study) -> str:
    """Return the rule in a few words."""
    return f"grown from the click over values within {values['share']:g} of the range"


def _region(rule: Mapping[str, Any], case: PreparedCase, volume: VolumeOfInterest) -> _clicked.Flags:
    values, away = _clicked.values_in(case, rule["channel"], volume), _clicked.distances(volume)
    low, high = np.percentile(values, RANGE)
    middle = np.median(values[(away <= NEAR * volume.click.size) | (away == away.min())])
    like = np.abs(values - middle) <= rule["share"] * (high - low)
    return volume.clicked(like & (away <= FURTHEST * volume.click.size))
