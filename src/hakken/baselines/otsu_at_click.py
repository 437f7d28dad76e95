"""A baseline of lesions that are clicked on: Otsu's threshold in the volume of interest, and the piece at the click.

The lesion is on that side of the threshold (Otsu, IEEE Trans SMC 1979;9:62-66) on which the median of the voxels near
the click lies. How many times as wide as the lesion the volume of interest is has the highest mean Dice on validation.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import SimpleITK as sitk

from hakken.baselines import _clicked
from hakken.imaging.cases import Case
from hakken.imaging.prepared import PreparedCase
from hakken.inference.clicks import VolumeOfInterest
from hakken.study import Study

OUTCOMES = ("lesion_masks",)
CASES = "images"
EDGES = (1.2, 1.5, 2.0)
NEAR = 0.15
"""Up to which share of the size voxels are near the click."""


def fit(cases: Sequence[Case], study: Study) -> dict[str, Any]:
    """Return the edge of the volume of interest with the highest mean Dice, the first of equals."""
    rules = ({"edge": edge, "channel": study.reference} for edge in EDGES)
    return _clicked.best_of(rules, _piece, cases, study)


def predict(values: Mapping[str, Any], case: Case, study: Study) -> dict[str, Any]:
    """Return the mask of each lesion of a case."""
    return {"lesion_masks": _clicked.masks(_piece, values, case, study)}


def words(values: Mapping[str, Any], study: Study) -> str:
    """Return the rule in a few words."""
    return f"Otsu's threshold in a box {values['edge']:g} times as wide as the lesion is long"


def _piece(rule: Mapping[str, Any], case: PreparedCase, volume: VolumeOfInterest) -> _clicked.Flags:
    values, away = _clicked.values_in(case, rule["channel"], volume), _clicked.distances(volume)
    chosen = sitk.OtsuThresholdImageFilter()
    chosen.Execute(sitk.GetImageFromArray(values))
    threshold = chosen.GetThreshold()
    bright = np.median(values[(away <= NEAR * volume.click.size) | (away == away.min())]) > threshold
    return volume.clicked(values > threshold if bright else values <= threshold)
