"""The trivial baseline of detection: components of one channel above a threshold, ranked by their maximum.

The channel is the one that the study has predicted from the others. The threshold shapes the components once; it is the
one of some whose candidates have the highest objective on validation.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from hakken.core.errors import HakkenError
from hakken.imaging.cases import image
from hakken.imaging.prepared import PreparedCase
from hakken.imaging.scales import intensities_of, shares_of
from hakken.inference.candidate_regions import highest_counted
from hakken.inference.candidates import Candidates
from hakken.inference.components import components
from hakken.outcomes import Part, in_order
from hakken.outcomes.candidates import objective
from hakken.outcomes.expectations import target_of
from hakken.study import Study

OUTCOMES = ("candidates", "case_scores")
CASES = "images"
SHARES = (0.05, 0.075, 0.1, 0.125, 0.15, 0.2, 0.25, 0.3)
"""The thresholds that are tried, as shares of the channel's window: SUV 1 to 6 of 0 to 20."""

LEVELS = (1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 8.0)
"""The same in the units of a channel that is not on a linear scale."""

MOST = 100
"""Most candidates of a case where the method of the study names no number."""


def fit(cases: Sequence[PreparedCase], study: Study) -> dict[str, Any]:
    """Return the share of the window with the highest objective, and what all have reached.

    Raises HakkenError where no channel of the study is a `target`.
    """
    if not study.targets:
        raise HakkenError("baseline `brightest_components`: give one channel of the study `target: true`")
    part = Part(study, in_order(cases), study.outcomes["candidates"])
    tried = {share: objective(_all_brightest(part, share), part) for share in _shares(study)}
    best = max(tried, key=tried.__getitem__)
    return {"share": best, "tried": {f"{_in_units(study, share):g}": reached for share, reached in tried.items()}}


def predict(values: Mapping[str, Any], case: PreparedCase, study: Study) -> dict[str, Any]:
    """Return the components of a case, and the highest value among them as its score."""
    found = _brightest(case, study, values["share"])
    apart = study.body_regions.apart if study.body_regions else ()
    return {"candidates": found, "case_scores": highest_counted(found, case, apart)}


def words(values: Mapping[str, Any], study: Study) -> str:
    """Return the rule in a few words."""
    level = _in_units(study, values["share"])
    return f"components of {study.targets[0]} from {level:g} on, ranked by their maximum"


def _all_brightest(part: Part, share: float) -> dict[str, Candidates]:
    return {case.case_id: _brightest(image(case), part.study, share) for case in part.cases}


def _brightest(case: PreparedCase, study: Study, share: float) -> Candidates:
    most = int(getattr(study.inference, "maximum_candidates", MOST))
    return components(target_of(case, study), case.geometry, case.mask(), threshold=share, maximum=most)


def _in_units(study: Study, share: float) -> float:
    """Return a share of the channel's window in the units of its images."""
    channel = study.channels[study.targets[0]]
    low, high = channel.range or (0.0, 1.0)
    return round(float(intensities_of(np.array(share, np.float64), low, high, channel.scale)), 6)


def _shares(study: Study) -> tuple[float, ...]:
    """Return the thresholds that are tried, as shares of the channel's window."""
    channel = study.channels[study.targets[0]]
    if channel.scale == "linear":
        return SHARES
    low, high = channel.range or (0.0, 1.0)
    return tuple(shares_of(np.array([one for one in LEVELS if one < high]), low, high, channel.scale).tolist())
