"""A baseline of lesions that are clicked on, with one thing to know: a sphere about the click.

Its diameter is a share of the size that the user gives: the mean over the lesions of the training cases of the diameter
of a ball of the lesion's volume, as a share of that size. A volume of interest whose edge goes with the size shows any
network as much.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from hakken.baselines import _clicked
from hakken.core.errors import HakkenError
from hakken.imaging.cases import Case, image
from hakken.imaging.prepared import PreparedCase
from hakken.inference.clicks import VolumeOfInterest, diameters
from hakken.study import Study

OUTCOMES = ("lesion_masks",)
CASES = "images"
TRAINING = True


def fit(cases: Sequence[Case], study: Study, training: Sequence[Case]) -> dict[str, Any]:
    """Return the mean diameter as a share of the size; raises HakkenError where no training case has a lesion."""
    shares: list[float] = []
    for case in map(image, training):
        shares += diameters(case, _clicked.clicks_of(case, study)).values()
    if not shares:
        raise HakkenError(
            f"baseline `sphere_at_click`: none of the {len(training)} training cases has a lesion; leave it out"
        )
    share = float(np.mean(shares))
    return {"share": share, "edge": max(1.2 * share, 0.1)}


def predict(values: Mapping[str, Any], case: Case, study: Study) -> dict[str, Any]:
    """Return the mask of each lesion of a case."""
    return {"lesion_masks": _clicked.masks(_ball, values, case, study)}


def words(values: Mapping[str, Any], study: Study) -> str:
    """Return the rule in a few words."""
    return f"a ball about the click, {values['share']:.2f} times as wide as the lesion is long"


def _ball(rule: Mapping[str, Any], case: PreparedCase, volume: VolumeOfInterest) -> _clicked.Flags:
    away = _clicked.distances(volume)
    return np.asarray((away <= rule["share"] * volume.click.size / 2) | (away == away.min()), bool)
