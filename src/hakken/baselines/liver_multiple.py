"""A clinical rule for FDG PET: components of uptake above a multiple of that of the liver, ranked by their maximum.

The liver's uptake is the mean in a sphere of 30 mm in its right lobe, as PERCIST takes it (Wahl et al., J Nucl Med
2009;50:122S-150S), which `hakken.imaging.body_regions` places by landmarks on CT; where a case shows no diaphragm, the
median over the validation cases stands for it. The multiple, 1.5 by custom, is the one of some whose candidates have
the highest objective on validation.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from hakken.core.errors import HakkenError
from hakken.imaging.body_regions import liver_sphere
from hakken.imaging.cases import image
from hakken.imaging.prepared import PreparedCase
from hakken.imaging.scales import in_units, shares_of
from hakken.inference.candidate_regions import highest_counted
from hakken.inference.candidates import Candidates
from hakken.inference.components import components
from hakken.outcomes import Part, in_order
from hakken.outcomes.candidates import objective
from hakken.outcomes.expectations import target_of
from hakken.study import Study

OUTCOMES = ("candidates", "case_scores")
CASES = "images"
MULTIPLES = (1.0, 1.25, 1.5, 2.0, 2.5, 3.0)
USUAL_SUV = 2.2
"""The liver's uptake where no validation case shows it."""

MOST = 100
"""Most candidates of a case where the method of the study names no number."""


def fit(cases: Sequence[PreparedCase], study: Study) -> dict[str, Any]:
    """Return the multiple with the highest objective, what all have reached, and the usual uptake of the liver.

    Raises HakkenError where the study predicts no channel or names no regions of the body.
    """
    if not study.targets or study.body_regions is None:
        raise HakkenError("baseline `liver_multiple`: give the study `body_regions`, and one channel `target: true`")
    part = Part(study, in_order(cases), study.outcomes["candidates"])
    known = [uptake for case in part.images if (uptake := liver_uptake(case, study)) is not None]
    usual = float(np.median(known)) if known else USUAL_SUV
    tried = {
        by: objective({one.case_id: _above(one, study, by, usual) for one in part.images}, part) for by in MULTIPLES
    }
    best = max(tried, key=tried.__getitem__)
    return {"multiple": best, "usual": usual, "tried": {f"{by:g}": reached for by, reached in tried.items()}}


def predict(values: Mapping[str, Any], case: PreparedCase, study: Study) -> dict[str, Any]:
    """Return the components of a case, and the highest value among them that counts as its score."""
    found = _above(image(case), study, values["multiple"], values["usual"])
    apart = study.body_regions.apart if study.body_regions else ()
    return {"candidates": found, "case_scores": highest_counted(found, case, apart)}


def words(values: Mapping[str, Any], study: Study) -> str:
    """Return the rule in a few words."""
    return f"components of {study.targets[0]} from {values['multiple']:g} x liver on, ranked by their maximum"


def liver_uptake(case: PreparedCase, study: Study) -> float | None:
    """Return the mean uptake in the liver, in the units of the channel; None where no diaphragm is seen."""
    assert study.body_regions is not None
    name, target = study.body_regions.channel, study.targets[0]
    ct = in_units(case.image()[case.channels.index(name)], case.normalisation.get(name, {}))
    sphere = liver_sphere(ct, case.mask() > 0, case.geometry.spacing)
    if sphere is None or not sphere.any():
        return None
    return float(in_units(target_of(case, study)[sphere], case.normalisation.get(target, {})).mean())


def _above(case: PreparedCase, study: Study, multiple: float, usual: float) -> Candidates:
    uptake = liver_uptake(case, study) or usual
    channel = study.channels[study.targets[0]]
    low, high = channel.range or (0.0, 1.0)
    share = float(shares_of(np.array(multiple * uptake), low, high, channel.scale))
    most = int(getattr(study.inference, "maximum_candidates", MOST))
    return components(target_of(case, study), case.geometry, case.mask(), threshold=share, maximum=most)
