"""The trivial baseline of case scores: one statistic of the pixels of one channel within the mask.

Mean, standard deviation, minimum, maximum and percentiles, the mean of the middle, and the extremes of local means, of
intensities as the method sees them. Which channel, which statistic and whether high or low values are abnormal is what
has the highest AUC on validation; it stays as it is on test, where an AUC below one half is what it is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from hakken.baselines._box import box_of
from hakken.imaging.cases import Case, image
from hakken.imaging.prepared import PreparedCase
from hakken.outcomes import Part, in_order
from hakken.outcomes.case_scores import objective
from hakken.study import Study

OUTCOMES = ("case_scores",)
CASES = "images"
PERCENTILES = (1, 5, 10, 25, 50, 75, 90, 95, 99)
LOCAL = 10.0
"""Edge of the cube, or the square, of a local mean, in mm (in px where no size is known)."""

Statistics = Mapping[tuple[str, str], float]


def fit(cases: Sequence[Case], study: Study) -> dict[str, Any]:
    """Return channel, statistic and side with the highest AUC, the first of equals, and what all have reached.

    Raises HakkenError where the cases are all normal or all abnormal.
    """
    part = Part(study, in_order(cases), study.outcomes["case_scores"])
    known = {case.case_id: statistics(case) for case in part.images}
    names = list(next(iter(known.values())))
    tried: dict[str, float] = {}
    rules: list[dict[str, Any]] = []
    for channel, statistic in names:
        for high in (True, False):
            rules.append({"channel": channel, "statistic": statistic, "high": high})
            scores = {case_id: _signed(found[channel, statistic], high) for case_id, found in known.items()}
            tried[_words(rules[-1])] = objective(scores, part)
    return {**rules[int(np.argmax(list(tried.values())))], "tried": tried}


def predict(values: Mapping[str, Any], case: Case, study: Study) -> dict[str, Any]:
    """Return the statistic of a case, with the other sign where low values are abnormal."""
    found = statistics(image(case))[values["channel"], values["statistic"]]
    return {"case_scores": _signed(found, values["high"])}


def words(values: Mapping[str, Any], study: Study) -> str:
    """Return the rule in a few words."""
    return _words(values)


def statistics(case: PreparedCase) -> Statistics:
    """Return each statistic of each channel that every case has, by channel and name; of a case without mask, of all.

    The standard deviation is that of the pixels (divided by n), percentiles are interpolated linearly. The middle is
    the inner half, along each axis that is no single slice, of the box around the mask. A local mean is that of the
    pixels of the mask within `LOCAL`, about each of them.
    """
    inside = case.mask() > 0
    if not inside.any():
        inside = np.ones_like(inside)
    found: dict[tuple[str, str], float] = {}
    middle = _middle(case) & inside
    for name in case.complete:
        channel = np.asarray(case.image()[case.channels.index(name)], np.float64)
        pixels = channel[inside]
        own = {"mean": pixels.mean(), "SD": pixels.std(), "minimum": pixels.min(), "maximum": pixels.max()}
        own |= dict(zip(map(_percentile, PERCENTILES), np.percentile(pixels, PERCENTILES), strict=True))
        own["mean of the middle"] = channel[middle].mean() if middle.any() else pixels.mean()
        local = _local_means(channel, inside, case.geometry.spacing[::-1])
        own |= {"minimum of local means": local.min(), "maximum of local means": local.max()}
        found |= {(name, statistic): float(value) for statistic, value in own.items()}
    return found


def _percentile(mark: int) -> str:
    return {1: "1st percentile", 50: "median"}.get(mark, f"{mark}th percentile")


def _middle(case: PreparedCase) -> NDArray[np.bool_]:
    """Return the inner half (z, y, x) of the box around the mask of a case, along each axis longer than one voxel."""
    inner = np.zeros(case.geometry.shape_zyx, bool)
    spans = [(span.start, span.stop - span.start) for span in box_of(case)]
    inner[tuple(slice(start + length // 4, start + length - length // 4) for start, length in spans)] = True
    return inner


def _local_means(
    channel: NDArray[np.float64], inside: NDArray[np.bool_], size: tuple[float, ...]
) -> NDArray[np.float64]:
    """Return the mean (n,) of the voxels inside about each of them; ``size`` (z, y, x) is that of a voxel."""
    widths = [max(1, min(round(LOCAL / edge), length)) for edge, length in zip(size, channel.shape, strict=True)]
    weight = ndimage.uniform_filter(inside.astype(np.float64), widths, mode="constant")
    total = ndimage.uniform_filter(np.where(inside, channel, 0), widths, mode="constant")
    return np.asarray(total[inside] / weight[inside])


def _signed(value: float, high: bool) -> float:
    return value if high else -value


def _words(rule: Mapping[str, Any]) -> str:
    """Return a rule in a few words.

    >>> _words({"channel": "CT", "statistic": "SD", "high": False})
    'low SD of CT'
    """
    return f"{'high' if rule['high'] else 'low'} {rule['statistic']} of {rule['channel']}"
