"""A baseline of regions: where each lies in the training cases on average, and how bright its voxels are there.

With which weight intensities count beside the place is chosen on validation by the mean Dice of the regions; weight 0
does not look at the image. What a network has learnt beyond place and brightness is the difference from it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from hakken.baselines._atlas import Atlas, Labels, labelled
from hakken.imaging.cases import Case, image
from hakken.imaging.prepared import PreparedCase
from hakken.study import Study

OUTCOMES = ("regions",)
CASES = "images"
TRAINING = True
WEIGHTS = (0.0, 0.1, 0.25, 0.5, 1.0)
"""Weights of the intensities that are tried."""


def fit(cases: Sequence[Case], study: Study, training: Sequence[Case]) -> dict[str, Any]:
    """Return the atlas of the training cases and the weight with the highest mean Dice over ``cases``."""
    atlas = Atlas.of([image(case) for case in training], len(study.cohort.regions))
    reached = np.mean([_reached(atlas, image(case)) for case in cases], axis=0)
    best = int(np.argmax(reached))
    return {**atlas.as_values(), "weight": WEIGHTS[best], "dice": float(reached[best])}


def predict(values: Mapping[str, Any], case: Case, study: Study) -> dict[str, Any]:
    """Return the labels of the regions of a case."""
    return {"regions": find(values, image(case))}


def words(values: Mapping[str, Any], study: Study) -> str:
    """Return the rule in a few words.

    >>> words({"weight": 0.25}, None), words({"weight": 0.0}, None)
    ('mean shape of the training cases, intensities with weight 0.25', 'mean shape of the training cases')
    """
    weight = f", intensities with weight {values['weight']:g}" if values["weight"] else ""
    return f"mean shape of the training cases{weight}"


def find(values: Mapping[str, Any], case: PreparedCase) -> Labels:
    """Return the labels (z, y, x) of the regions that the chosen rule finds in a case."""
    return labelled(*Atlas.from_values(values).evidence(case), values["weight"], case.mask())


def _reached(atlas: Atlas, case: PreparedCase) -> list[float]:
    """Return the mean Dice over the regions of a case with each weight; a region that is nowhere counts as found."""
    place, bright = atlas.evidence(case)
    truth = case.regions()
    found = [labelled(place, bright, weight, case.mask()) for weight in WEIGHTS]
    return [float(np.mean([_dice(one == n, truth == n) for n in range(1, len(place))])) for one in found]


def _dice(found: Any, truth: Any) -> float:
    both = int(found.sum()) + int(truth.sum())
    return 2 * int((found & truth).sum()) / both if both else 1.0
