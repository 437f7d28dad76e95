"""Baseline `prior_mean`: always the same answer, the mean of each quantity in the validation cases.

Where a method that has learnt is no better, it has learnt what is usual and nothing of the case at hand.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from hakken.imaging.cases import Case
from hakken.outcomes.numbers import Settings, true_numbers
from hakken.study import Study

OUTCOMES = ("numbers",)


def fit(cases: Sequence[Case], study: Study) -> dict[str, Any]:
    """Return the mean of each quantity over all numbers of the cases."""
    settings = _settings(study)
    found = [true_numbers(case, settings) for case in cases]
    return {name: float(np.concatenate([one[name] for one in found]).mean()) for name in settings.quantities}


def words(values: Mapping[str, Any], study: Study) -> str:
    """Return what was chosen in a few words."""
    return ", ".join(f"{name} {value:.3g}" for name, value in values.items())


def predict(values: Mapping[str, Any], case: Case, study: Study) -> dict[str, Any]:
    """Return the means, as often as the case has numbers."""
    count = len(next(iter(true_numbers(case, _settings(study)).values())))
    return {"numbers": {name: np.full(count, value) for name, value in values.items()}}


def _settings(study: Study) -> Settings:
    settings = study.outcomes["numbers"]
    assert isinstance(settings, Settings)
    return settings
