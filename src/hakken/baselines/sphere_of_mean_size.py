"""A baseline of segmentation with one thing to know: a sphere of the mean training volume at the brightest place.

The volume is the mean over the training cases with a lesion of all that is marked in each; of flat images it is an area
and the sphere a disc. The place is the maximum, or the minimum, of one channel smoothed by a Gaussian within the mask:
channel, side and smoothing, as a share of the radius, have the highest mean Dice on validation.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from scipy import ndimage

from hakken.core.errors import HakkenError
from hakken.imaging.cases import Case, image
from hakken.imaging.prepared import PreparedCase
from hakken.outcomes import Part, in_order
from hakken.outcomes.masks import Mask, objective
from hakken.study import Study

OUTCOMES = ("masks",)
CASES = "images"
TRAINING = True
SMOOTHING = (0.25, 0.5, 1.0)
"""Standard deviations that are tried, as shares of the radius."""

NAME = ""
"""There is one mask of a case, so it needs no name."""


def fit(cases: Sequence[Case], study: Study, training: Sequence[Case]) -> dict[str, Any]:
    """Return the radius and the rule for the place with the highest mean Dice, the first of equals.

    Raises HakkenError where no training case has a lesion.
    """
    learnt = [image(case) for case in training]
    sizes = [size for case in learnt if (size := float((case.labels() > 0).sum()) * case.geometry.voxel_size)]
    if not sizes:
        raise HakkenError(
            f"baseline `sphere_of_mean_size`: none of the {len(training)} training cases has a lesion; leave the "
            "baseline out"
        )
    part = Part(study, in_order(cases), study.outcomes["masks"])
    radius = radius_of(float(np.mean(sizes)), part.images[0] if part.images else learnt[0])
    tried: dict[str, float] = {}
    rules = []
    for channel in part.images[0].complete:
        for dark in (False, True):
            for share in SMOOTHING:
                rules.append({"radius": radius, "channel": channel, "dark": dark, "smoothing": share * radius})
                found = {case.case_id: {NAME: ball(rules[-1], case)} for case in part.images}
                tried[_place(rules[-1])] = objective(found, part)
    return {**rules[int(np.argmax(list(tried.values())))], "tried": tried}


def predict(values: Mapping[str, Any], case: Case, study: Study) -> dict[str, Any]:
    """Return the mask of a case."""
    return {"masks": {NAME: ball(values, image(case))}}


def words(values: Mapping[str, Any], study: Study) -> str:
    """Return the rule in a few words."""
    return f"a ball of radius {values['radius']:.3g} at the place that is {_place(values)}"


def radius_of(size: float, case: PreparedCase) -> float:
    """Return the radius of the sphere of a volume, or of the disc of an area where the images are flat.

    Both are in the unit of the images, as `Geometry.voxel_size`.
    """
    return float(np.sqrt(size / np.pi)) if case.geometry.is_flat else float((3 * size / (4 * np.pi)) ** (1 / 3))


def ball(rule: Mapping[str, Any], case: PreparedCase) -> Mask:
    """Return the ball about the highest place of a case (z, y, x), within its mask; empty where the mask is."""
    inside = case.mask() > 0
    if not inside.any():
        return np.zeros_like(inside)
    size = np.array(case.geometry.spacing[::-1])
    channel = np.asarray(case.image()[case.channels.index(rule["channel"])], np.float32)
    widths = rule["smoothing"] / size
    if case.geometry.is_flat:
        widths[0] = 0
    values = ndimage.gaussian_filter(-channel if rule["dark"] else channel, widths)
    top = np.unravel_index(int(np.where(inside, values, -np.inf).argmax()), values.shape)
    steps = [(np.arange(length) - at) * edge for length, at, edge in zip(values.shape, top, size, strict=True)]
    squares = sum(axis**2 for axis in np.meshgrid(*steps, indexing="ij", sparse=True))
    return np.asarray((squares <= rule["radius"] ** 2) & inside, bool)


def _place(rule: Mapping[str, Any]) -> str:
    """Return the rule for the place in a few words.

    >>> _place({"dark": True, "channel": "CT", "smoothing": 2.5})
    'darkest on CT, smoothed by 2.5'
    """
    return f"{'darkest' if rule['dark'] else 'brightest'} on {rule['channel']}, smoothed by {rule['smoothing']:.3g}"
