"""The trivial baseline of segmentation: a lesion is where one channel, or its share of all, lies beyond a threshold.

A feature of a voxel is the normalised value of a channel, the mean of all channels, or a channel's share of the sum of
all, in intensities as they were before normalisation. Channels that a case may lack are left out. Which feature, which
side of the threshold and which threshold have the highest mean Dice is found by trying them all.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from hakken.baselines._dice import Values, mean_dice
from hakken.core.errors import HakkenError
from hakken.imaging.prepared import PreparedCase
from hakken.outcomes.masks import Mask
from hakken.study import Study

OUTCOMES = ("masks",)
CASES = "images"
LEVELS = 64
"""Thresholds that are tried for a feature: quantiles of all voxels."""

NAME = ""
"""There is one mask of a case, so it needs no name."""


@dataclass(frozen=True)
class Threshold:
    """A lesion is where ``feature`` is at least ``level``, or at most where not ``above``; ``dice`` is how well."""

    feature: str
    above: bool
    level: float
    dice: float

    @property
    def words(self) -> str:
        """The rule as people read it."""
        return f"{self.feature} {'>=' if self.above else '<='} {self.level:.3g}"

    def mask(self, case: PreparedCase) -> Mask:
        """Return which voxels (z, y, x) of a prepared case are a lesion's by this rule, within the case's mask."""
        values = features_of(case)[self.feature]
        beyond = values >= self.level if self.above else values <= self.level
        return np.asarray(beyond & (case.mask() > 0))


def fit(cases: Sequence[PreparedCase], study: Study) -> dict[str, Any]:
    """Return the rule with the highest mean Dice over the cases."""
    return asdict(choose_threshold(cases))


def predict(values: Mapping[str, Any], case: PreparedCase, study: Study) -> dict[str, Any]:
    """Return the mask of a case."""
    return {"masks": {NAME: Threshold(**values).mask(case)}}


def words(values: Mapping[str, Any], study: Study) -> str:
    """Return the rule in a few words."""
    return Threshold(**values).words


def features_of(case: PreparedCase) -> dict[str, Values]:
    """Return the features (z, y, x) of a prepared case by name."""
    names = case.complete
    places = [case.channels.index(name) for name in names]
    image = np.asarray(case.image()[places], np.float32)
    found = dict(zip(names, image, strict=True))
    if len(names) > 1:
        found["mean of all channels"] = image.mean(0)
        raw = case.intensities()[places]
        total = raw.sum(0)
        shares = raw / np.where(np.abs(total) > 1e-3, total, np.inf)
        found |= {f"share of {name}": share for name, share in zip(names, shares, strict=True)}
    return found


def choose_threshold(cases: Sequence[PreparedCase]) -> Threshold:
    """Return the feature, side and threshold with the highest mean Dice over ``cases``; the first of equals.

    Cases without a lesion count with a Dice of 0 unless nothing is found in them, where they have none. Raises
    HakkenError where no case has a lesion.
    """
    if not any((case.labels() > 0).any() for case in cases):
        raise HakkenError("no case has a lesion, so there is no threshold to choose")
    features = [features_of(case) for case in cases]
    truths = [case.labels() > 0 for case in cases]
    insides = [case.mask() > 0 for case in cases]
    best: Threshold | None = None
    for name in features[0]:
        values = [own[name][inside] for own, inside in zip(features, insides, strict=True)]
        levels = np.unique(np.quantile(np.concatenate(values), np.linspace(0, 1, LEVELS + 2)[1:-1]))
        inner = [truth[inside] for truth, inside in zip(truths, insides, strict=True)]
        outer = [int(truth.sum() - own.sum()) for truth, own in zip(truths, inner, strict=True)]
        for above in (True, False):
            means = mean_dice(values, inner, outer, levels, above)
            place = int(np.argmax(means))
            if best is None or means[place] > best.dice:
                best = Threshold(name, above, float(levels[place]), float(means[place]))
    assert best is not None  # there is a channel
    return best
