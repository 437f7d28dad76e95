"""The trivial baseline of classification: the share of each class among what there is to learn from, for every case.

So everything is called by the most frequent class of the training cases, the first of equals in the order of
`cohort.classes`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from hakken.core.errors import HakkenError
from hakken.imaging.cases import Case
from hakken.outcomes import Part, in_order
from hakken.outcomes.classes import units_of
from hakken.study import Study

OUTCOMES = ("classes",)
TRAINING = True


def fit(cases: Sequence[Case], study: Study, training: Sequence[Case]) -> dict[str, Any]:
    """Return the share of each class of the study among the training cases, or their lesions.

    Raises HakkenError where there is none, or one of an unknown class.
    """
    part = Part(study, in_order(training), study.outcomes["classes"])
    counts = Counter(unit.name for case in part.cases for unit in units_of(case, part))
    total = counts.total()
    if not total:
        raise HakkenError(f"baseline `class_priors`: none of the {len(training)} training cases has a lesion to count")
    return {name: counts[name] / total for name in study.cohort.classes}


def predict(values: Mapping[str, Any], case: Case, study: Study) -> dict[str, Any]:
    """Return the shares, as often as the case has something to classify."""
    count = len(units_of(case, Part(study, in_order([case]), study.outcomes["classes"])))
    return {"classes": np.tile([values[name] for name in study.cohort.classes], (count, 1))}


def words(values: Mapping[str, Any], study: Study) -> str:
    """Return what was counted in a few words.

    >>> words({"early": 0.25, "poor": 0.75}, None)
    'always early 25 %, poor 75 %'
    """
    return "always " + ", ".join(f"{name} {100 * share:.3g} %" for name, share in values.items())
