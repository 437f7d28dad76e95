"""What the baselines share that segment a lesion which is clicked on: the clicks, and the rule that is best."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hakken.imaging.cases import Case, image
from hakken.imaging.prepared import PreparedCase
from hakken.inference.clicks import Box, Click, VolumeOfInterest, clicks_on
from hakken.outcomes import Part, in_order
from hakken.outcomes.lesion_masks import objective
from hakken.outcomes.masks import Runs, runs_of
from hakken.study import Study

JITTER = 0.1
"""How far off clicks are where the study's method says nothing of it."""
VOXELS = 2
"""Where only the box is of interest, not its grid."""

Flags = NDArray[np.bool_]
Segment = Callable[[Mapping[str, Any], PreparedCase, VolumeOfInterest], Flags]
"""From a rule, a case and a volume of interest to the voxels of its box that belong to the lesion."""


def clicks_of(case: PreparedCase, study: Study) -> dict[int, Click]:
    """Return the clicks on a case that the study's models are given too."""
    return clicks_on(case, float(getattr(study.inference, "jitter", JITTER)), study.seed)


def masks(segment: Segment, rule: Mapping[str, Any], case: Case, study: Study) -> dict[int, Runs]:
    """Return what a rule marks of each lesion of a case, by its number."""
    own = image(case)
    found = {}
    for lesion, click in clicks_of(own, study).items():
        volume = VolumeOfInterest.around(click, rule["edge"], VOXELS, own.geometry)
        found[lesion] = runs_of(volume.whole(segment(rule, own, volume)))
    return found


def best_of(rules: Iterator[dict[str, Any]], segment: Segment, cases: Sequence[Case], study: Study) -> dict[str, Any]:
    """Return the rule with the highest mean Dice on validation, the first of equals."""
    part = Part(study, in_order(cases), study.outcomes["lesion_masks"])
    tried = list(rules)
    reached = [
        objective({case.case_id: masks(segment, rule, case, study) for case in part.images}, part) for rule in tried
    ]
    return {**tried[int(np.argmax(reached))], "dice": max(reached)}


def distances(volume: VolumeOfInterest) -> NDArray[np.float64]:
    """Return how far each voxel of the box is from the click, in mm."""
    box: Box = volume.box
    steps = [
        (np.arange(part.start, part.stop) - at) * size
        for part, at, size in zip(box, volume.middle, volume.geometry.spacing[::-1], strict=True)
    ]
    squares = sum(axis**2 for axis in np.meshgrid(*steps, indexing="ij", sparse=True))
    return np.asarray(np.sqrt(squares), float)


def values_in(case: PreparedCase, study_reference: str, volume: VolumeOfInterest) -> NDArray[np.float32]:
    """Return the values of the reference channel in the box."""
    return np.asarray(case.image()[case.channels.index(study_reference)][volume.box], np.float32)
