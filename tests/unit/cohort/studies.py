"""Studies of the tests of cohorts and phantoms."""

from __future__ import annotations

from typing import Any

from hakken.study import Study

SETTINGS: dict[str, Any] = {
    "name": "demo",
    "seed": 1,
    "cohort": {"table": "cases.csv"},
    "channels": {"T1": {"modality": "mr"}, "T2": {"modality": "mr"}},
    "reference": "T1",
}
HEADS: dict[str, Any] = {
    "generator": "brain_metastasis",
    "cases": {"train": 12, "validation": 6, "test": 6},
    "shape_mm": [110, 130, 100],
    "spacing_mm": 2.0,
}


def study_of_heads(**sections: Any) -> Study:
    """A study with a small coarse phantom; ``sections`` replace whole ones."""
    channels = {"T1POST": {"modality": "mr"}, "T1": {"modality": "mr"}}
    content = SETTINGS | {"cohort": {"phantom": HEADS}, "channels": channels, "reference": "T1POST"}
    return Study.model_validate(content | sections)
