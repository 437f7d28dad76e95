"""Candidates: hand-worked sensitivities, tables and strata; thresholds of one's own; what cannot be read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hakken.core.errors import HakkenError
from hakken.core.volume import Geometry
from hakken.evaluation.operating import levelled
from hakken.imaging.prepared import Lesion, PreparedCase
from hakken.inference.candidates import Candidates
from hakken.outcomes import Part, candidates
from hakken.outcomes._candidate_tables import candidate_rows
from hakken.outcomes.candidates import labels_of
from hakken.runs.predictions import part_of
from hakken.study.reading import parse_study

from ..miniature import content_of, save_case, study, without

GRID = Geometry((24, 40, 36), (1.5, 1.5, 1.5), (-20.0, -30.0, 5.0))
Voxel = tuple[int, int, int]
Mark = tuple[Voxel, float]


def lesion(number: int, place: Voxel, diameter: float) -> Lesion:
    x, y, z = GRID.to_world([place])[0].tolist()
    return Lesion(number, x, y, z, diameter, 4 / 3 * np.pi * (diameter / 2) ** 3)


LESIONS = {
    "a": (lesion(1, (10, 10, 10), 8.0), lesion(2, (12, 30, 25), 4.0)),
    "b": (lesion(1, (5, 20, 20), 12.0),),
    "c": (),
}
SCANNERS = {"a": "one", "b": "one", "c": "two"}
MARKS: dict[str, list[Mark]] = {
    "a": [((10, 10, 10), 0.9), ((20, 5, 5), 0.7)],  # the lesion of 8 mm, and nothing
    "b": [((5, 21, 20), 0.6)],  # the lesion of 12 mm
    "c": [((5, 5, 5), 0.5), ((20, 35, 30), 0.2)],
}


def said(marks: Sequence[Mark]) -> Candidates:
    voxel = np.array([place for place, _ in marks], float).reshape(-1, 3)
    score = np.array([score for _, score in marks], float)
    xyz = GRID.to_world(voxel) if len(marks) else np.zeros((0, 3))
    return Candidates(xyz, score, np.full(len(marks), 10.0), voxel, np.zeros(len(marks), np.int64))


def all_said(marks: dict[str, list[Mark]]) -> dict[str, Candidates]:
    return {name: said(marks.get(name, [])) for name in LESIONS}


@pytest.fixture(scope="module")
def cases(tmp_path_factory: pytest.TempPathFactory) -> list[PreparedCase]:
    """Three cases: two lesions in a, one in b, none in c; scanners one, one and two."""
    folder, shape = tmp_path_factory.mktemp("cases"), GRID.shape_zyx
    return [
        save_case(
            folder,
            name,
            np.zeros((2, *shape)),
            geometry=GRID,
            labels=np.zeros(shape),
            lesions=found,
            columns={"scanner": SCANNERS[name]},
            patient=f"p{name}",
        )
        for name, found in LESIONS.items()
    ]


def part(cases: Sequence[PreparedCase], settings: dict[str, Any] | None = None, **more: Any) -> Part:
    chosen = study(outcomes={"candidates": settings or {}}, evaluation={"bootstrap": 200})
    return part_of(chosen, "candidates", cases, **more)


def records(measured: Any, table: str) -> list[dict[str, Any]]:
    found = measured.tables[table]
    return [dict(zip(found.columns, row, strict=True)) for row in found.rows]


def test_what_is_measured(cases: list[PreparedCase]) -> None:
    measured = candidates.measure(all_said(MARKS), part(cases))
    assert measured.counts == {"cases": 3, "patients": 3, "lesions": 3}
    assert measured.details["counts"] == {
        "cases": 3, "lesions": 3, "candidates": 5, "true_positives": 2, "false_positives": 3, "missed": 1,
        "ignored_duplicates": 0, "ignored_excluded": 0, "patients": 3,
    }  # fmt: skip
    names = [*(f"sensitivity at {rate} FP/case" for rate in ("1", "3", "8.4")), "partial AUC to 10 FP/case"]
    names += ["average precision", "PI-CAI score"]
    assert [row.name for row in measured.rows] == names
    assert measured.rows[0].value == pytest.approx(2 / 3)
    # Sensitivity 1/3 up to 1/3 FP per case, then 2/3: it rises by linear interpolation between operating points.
    assert measured.objective == measured.rows[3]
    # marks: hit, false, hit, false, false of 3 lesions; highest marks: a 0.9 and b 0.6, abnormal, c 0.5
    assert [row.value for row in measured.rows[4:]] == pytest.approx([5 / 9, (5 / 9 + 1) / 2])
    beyond = "the curve ends at 1, the last value is given"
    assert [row.warning for row in measured.rows[:3]] == ["", beyond, beyond]
    assert measured.rows[2].cell.endswith("] *")
    assert f"sensitivity at 3 and 8.4 FP/case: {beyond}" in measured.said
    assert measured.point is not None
    assert (measured.point["chosen_for"], measured.point["threshold"]) == (8.4, 0.2)
    assert measured.point["fp_per_case"]["value"] == 1
    assert measured.point["sensitivity"]["value"] == pytest.approx(2 / 3)
    # One of two lesions in a, the only one in b.
    assert measured.details["per_patient"]["sensitivity"] == {"pooled": pytest.approx(2 / 3), "mean_over_cases": 0.75}
    assert measured.details["rules"]["hit"] == "distance"


def test_the_objective_is_the_main_row(cases: list[PreparedCase]) -> None:
    found, whole = all_said(MARKS), part(cases)
    measured = candidates.measure(found, whole)
    assert measured.objective is not None
    assert candidates.objective(found, whole) == measured.objective.value
    # By hand, up to 10 FP per case: 1/3 over the first third, 2/3 over the rest.
    assert measured.objective.value == pytest.approx((1 / 3 * 1 / 3 + 2 / 3 * (10 - 1 / 3)) / 10)


def test_the_tables_hold_every_operating_point_lesion_and_stratum(cases: list[PreparedCase]) -> None:
    measured = candidates.measure(all_said(MARKS), part(cases))
    curve = records(measured, "curve")
    assert [row["threshold"] for row in curve] == [np.inf, 0.9, 0.7, 0.6, 0.5, 0.2]
    assert [row["sensitivity"] for row in curve] == pytest.approx([0, 1 / 3, 1 / 3, 2 / 3, 2 / 3, 2 / 3])
    assert [row["fp_per_case"] for row in curve] == pytest.approx([0, 0, 1 / 3, 1 / 3, 2 / 3, 1])
    lesions = records(measured, "lesions")
    assert [(row["case_id"], row["lesion"], row["score"], row["found"]) for row in lesions] == [
        ("a", 1, 0.9, 1),
        ("a", 2, None, 0),
        ("b", 1, 0.6, 1),
    ]
    strata = {row["stratum"]: row for row in records(measured, "strata")}
    assert list(strata) == ["all lesions", "below 5 mm", "5 to 10 mm", "10 mm and more", "one", "two"]
    assert (strata["below 5 mm"]["found"], strata["below 5 mm"]["lesions"]) == (0, 1)
    assert (strata["two"]["cases"], strata["two"]["sensitivity"], strata["two"]["fp_per_case"]) == (1, None, 2.0)
    skipped = measured.details["bootstrap"]["skipped"]  # resamples of c alone have no lesion
    assert len(measured.tables["replicates"].rows) == 200 - skipped < 200


def test_lesions_of_each_class_are_a_stratum_in_which_marks_on_the_others_are_dropped(
    cases: list[PreparedCase],
) -> None:
    classes = {8.0: "vessel", 4.0: "pleura", 12.0: "pleura"}
    named = [
        replace(case, lesions=tuple(replace(one, lesion_class=classes[one.diameter]) for one in case.lesions))
        for case in cases
    ]
    measured = candidates.measure(all_said(MARKS), part(named, {"at": [1], "operating_point": 1}))
    strata = {row["stratum"]: row for row in records(measured, "strata") if row["group"] == "class"}
    assert list(strata) == ["pleura", "vessel"]
    assert (strata["pleura"]["lesions"], strata["vessel"]["lesions"]) == (2, 1)
    # Of three cases: 0.9 hits the vessel's; without it the marks are 0.7 (false), 0.6 (on one of two), 0.5, 0.2.
    assert strata["vessel"]["fp_per_case"] == strata["pleura"]["fp_per_case"] == pytest.approx(3 / 3)
    assert (strata["pleura"]["found"], strata["vessel"]["found"]) == (1, 1)
    plain = candidates.measure(all_said(MARKS), part(cases, {"at": [1], "operating_point": 1}))
    assert not [row for row in records(plain, "strata") if row["group"] == "class"]


def test_the_mean_over_the_seven_rates_of_luna16_is_a_row_where_they_are_asked_for(cases: list[PreparedCase]) -> None:
    seven = [0.125, 0.25, 0.5, 1, 2, 4, 8]
    asked = part(cases, {"at": seven, "operating_point": 1})
    rows = {row.name: row.value for row in candidates.measure(all_said(MARKS), asked).rows}
    sensitivities = [rows[f"sensitivity at {rate:g} FP/case"] for rate in seven]
    # Three cases, three lesions: one found before any false positive, one after the first (1/3 a case).
    assert sensitivities == pytest.approx([1 / 3, 1 / 3, 2 / 3, 2 / 3, 2 / 3, 2 / 3, 2 / 3])
    assert rows["CPM"] == pytest.approx(np.mean(sensitivities))
    assert "CPM" in candidates.row_names(asked.study)
    other = part(cases, {"at": seven[1:], "operating_point": 1})
    assert "CPM" not in {row.name for row in candidates.measure(all_said(MARKS), other).rows}


def test_a_threshold_that_was_chosen_elsewhere_is_used_as_it_is(cases: list[PreparedCase]) -> None:
    measured = candidates.measure(all_said(MARKS), part(cases, points={"candidates": 0.65}))
    assert measured.point is not None
    assert measured.point["threshold"] == 0.65
    assert measured.point["sensitivity"]["value"] == pytest.approx(1 / 3)
    assert measured.point["fp_per_case"]["value"] == pytest.approx(1 / 3)
    assert [row["found"] for row in records(measured, "lesions")] == [1, 0, 0]


def test_each_case_may_have_a_threshold_of_its_own(cases: list[PreparedCase]) -> None:
    """As where each fold has a model: at 0.8, 0.55 and 0.3 both found lesions are found, with one false positive."""
    levels = np.array([0.8, 0.55, 0.3])
    measured = candidates.measure(
        all_said(MARKS), part(cases, points={"candidates": levels}, folds=np.array([0, 1, 2]))
    )
    assert measured.point is not None
    assert (measured.point["threshold"], measured.point["thresholds"]) == (None, {"a": 0.8, "b": 0.55, "c": 0.3})
    assert measured.point["sensitivity"]["value"] == pytest.approx(2 / 3)
    assert measured.point["fp_per_case"]["value"] == pytest.approx(1 / 3)
    strata = {(row["group"], row["stratum"]): row for row in records(measured, "strata")}
    assert [strata["fold", str(fold)]["fp_per_case"] for fold in range(3)] == [0, 0, 1]
    # The curve stays that of the scores as they are.
    assert [row["threshold"] for row in records(measured, "curve")] == [np.inf, 0.9, 0.7, 0.6, 0.5, 0.2]


def test_scores_become_distances_from_thresholds_of_their_own(cases: list[PreparedCase]) -> None:
    found = candidates.findings_of(all_said(MARKS), part(cases))
    moved, level = levelled(found, np.array([0.8, 0.55, 0.3]))
    assert (moved.candidates.score.tolist(), level) == (pytest.approx([0.1, -0.1, 0.05, 0.2, -0.1]), 0.0)
    assert levelled(found, 0.4) == (found, 0.4)
    assert levelled(found, None) == (found, np.inf)


def test_without_candidates_there_is_a_result_and_no_operating_point(cases: list[PreparedCase]) -> None:
    measured = candidates.measure(all_said({}), part(cases))
    assert measured.objective is not None
    assert (measured.objective.value, measured.point) == (0, {"chosen_for": 8.4, "threshold": None})
    assert "no operating point: there is no lesion or no candidate" in measured.warnings


def test_a_column_that_the_case_table_does_not_have_is_told(cases: list[PreparedCase]) -> None:
    chosen = study(evaluation={"bootstrap": 100, "strata": ["site"]})
    measured = candidates.measure(all_said(MARKS), part_of(chosen, "candidates", cases))
    assert "no stratum by site: the case table has no such column" in measured.warnings
    assert "site" not in {row["group"] for row in records(measured, "strata")}


@pytest.mark.parametrize(
    ("hit", "found"),
    [("distance", 2), ("distance-inclusive", 2), ("fixed:1", 1), ("fixed:2", 2), ("inside", 0)],
)
def test_the_rule_of_hits_is_the_study_s(hit: str, found: int, cases: list[PreparedCase]) -> None:
    """The mark in b lies 1.5 mm beside the centre; the labels of the cases are all empty."""
    measured = candidates.measure(all_said(MARKS), part(cases, {"hit": hit}))
    assert measured.details["counts"]["true_positives"] == found


def test_the_area_ends_where_the_study_says(cases: list[PreparedCase]) -> None:
    measured = candidates.measure(all_said(MARKS), part(cases, {"maximum_fp": 1, "at": [0.5]}))
    assert [row.name for row in measured.rows[:2]] == ["sensitivity at 0.5 FP/case", "partial AUC to 1 FP/case"]
    assert measured.rows[1].value == pytest.approx(1 / 9 + 4 / 9)


def test_of_one_patient_lesions_and_false_positives_are_resampled(cases: list[PreparedCase]) -> None:
    one = [replace(case, patient="one") for case in cases]
    drawn = candidates.replicates([all_said(MARKS)], part(one), 3)
    assert len(np.unique(drawn.drawn)) > 5  # patients resampled would give the one value again and again


def test_replicates_are_paired(cases: list[PreparedCase]) -> None:
    fewer = MARKS | {"b": []}
    drawn = candidates.replicates([all_said(MARKS), all_said(fewer)], part(cases), 3)
    assert drawn.values.tolist() == pytest.approx([0.655556, 1 / 3], abs=1e-5)
    assert drawn.drawn.shape == (2, drawn.resamples - drawn.skipped)
    # Where case b is not drawn the two say the same; where c alone is, there is no lesion and the resample is left out.
    assert (drawn.drawn[0] >= drawn.drawn[1]).all()
    assert 0.2 < (drawn.drawn[0] == drawn.drawn[1]).mean() < 0.4
    assert drawn.skipped == pytest.approx(200 / 27, abs=8)


def test_without_a_lesion_there_is_nothing_to_compare_by(cases: list[PreparedCase]) -> None:
    with pytest.raises(ValueError, match="no partial AUC to compare by"):
        candidates.replicates([all_said(MARKS)], part(cases[2:]), 3)


def test_the_table_holds_every_digit_and_the_lesion(tmp_path: Path, cases: list[PreparedCase]) -> None:
    found = Candidates(
        xyz=np.array([(1.5, -2.25, 1 / 3), (4.0, 5.0, 6.0)]),
        score=np.array([0.9, 0.125]),
        size=np.array([27.0, 13.5]),
        voxel=np.zeros((2, 3)),
    )
    assert candidate_rows("a", found, [2, 0]) == [
        ("a", 1, 1.5, -2.25, 1 / 3, 0.9, 27.0, 2),
        ("a", 2, 4.0, 5.0, 6.0, 0.125, 13.5, 0),
    ]
    assert candidate_rows("a", found)[0][-1] is None, "where the truth is unknown"
    candidates.write(tmp_path, {"a": found}, part(cases[:1]))
    assert (tmp_path / "candidates.csv").read_text() == (
        "case_id,candidate,x,y,z,score,volume_mm3,lesion\n"
        "a,1,1.5,-2.25,0.3333333333333333,0.9,27.0,0\n"
        "a,2,4.0,5.0,6.0,0.125,13.5,0\n"
    )


def test_no_candidates_is_a_table_with_its_heading(tmp_path: Path, cases: list[PreparedCase]) -> None:
    candidates.write(tmp_path, all_said({}), part(cases))
    assert (tmp_path / "candidates.csv").read_text() == "case_id,candidate,x,y,z,score,volume_mm3,lesion\n"
    assert all(len(found) == 0 for found in candidates.read(tmp_path, part(cases)).values())


def test_what_is_written_is_read(tmp_path: Path, cases: list[PreparedCase]) -> None:
    candidates.write(tmp_path, all_said(MARKS), part(cases))
    for name, found in candidates.read(tmp_path, part(cases)).items():
        before = said(MARKS[name])
        np.testing.assert_array_equal(found.xyz, before.xyz)
        np.testing.assert_array_equal(found.score, before.score)
        np.testing.assert_allclose(found.voxel, before.voxel, atol=1e-9)


def test_the_lesion_that_a_candidate_lies_in_is_told_by_the_labels(tmp_path: Path) -> None:
    labels = np.zeros(GRID.shape_zyx, np.int16)
    labels[5, 21, 20] = 7
    case = save_case(tmp_path, "b", np.zeros((2, *GRID.shape_zyx)), geometry=GRID, labels=labels)
    unknown = Candidates(*(getattr(said(MARKS["b"]), name) for name in ("xyz", "score", "size", "voxel")))
    assert labels_of({"b": unknown}, case).tolist() == [7]  # type: ignore[union-attr]
    blind = save_case(tmp_path, "x", np.zeros((2, *GRID.shape_zyx)), geometry=GRID)
    assert labels_of({"x": unknown}, blind) is None


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("a,1,0,0,0,nan,1,0", "row 2, column score: `nan` is not finite; give a number"),
        ("a,1,0,left,0,0.5,1,0", "row 2, column y: `left` is not a number"),
        ("a,1,0,0,0,0.5,,0", "row 2, column volume_mm3: is empty; give a number"),
        ("zz,1,0,0,0,0.5,1,0", "candidates, row 2: case `zz` is not among the 3 cases of the cohort"),
    ],
)
def test_a_candidate_that_cannot_be_used_is_told_with_its_place(
    row: str, message: str, tmp_path: Path, cases: list[PreparedCase]
) -> None:
    (tmp_path / "candidates.csv").write_text(",".join(candidates.COLUMNS) + f"\n{row}\n")
    with pytest.raises(HakkenError) as caught:
        candidates.read(tmp_path, part(cases))
    assert message in str(caught.value)


def test_a_new_case_is_written_as_a_table_and_told_in_lines(tmp_path: Path, cases: list[PreparedCase]) -> None:
    path, found = tmp_path / "out.csv", said(MARKS["a"])
    lines = list(candidates.save_one(path, found, cases[0], {"threshold": 0.8, "chosen_for": 8.4}))
    x, y, z = found.xyz[0]
    assert lines[0] == f"{path}: 2 candidates of a; mm, LPS, scanner space of the reference channel"
    assert lines[2].split() == ["1", f"{x:.1f}", f"{y:.1f}", f"{z:.1f}", "0.9000", "10.0"]
    assert lines[-1] == ("1 reach the frozen threshold 0.8, chosen on validation for 8.4 false positives per case")
    assert len(path.read_text().splitlines()) == 3
    assert len(list(candidates.save_one(path, said([]), cases[0], None))) == 1


def test_a_threshold_of_an_outcome_that_there_is_not_is_a_misfit() -> None:
    with pytest.raises(HakkenError) as caught:
        parse_study(content_of(outcomes={"candidates": {"operating_point": "case_scores"}}))
    assert str(caught.value) == (
        "study: outcomes.candidates.operating_point: there is no outcome `case_scores`; give false positives per case"
    )


def test_the_threshold_may_be_that_of_the_cases(cases: list[PreparedCase]) -> None:
    chosen = study(
        without("parameters", "search"),
        method="autoencoder",
        parameters={"patch_size": 8},
        outcomes={"case_scores": {}, "candidates": {"operating_point": "case_scores"}},
    )
    measured = candidates.measure(all_said(MARKS), part_of(chosen, "candidates", cases, points={"case_scores": 0.65}))
    assert measured.point is not None
    assert (measured.point["chosen_by"], measured.point["threshold"]) == ("case_scores", 0.65)
    none = candidates.measure(all_said(MARKS), part_of(chosen, "candidates", cases))
    assert none.point == {"chosen_by": "case_scores", "threshold": None}


@pytest.mark.parametrize(
    ("most", "maximum_fp", "named"),
    [
        (2, 0.5, "1 case (a) with"),  # a is full, its weakest of 0.7 lies above the 0.6 of 1/3 FP per case; c is below
        (2, 10, "2 cases (a, c) with"),  # the curve ends at 1 FP per case: both might go on
        (3, 10, ""),
    ],
)
def test_a_cap_that_cuts_the_curve_is_told(most: int, maximum_fp: float, named: str, cases: list[PreparedCase]) -> None:
    settings = {"maximum_fp": maximum_fp, "at": [0.5]}
    chosen = study(inference={"maximum_candidates": most}, outcomes={"candidates": settings})
    measured = candidates.measure(all_said(MARKS), part_of(chosen, "candidates", cases))
    told = [line for line in measured.warnings if "maximum_candidates" in line]
    assert [line.partition(" as many")[0] for line in told] == ([named] if named else [])
    if told:
        assert told[0].endswith(
            f"candidates as `inference.maximum_candidates` allows ({most}), all above the threshold of {maximum_fp:g} "
            "FP/case: weaker ones are missing from the curve; raise it"
        )
