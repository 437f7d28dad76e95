"""Scores of cases: the ROC worked by hand, the operating point, thresholds of one's own, what cannot be read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hakken.cohort.items import Item
from hakken.core.errors import HakkenError
from hakken.outcomes import Part, case_scores
from hakken.runs.predictions import part_of
from hakken.study import Study

SCORES = {"a": 0.9, "b": 0.5, "c": 0.2, "d": 0.4, "e": 0.1}
CASES = [Item(name, f"p{name}", label="ill" if name in "abc" else None) for name in SCORES]


def part(rule: str = "youden", cases: list[Item] = CASES, **more: Any) -> Part:
    content: dict[str, Any] = {
        "name": "heads",
        "seed": 5,
        "method": "autoencoder",
        "cohort": {"table": "cases.csv"},
        "channels": {"A": {"modality": "ct"}},
        "outcomes": {"case_scores": {"operating_rule": rule}},
        "evaluation": {"bootstrap": 200},
    }
    return part_of(Study.model_validate(content), "case_scores", cases, **more)


def records(measured: Any, table: str) -> list[dict[str, Any]]:
    found = measured.tables[table]
    return [dict(zip(found.columns, row, strict=True)) for row in found.rows]


def test_the_example_of_the_reference_page() -> None:
    """Of six pairs five are in order. At 0.5, where the Youden index is highest: 2 of 3 abnormal, no normal case."""
    measured = case_scores.measure(SCORES, part())
    assert case_scores.objective(SCORES, part()) == pytest.approx(5 / 6)
    assert [row.name for row in measured.rows] == [
        "AUC of the cases",
        "sensitivity",
        "specificity",
        "PPV",
        "NPV",
        "MCC",
    ]
    assert [row.value for row in measured.rows] == pytest.approx([5 / 6, 2 / 3, 1, 1, 2 / 3, 2 / 3])
    assert measured.objective == measured.rows[0]
    assert measured.counts == {"cases": 5, "abnormal": 3, "normal": 2, "patients": 5}
    assert measured.point == {"chosen_by": "youden", "threshold": 0.5}
    assert measured.details["operating_point"]["chosen"] == "here"
    assert measured.intervals == "95 % intervals: DeLong, Wilson; MCC: bootstrap"
    assert all(line.startswith("roc: ") for line in measured.warnings)


def test_the_tables_hold_the_curve_and_every_case() -> None:
    measured = case_scores.measure(SCORES, part())
    curve = records(measured, "roc")
    assert [row["tpr"] for row in curve] == measured.details["curve"]["tpr"]
    assert (curve[0]["threshold"], curve[0]["fpr"], curve[-1]["fpr"]) == (None, 0.0, 1.0)
    rows = [(row["case_id"], row["patient"], row["abnormal"], row["called"]) for row in records(measured, "cases")]
    assert rows == [("a", "pa", 1, 1), ("b", "pb", 1, 1), ("c", "pc", 1, 0), ("d", "pd", 0, 0), ("e", "pe", 0, 0)]


@pytest.mark.parametrize(
    ("rule", "threshold"),
    [("sensitivity:0.9", 0.2), ("sensitivity:0.6", 0.5), ("specificity:0.9", 0.5), ("specificity:0.5", 0.2)],
)
def test_the_rule_of_the_study_chooses_the_threshold(rule: str, threshold: float) -> None:
    assert case_scores.measure(SCORES, part(rule)).point == {"chosen_by": rule, "threshold": threshold}


def test_a_frozen_threshold_is_never_moved() -> None:
    measured = case_scores.measure(SCORES, part(points={"case_scores": 1e6}))
    point = measured.details["operating_point"]
    assert (point["threshold"], point["chosen"], point["tp"], point["tn"]) == (1e6, "elsewhere", 0, 2)
    assert point["ppv"]["value"] is None
    assert measured.point == {"chosen_by": "youden", "threshold": 1e6}


def test_each_case_may_have_a_threshold_of_its_own() -> None:
    """As where each fold has a model: at 0.95, 0.4, 0.1, 0.3 and 0.3 one of three is missed, one of two called."""
    levels = np.array([0.95, 0.4, 0.1, 0.3, 0.3])
    measured = case_scores.measure(SCORES, part(points={"case_scores": levels}))
    assert [row.value for row in measured.rows] == pytest.approx([5 / 6, 2 / 3, 1 / 2, 2 / 3, 1 / 2, 1 / 6])
    assert [row["called"] for row in records(measured, "cases")] == [0, 1, 1, 1, 0]
    assert measured.point == {"chosen_by": "youden", "threshold": None}


def test_one_kind_alone_has_no_area_no_point_and_no_objective() -> None:
    alone = part(cases=CASES[:3])
    measured = case_scores.measure(SCORES, alone)
    assert measured.objective is not None
    assert (measured.objective.value, measured.point) == (None, {"chosen_by": "youden", "threshold": None})
    assert [row["called"] for row in records(measured, "cases")] == [None, None, None]
    assert records(measured, "roc") == []
    with pytest.raises(HakkenError, match="the validation cases are all normal or all abnormal, so there is no AUC to"):
        case_scores.objective(SCORES, alone)


def test_replicates_are_paired() -> None:
    worse = SCORES | {"a": 0.3}  # below d: four pairs of six are in order
    drawn = case_scores.replicates([SCORES, worse], part(), 3)
    assert drawn.values.tolist() == pytest.approx([5 / 6, 4 / 6])
    assert drawn.drawn.shape == (2, 200 - drawn.skipped)
    assert (drawn.drawn[0] >= drawn.drawn[1]).all()
    assert 0 < (drawn.drawn[0] == drawn.drawn[1]).mean() < 1


def test_cases_of_one_patient_stay_together() -> None:
    together = [Item(case.case_id, "p", label=case.label) for case in CASES]
    drawn = case_scores.replicates([SCORES], part(cases=together), 3)
    assert (drawn.drawn == 5 / 6).all()


def test_what_is_written_is_read(tmp_path: Path) -> None:
    case_scores.write(tmp_path, SCORES | {"a": 0.1 + 0.2}, part())
    assert (tmp_path / "case_scores.csv").read_text().startswith("case_id,score\na,0.30000000000000004\nb,0.5\n")
    assert case_scores.read(tmp_path, part(cases=CASES[:2])) == {"a": 0.1 + 0.2, "b": 0.5}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a,0.5\n", "case_scores.csv: case b has no score; predict again"),
        ("a,high\nb,0.5\n", "case_scores.csv, row 2, column score: `high` is not a number"),
        ("a,inf\nb,0.5\n", "case_scores.csv, row 2, column score: `inf` is not finite; give a number"),
    ],
)
def test_a_score_that_is_missing_or_none_is_told(text: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "case_scores.csv").write_text(f"case_id,score\n{text}")
    with pytest.raises(HakkenError) as caught:
        case_scores.read(tmp_path, part(cases=CASES[:2]))
    assert message in str(caught.value)


def test_what_is_said_of_a_new_case() -> None:
    assert case_scores.spoken(0.5, None) == ["score of the case 0.5"]
    assert case_scores.spoken(0.5, {"threshold": None}) == ["score of the case 0.5"]
    assert case_scores.spoken(0.5, {"threshold": 0.5}) == [
        "score of the case 0.5: abnormal by the frozen threshold 0.5"
    ]
    assert case_scores.spoken(0.4, {"threshold": 0.5}) == ["score of the case 0.4: normal by the frozen threshold 0.5"]
