"""How an operating point was chosen, in result files and in words."""

from __future__ import annotations

from typing import Any

import pytest

from hakken.report.operating import chosen_by, chosen_words
from hakken.study import Study


@pytest.mark.parametrize(
    ("changes", "kept", "words"),
    [
        ({}, {"chosen_for": 8.4}, "for 8.4 false positives per case"),
        ({"task": "anomaly"}, {"chosen_by": "youden"}, "by the Youden index"),
        (
            {"task": "anomaly", "evaluation": {"operating_rule": "specificity:0.95"}},
            {"chosen_by": "specificity:0.95"},
            "for a specificity of 0.95",
        ),
    ],
)
def test_what_a_study_chooses_its_threshold_by(changes: dict[str, Any], kept: dict[str, Any], words: str) -> None:
    content: dict[str, Any] = {
        "name": "example",
        "seed": 1,
        "cohort": {"table": "cases.csv"},
        "channels": {"T1": {"modality": "mr"}},
        "reference": "T1",
    }
    point = chosen_by(Study.model_validate(content | changes))
    assert point == kept
    assert chosen_words(point | {"threshold": 0.3}) == words


def test_the_unit_can_be_written_short() -> None:
    assert chosen_words({"chosen_for": 2.0}, "FP/case") == "for 2 FP/case"
