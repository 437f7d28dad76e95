"""How the operating point was chosen, as result files keep it and as people read it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def chosen_words(point: Mapping[str, Any], unit: str = "false positives per case") -> str:
    """Return in words what an operating point was chosen by: `for 8.4 false positives per case`, `by the Youden index`.

    >>> chosen_words({"chosen_by": "sensitivity:0.9"})
    'for a sensitivity of 0.9'
    """
    if point.get("chosen_by") == "case_scores":
        return "by the scores of the cases"
    if "chosen_by" not in point:
        return f"for {point['chosen_for']:g} {unit}"
    kind, _, level = str(point["chosen_by"]).partition(":")
    return f"for a {kind} of {level}" if level else "by the Youden index"
