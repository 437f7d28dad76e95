"""The trivial baseline of detection: the brightest, or darkest, places of one channel, smoothed by a Gaussian."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from scipy import ndimage

from hakken.baselines import _peaks
from hakken.imaging.prepared import PreparedCase
from hakken.study import Study

OUTCOMES = ("candidates", "case_scores")
CASES = "images"
SCALES = (0.5, 0.7, 1.0, 1.5, 2.0, 3.0)
"""Standard deviations that are tried, in mm (in px where no size is known)."""


def fit(cases: Sequence[PreparedCase], study: Study) -> dict[str, Any]:
    """Return channel, sign and smoothing with the highest objective, and what all have reached."""
    return _peaks.choose(cases, study, smoothed, SCALES)


def predict(values: Mapping[str, Any], case: PreparedCase, study: Study) -> dict[str, Any]:
    """Return the peaks of a case, and the highest as its score."""
    found = _peaks.candidates(case, study, values, smoothed)
    return {"candidates": found, "case_scores": found.highest}


def words(values: Mapping[str, Any], study: Study) -> str:
    """Return the rule in a few words."""
    return f"peaks, {_peaks.words(values)} of smoothing"


def smoothed(channel: _peaks.Floats, scale: float, size: tuple[float, ...]) -> _peaks.Floats:
    """Return a channel smoothed by a Gaussian of ``scale`` mm."""
    return np.asarray(ndimage.gaussian_filter(channel, _peaks.sigmas(scale, size)), np.float32)
