"""How the operating point was chosen, as result files keep it and as people read it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hakken.study import Study


def chosen_by(study: Study) -> dict[str, Any]:
    """Return what a study chooses its threshold by: false positives per case, or a rule on the ROC of the cases."""
    if study.of_cases:
        return {"chosen_by": study.evaluation.operating_rule}
    return {"chosen_for": study.evaluation.operating_point}


def chosen_words(point: Mapping[str, Any], unit: str = "false positives per case") -> str:
    """Return in words what an operating point was chosen by: `for 8.4 false positives per case`, `by the Youden index`.

    >>> chosen_words({"chosen_by": "sensitivity:0.9"})
    'for a sensitivity of 0.9'
    """
    if point.get("chosen_by") == "study":
        return "by the study"
    if "chosen_by" not in point:
        return f"for {point['chosen_for']:g} {unit}"
    kind, _, level = str(point["chosen_by"]).partition(":")
    return f"for a {kind} of {level}" if level else "by the Youden index"
