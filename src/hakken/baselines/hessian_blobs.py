"""A classical baseline of detection: places that are curved alike in all directions, by the eigenvalues of the Hessian.

After Li, Sone and Doi, Selective enhancement filters for nodules, vessels, and airway walls, Med Phys 2003: with the
eigenvalues ordered by size, a bright ball has all of them negative, and answers with the square of the weakest over the
strongest; a vessel, which is not curved along itself, does not answer.
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
SCALES = (1.0, 1.5, 2.0, 3.0, 4.0)
"""Standard deviations that are tried, in mm (in px where no size is known)."""


def fit(cases: Sequence[PreparedCase], study: Study) -> dict[str, Any]:
    """Return channel, sign and scale with the highest objective, and what all have reached."""
    return _peaks.choose(cases, study, balls, SCALES)


def predict(values: Mapping[str, Any], case: PreparedCase, study: Study) -> dict[str, Any]:
    """Return the balls of a case, and the strongest answer as its score."""
    found = _peaks.candidates(case, study, values, balls)
    return {"candidates": found, "case_scores": found.highest}


def words(values: Mapping[str, Any], study: Study) -> str:
    """Return the rule in a few words."""
    return f"eigenvalues of the Hessian, {_peaks.words(values)}"


def balls(channel: _peaks.Floats, scale: float, size: tuple[float, ...]) -> _peaks.Floats:
    """Return the answer of the filter for balls at ``scale`` mm, without a unit; 0 where a direction is not curved."""
    sigma = _peaks.sigmas(scale, size)
    axes = [axis for axis in range(channel.ndim) if channel.shape[axis] > 1]
    parts = {}
    for row, one in enumerate(axes):
        for column, other in enumerate(axes[: row + 1]):
            order = tuple((place == one) + (place == other) for place in range(channel.ndim))
            parts[row, column] = sigma[one] * sigma[other] * ndimage.gaussian_filter(channel, sigma, order=order)
    bright = np.logical_and.reduce([parts[axis, axis] < 0 for axis in range(len(axes))])  # a ball answers nowhere else
    hessian = np.empty((np.count_nonzero(bright), len(axes), len(axes)), np.float32)
    for (row, column), part in parts.items():
        hessian[:, row, column] = hessian[:, column, row] = part[bright]
    values = -np.linalg.eigvalsh(hessian)  # descending: the strongest curvature of a bright place first
    weakest, strongest = values[..., -1], values[..., 0]
    answer = np.zeros(channel.shape, np.float32)
    answer[bright] = np.where(weakest > 0, weakest**2 / np.maximum(strongest, 1e-12), 0)
    return answer
