"""A classical baseline of detection in X-rays: the brightest blobs once what runs from top to bottom is taken away.

Spine, mediastinum and the wall of the chest vary little along the vertical; blobs do. From each pixel the mean of the
pixels above and below it is taken away, by a Gaussian along the rows alone; what is left is smoothed.
"""

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
SCALES = (1.5, 2.5, 4.0, 6.0)
"""Standard deviations of the smoothing that are tried, in mm (in px where no size is known)."""
LONGER = 3.0
"""The Gaussian along the rows is so many times as long."""
ROWS = -2
"""The axis from row to row."""


def fit(cases: Sequence[PreparedCase], study: Study) -> dict[str, Any]:
    """Return channel, sign and scale with the highest objective, and what all have reached."""
    return _peaks.choose(cases, study, passed, SCALES)


def predict(values: Mapping[str, Any], case: PreparedCase, study: Study) -> dict[str, Any]:
    """Return the blobs of a case, and the brightest as its score."""
    found = _peaks.candidates(case, study, values, passed)
    return {"candidates": found, "case_scores": found.highest}


def words(values: Mapping[str, Any], study: Study) -> str:
    """Return the rule in a few words."""
    return f"vertical high-pass, {_peaks.words(values)}"


def passed(channel: _peaks.Floats, scale: float, size: tuple[float, ...]) -> _peaks.Floats:
    """Return a channel smoothed by a Gaussian of ``scale`` mm, less what is smooth along the rows of `LONGER` times."""
    sigma = _peaks.sigmas(scale, size)
    smooth = ndimage.gaussian_filter(channel, sigma)
    along = ndimage.gaussian_filter1d(smooth, LONGER * sigma[ROWS], axis=ROWS)
    return np.asarray(smooth - along, np.float32)
