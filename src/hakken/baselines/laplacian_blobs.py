"""A classical baseline of detection: blobs of one size, by the Laplacian of a Gaussian.

Lindeberg, Feature detection with automatic scale selection, Int J Comput Vis 1998: the Laplacian is multiplied by the
square of the scale, so that a ball answers most strongly at the scale that is its radius over the root of its axes.
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
SCALES = (0.7, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0)
"""Standard deviations that are tried, in mm (in px where no size is known)."""


def fit(cases: Sequence[PreparedCase], study: Study) -> dict[str, Any]:
    """Return channel, sign and scale with the highest objective, and what all have reached."""
    return _peaks.choose(cases, study, blobs, SCALES)


def predict(values: Mapping[str, Any], case: PreparedCase, study: Study) -> dict[str, Any]:
    """Return the blobs of a case, and the strongest answer as its score."""
    found = _peaks.candidates(case, study, values, blobs)
    return {"candidates": found, "case_scores": found.highest}


def words(values: Mapping[str, Any], study: Study) -> str:
    """Return the rule in a few words."""
    return f"Laplacian of a Gaussian, {_peaks.words(values)}"


def blobs(channel: _peaks.Floats, scale: float, size: tuple[float, ...]) -> _peaks.Floats:
    """Return minus the Laplacian of a channel at ``scale`` mm, times the square of the scale, without a unit."""
    sigma = _peaks.sigmas(scale, size)
    total = np.zeros(channel.shape, np.float32)
    for axis, width in enumerate(sigma):
        if channel.shape[axis] > 1:
            order = tuple(2 if place == axis else 0 for place in range(channel.ndim))
            total -= width**2 * ndimage.gaussian_filter(channel, sigma, order=order)
    return total
