"""What a training maximises, worked out by hand, and what is written of predictions."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis.extra import numpy as arrays

from hakken import plugins
from hakken.core.errors import HakkenError
from hakken.imaging.prepared import PreparedCase
from hakken.inference.candidates import Candidates
from hakken.outcomes import Part
from hakken.outcomes._candidate_findings import labels_of, marks_of
from hakken.outcomes.masks import mask_of, runs_of
from hakken.study.reading import parse_study

from ..methods.helpers import prepare_case, study
from ..methods.imagenet_classifier.helpers import CLASSES, CONTENT, case_of

PLACES = {"a": [(8.0, 9.0, 10.0), (14.0, 18.0, 16.0)], "b": []}
AWAY = (500.0, 500.0, 500.0)
HEADING = "case_id,candidate,x,y,z,score,volume_mm3,lesion\n"


def marks(xyz: list[tuple[float, float, float]], scores: list[float]) -> Candidates:
    points = np.array(xyz, float).reshape(-1, 3)
    return Candidates(points, np.array(scores), np.ones(len(scores)), np.zeros((len(scores), 3)))


def part_of(cases: list[PreparedCase], outcome: str, **keys: Any) -> Part:
    """Cases of the miniature study, and an outcome with these settings."""
    return Part(study(), cases, plugins.load("outcomes", outcome).Settings(**keys))


def objective(outcome: str, found: Any, part: Part) -> float:
    value: float = plugins.load("outcomes", outcome).objective(found, part)
    return value


def cases_at(folder: Path, places: dict[str, list[tuple[float, float, float]]]) -> list[PreparedCase]:
    return [prepare_case(folder, name, found) for name, found in places.items()]


def test_the_partial_auc_of_candidates_is_that_over_all_cases(tmp_path: Path) -> None:
    cases = cases_at(tmp_path, PLACES)
    part = part_of(cases, "candidates", maximum_fp=2)
    hits = [lesion.centre for lesion in cases[0].lesions]
    # One lesion before any false positive, one after 1 in 2 cases: points (0, 1/2), (1/2, 1/2), (1/2, 1).
    found = {"a": marks([hits[0], AWAY, hits[1]], [0.9, 0.8, 0.7]), "b": marks([], [])}
    assert objective("candidates", found, part) == pytest.approx((0.5 * 0.5 + 1.5 * 1.0) / 2)
    assert objective("candidates", {"a": marks(hits, [0.9, 0.8]), "b": marks([], [])}, part) == 1
    assert objective("candidates", {"a": marks([], []), "b": marks([], [])}, part) == 0
    # One of two lesions is found before any false positive; the curve stays there.
    found = {"a": marks([hits[0], AWAY], [0.9, 0.4]), "b": marks([AWAY], [0.5])}
    assert objective("candidates", found, part) == pytest.approx(0.5)


def test_marks_carry_the_label_of_the_lesion_they_lie_in(tmp_path: Path) -> None:
    case = prepare_case(tmp_path, "a", [(8, 9, 10)])
    found = {"a": Candidates(np.zeros((2, 3)), np.ones(2), np.ones(2), np.array([(8.2, 9, 10), (1, 1, 1)]))}
    labels = labels_of(found, case)
    assert labels is not None
    assert labels.tolist() == np.asarray(marks_of(found, [case]).label).tolist() == [1, 0]
    assert labels_of(found, replace(case, has_truth=False)) is None
    known = replace(found["a"], lesion=np.array([0, 4]))
    assert labels_of({"a": known}, case).tolist() == [0, 4]  # type: ignore[union-attr]


def test_the_table_of_candidates_holds_every_digit_and_the_lesion(tmp_path: Path) -> None:
    found = Candidates(
        xyz=np.array([(1.5, -2.25, 1 / 3), (4.0, 5.0, 6.0)]),
        score=np.array([0.9, 0.125]),
        size=np.array([27.0, 13.5]),
        voxel=np.array([(8.0, 9.0, 10.0), (0.0, 0.0, 0.0)]),
    )
    case = prepare_case(tmp_path, "a", [(8, 9, 10)])
    outcome, part = plugins.load("outcomes", "candidates"), part_of([case], "candidates")
    outcome.write(tmp_path, {"a": found}, part)
    assert (tmp_path / "candidates.csv").read_text() == (
        HEADING + "a,1,1.5,-2.25,0.3333333333333333,0.9,27.0,1\na,2,4.0,5.0,6.0,0.125,13.5,0\n"
    )
    again = outcome.read(tmp_path, part)["a"]
    for name in ("xyz", "score", "size"):
        np.testing.assert_array_equal(getattr(again, name), getattr(found, name))
    assert again.lesion.tolist() == [1, 0]
    outcome.write(tmp_path, {"a": found}, part_of([replace(case, has_truth=False)], "candidates"))
    assert (tmp_path / "candidates.csv").read_text().splitlines()[1].endswith(",27.0,")
    outcome.write(tmp_path, {"a": marks([], [])}, part)
    assert (tmp_path / "candidates.csv").read_text() == HEADING
    assert len(outcome.read(tmp_path, part)["a"]) == 0


def test_the_auc_of_case_scores(tmp_path: Path) -> None:
    places = {"a": [(8.0, 9.0, 10.0)], "b": [(14.0, 18.0, 16.0)], "c": [], "d": []}
    part = part_of(cases_at(tmp_path, places), "case_scores")
    # 5 > 3, 5 > 0, 2 < 3, 2 > 0: three of four pairs.
    assert objective("case_scores", {"a": 5, "b": 2, "c": 3, "d": 0}, part) == 0.75
    # A tie counts half: 3 = 3, 3 > 0, 2 < 3, 2 > 0.
    assert objective("case_scores", {"a": 3, "b": 2, "c": 3, "d": 0}, part) == 2.5 / 4
    with pytest.raises(HakkenError) as error:
        objective("case_scores", {"c": 1}, part_of(list(part.images[2:3]), "case_scores"))
    assert str(error.value) == "the validation cases are all normal or all abnormal, so there is no AUC to maximise"


def test_the_mean_dice_over_cases_and_masks(tmp_path: Path) -> None:
    cases = cases_at(tmp_path, {"a": [(8.0, 9.0, 10.0)], "b": []})
    truth, nothing = cases[0].labels() > 0, np.zeros(cases[0].geometry.shape_zyx, bool)
    found = {"a": {"large": truth, "small": nothing}, "b": {"large": nothing, "small": ~nothing}}
    # 1 and 0 in a; none and 0 in b: nothing found where there is nothing has no Dice.
    assert objective("masks", found, part_of(cases, "masks")) == pytest.approx(1 / 3)
    with pytest.raises(HakkenError, match="no validation case has a lesion or a mask"):
        objective("masks", {"b": {"large": nothing}}, part_of(cases[1:], "masks"))


@settings(max_examples=60, deadline=None)
@given(arrays.arrays(bool, arrays.array_shapes(min_dims=3, max_dims=3, max_side=6)))
def test_runs_give_the_mask_back(mask: np.ndarray) -> None:
    runs = runs_of(mask)
    assert np.array_equal(mask_of(runs, mask.shape), mask)
    assert runs[:, 1].sum() == mask.sum()
    assert (runs[1:, 0] > runs[:-1].sum(1)).all()  # runs that touch are one


def test_a_run_that_does_not_fit() -> None:
    with pytest.raises(ValueError, match="a run of 3 voxels from 10 on does not fit into"):
        mask_of(np.array([[10, 3]]), (1, 3, 4))


def test_an_empty_mask_has_a_line_in_the_table(tmp_path: Path) -> None:
    case = prepare_case(tmp_path, "a", [])
    outcome, part = plugins.load("outcomes", "masks"), part_of([case], "masks")
    some = np.zeros(case.geometry.shape_zyx, bool)
    some[0, 0, 4:6] = True
    outcome.write(tmp_path, {"a": {"3 levels": some, "2 levels": some & ~some}}, part)
    assert (tmp_path / "masks.csv").read_text() == "case_id,mask,start,length\na,3 levels,4,2\na,2 levels,0,0\n"
    again = outcome.read(tmp_path, part)["a"]
    assert list(again) == ["3 levels", "2 levels"]
    np.testing.assert_array_equal(again["3 levels"], some)
    assert not again["2 levels"].any()


def test_the_balanced_accuracy_of_classes_and_their_table(tmp_path: Path) -> None:
    whole = parse_study(CONTENT)
    cases = [case_of(tmp_path, number, CLASSES[number % 2]) for number in range(4)]
    outcome, part = plugins.load("outcomes", "classes"), Part(whole, cases, whole.outcomes["classes"])
    right = {f"c{number}": np.array([[1 - number % 2, number % 2]], float) for number in range(4)}
    assert outcome.objective(right, part) == 1
    assert outcome.objective({name: 1 - values for name, values in right.items()}, part) == 0
    # Of the dark ones half are right, of the bright ones all: (1/2 + 1) / 2.
    assert outcome.objective(right | {"c0": np.array([[0.4, 0.6]])}, part) == 0.75
    outcome.write(tmp_path, right, part)
    heading, first, *_ = (tmp_path / outcome.FILE).read_text().splitlines()
    assert heading.split(",") == [*outcome.COLUMNS, *(f"{outcome.PROBABILITY}{name}" for name in CLASSES)]
    assert first == "c0,p0,1,dark,dark,1.0,0.0"
    again = outcome.read(tmp_path, part)
    assert {name: values.tolist() for name, values in again.items()} == {n: v.tolist() for n, v in right.items()}
