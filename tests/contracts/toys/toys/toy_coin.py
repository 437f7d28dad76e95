"""Baseline `toy_coin`: a number that knows nothing of the case but its name."""

from collections.abc import Mapping, Sequence
from typing import Any

from hakken.core.seeds import derive_seed
from hakken.study import Study

OUTCOMES = ("case_scores",)
CASES = "items"


def fit(cases: Sequence[Any], study: Study) -> dict[str, Any]:
    """Return nothing."""
    return {}


def words(values: Mapping[str, Any], study: Study) -> str:
    """Return what was chosen."""
    return "a coin"


def predict(values: Mapping[str, Any], case: Any, study: Study) -> dict[str, Any]:
    """Return a number of the case."""
    return {"case_scores": derive_seed(0, "coin", case.case_id) % 1000 / 1000}
