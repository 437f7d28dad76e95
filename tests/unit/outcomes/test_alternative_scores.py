"""Several scores of a case: each AUC worked by hand, none turned round, what cannot be read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from hakken.cohort.items import Item
from hakken.core.errors import HakkenError
from hakken.outcomes import Part, alternative_scores
from hakken.runs.predictions import part_of
from hakken.study import Study

CASES = [Item(name, f"p{name}", label="ill" if name in "abc" else None) for name in "abcde"]
SCORES = {
    "a": {"likelihood": 1.0, "two_flows": 0.9},
    "b": {"likelihood": 2.0, "two_flows": 0.5},
    "c": {"likelihood": 2.5, "two_flows": 0.2},
    "d": {"likelihood": 3.0, "two_flows": 0.4},
    "e": {"likelihood": 4.0, "two_flows": 0.1},
}


def part() -> Part:
    content: dict[str, Any] = {
        "name": "films",
        "seed": 5,
        "method": "glow",
        "cohort": {"table": "cases.csv"},
        "channels": {"A": {"modality": "xray", "normalise": "percentile"}},
        "outcomes": {"case_scores": {}, "alternative_scores": {}},
        "evaluation": {"bootstrap": 100},
    }
    return part_of(Study.model_validate(content), "alternative_scores", CASES)


def test_each_score_has_its_own_area_and_none_is_turned_round() -> None:
    """Normal images are less likely than abnormal ones here, all six pairs of them; by two flows five of six fit."""
    measured = alternative_scores.measure(SCORES, part())
    assert [(row.name, row.value) for row in measured.rows] == [
        ("AUC by likelihood", 0.0),
        ("AUC by two_flows", pytest.approx(5 / 6)),
    ]
    assert measured.objective is None
    assert measured.counts == {"cases": 5, "abnormal": 3, "normal": 2, "patients": 5}


def test_the_columns_are_the_scores(tmp_path: Path) -> None:
    alternative_scores.write(tmp_path, SCORES, part())
    assert (tmp_path / "alternative_scores.csv").read_text().splitlines()[:2] == [
        "case_id,likelihood,two_flows",
        "a,1.0,0.9",
    ]
    assert alternative_scores.read(tmp_path, part()) == SCORES


def test_what_cannot_be_read_is_named(tmp_path: Path) -> None:
    path = tmp_path / "alternative_scores.csv"
    path.write_text("case_id,likelihood\na,1\nb,2\nc,3\nd,4\n")
    with pytest.raises(HakkenError, match=r"alternative_scores\.csv: case e has no scores; predict again"):
        alternative_scores.read(tmp_path, part())
    path.write_text("case_id,likelihood\na,1\nb,high\nc,3\nd,4\ne,5\n")
    with pytest.raises(HakkenError, match="row 3, column likelihood: `high` is no"):
        alternative_scores.read(tmp_path, part())
