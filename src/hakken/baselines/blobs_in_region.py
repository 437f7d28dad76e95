"""A classical baseline of detection in an organ: blobs by the Laplacian of a Gaussian where an atlas finds the organ.

The organ is the region that candidates of the study are limited to (`inference.within`), else the last of
`cohort.regions`; it is found as the baseline `atlas_regions` does, or is the true one where the study's is
(`inference.oracle`). Channel, sign and scale are chosen on validation, as by `laplacian_blobs`. Where lesions have
classes, a blob is of the class that is most frequent among the nearest curves of the training lesions: the mean
intensities in all channels, less those of the organ around. How many are asked is chosen on validation.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from hakken.baselines import _peaks, atlas_regions
from hakken.baselines._atlas import Labels
from hakken.baselines._curves import Flags, ball, curve, curves_of, nearest
from hakken.baselines.laplacian_blobs import SCALES, blobs
from hakken.imaging.cases import Case, image
from hakken.imaging.prepared import PreparedCase
from hakken.inference.candidates import Candidates
from hakken.methods.dense.organs import organ_of
from hakken.study import Study

OUTCOMES = ("candidates", "case_scores", "regions")
CASES = "images"
TRAINING = True
ASKED = (1, 3, 5, 9, 15)
"""How many of the nearest curves are asked: what is tried."""


def fit(cases: Sequence[Case], study: Study, training: Sequence[Case]) -> dict[str, Any]:
    """Return the atlas, the rule of the blobs, and the curves of the training lesions with how many are asked."""
    shown, learnt = [image(case) for case in cases], [image(case) for case in training]
    atlas = atlas_regions.fit(cases, study, training)
    organs = {case.case_id: _organ(atlas, case, study) for case in shown}
    rule = _peaks.choose(shown, study, blobs, SCALES, lambda case: organs[case.case_id])
    return {"atlas": atlas, "rule": rule, **_asked(shown, learnt, study)}


def predict(values: Mapping[str, Any], case: Case, study: Study) -> dict[str, Any]:
    """Return the blobs of a case within its organ, the strongest answer as its score, and its regions."""
    found = image(case)
    regions = atlas_regions.find(values["atlas"], found)
    organ = _limited(regions, found, study)
    marks = _peaks.candidates(found, study, values["rule"], blobs, lambda _: organ)
    if study.cohort.classes:
        marks = replace(marks, classes=_named(marks, values, found, organ))
    return {"candidates": marks, "case_scores": marks.highest, "regions": regions}


def words(values: Mapping[str, Any], study: Study) -> str:
    """Return the rule in a few words."""
    nearest_of = f", class of the nearest {values['asked']} curves" if study.cohort.classes else ""
    return f"Laplacian of a Gaussian, {_peaks.words(values['rule'])}, in the {_region(study)}{nearest_of}"


def _region(study: Study) -> str:
    return getattr(study.inference, "within", "") or study.cohort.regions[-1]


def _organ(atlas: Mapping[str, Any], case: PreparedCase, study: Study) -> Flags:
    return _limited(atlas_regions.find(atlas, case), case, study)


def _limited(regions: Labels, case: PreparedCase, study: Study) -> Flags:
    """Return where candidates of a case may lie (z, y, x): in the organ and around it, within the mask."""
    number = study.cohort.regions.index(_region(study)) + 1
    labels = case.regions() if getattr(study.inference, "oracle", False) else regions
    organ = organ_of(labels == number, case.geometry, getattr(study.inference, "within_mm", 0.0))
    return np.asarray(organ & (case.mask() > 0))


def _asked(shown: Sequence[PreparedCase], learnt: Sequence[PreparedCase], study: Study) -> dict[str, Any]:
    """Return the curves of the training lesions, their classes, and how many name most validation lesions rightly."""
    if not study.cohort.classes:
        return {}
    number = study.cohort.regions.index(_region(study)) + 1
    known, tried = (
        [one for case in cases for one in curves_of(case, case.regions() == number)] for cases in (learnt, shown)
    )
    curves, names = np.array([seen for seen, _ in known]), [name for _, name in known]
    right = [sum(_called(curves, names, seen, asked) == name for seen, name in tried) for asked in ASKED]
    return {"curves": curves.tolist(), "classes": names, "asked": ASKED[int(np.argmax(right))]}


def _called(curves: Any, names: Sequence[str], seen: Any, asked: int) -> str:
    shares = nearest(curves, names, seen, asked)
    return max(shares, key=lambda name: shares[name])


def _named(marks: Candidates, values: Mapping[str, Any], case: PreparedCase, organ: Flags) -> tuple[str, ...]:
    """Return the class of each blob, whose curve is that of the ball which answers most strongly at its scale."""
    curves, names, size = np.array(values["curves"]), values["classes"], case.geometry.spacing[::-1]
    radius = values["rule"]["scale"] * np.sqrt(3)
    loaded = np.asarray(case.image())
    balls = (ball(place, radius, organ.shape, size) for place in marks.voxel)
    return tuple(_called(curves, names, curve(loaded, one, organ, size), values["asked"]) for one in balls)
