"""Numbers: bias, error, slope and skill worked by hand; levels, fifths, shrinkage; truths of files and of columns."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hakken.cohort.items import Item
from hakken.core.errors import HakkenError
from hakken.core.files import read_json, sha256_file
from hakken.outcomes import Part, numbers
from hakken.outcomes.numbers import Settings, true_numbers
from hakken.runs.predictions import part_of
from hakken.study import Study
from hakken.study.reading import parse_study


def study(**settings: Any) -> Study:
    content: dict[str, Any] = {
        "name": "diffusion",
        "seed": 5,
        "method": "parameter_regression",
        "cohort": {"kind": "items", "files": ["signals", "truth"], "table": "cases.csv"},
        "outcomes": {"numbers": {"quantities": ["D"], "truth": "truth"} | settings},
        "evaluation": {"bootstrap": 200},
    }
    return Study.model_validate(content)


def item(folder: Path, name: str, patient: str, **arrays: Any) -> Item:
    path = folder / f"{name}.npz"
    np.savez(path, **{key: np.array(values) for key, values in arrays.items()})
    return Item(name, patient, {}, {"truth": path}, {"truth": sha256_file(path)})


@pytest.fixture
def cases(tmp_path: Path) -> list[Item]:
    return [item(tmp_path, "a", "p", D=[1, 2, 3], snr=[10, 10, 30]), item(tmp_path, "b", "q", D=[4, 5], snr=[30, 10])]


FOUND = {"a": {"D": np.array([2.0, 2.0, 3.0])}, "b": {"D": np.array([4.0, 6.0])}}


def part(cases: list[Item], **settings: Any) -> Part:
    return part_of(study(**settings), "numbers", cases)


def records(measured: Any) -> dict[tuple[Any, ...], dict[str, Any]]:
    table = measured.tables["strata"]
    rows = [dict(zip(table.columns, row, strict=True)) for row in table.rows]
    return {(row["quantity"], row["level"], row["fifth"]): row for row in rows}


def test_what_is_measured(cases: list[Item]) -> None:
    """Errors 1, 0, 0, 0, 1 of the truths 1 to 5: bias 2/5, RMSE sqrt(2/5), SD of the truth sqrt(2).

    Covariance of truth and answer: (1*2 + 2*2 + 3*3 + 4*4 + 5*6) / 5 - 3 * 3.4 = 12.2 - 10.2 = 2; slope 2 / 2 = 1.
    """
    measured = numbers.measure(FOUND, part(cases))
    skill = 1 - np.sqrt(0.4) / np.sqrt(2)
    rows = {row.name: row.value for row in measured.rows}
    assert rows == {
        "mean skill (1 - RMSE / SD of the truth)": pytest.approx(skill),
        "D: RMSE / SD": pytest.approx(np.sqrt(0.4 / 2)),
        "D: bias / SD": pytest.approx(0.4 / np.sqrt(2)),
        "D: bias / SD, lowest fifth of the truth": pytest.approx(1 / np.sqrt(2)),
        "D: bias / SD, highest fifth": pytest.approx(1 / np.sqrt(2)),
        "D: slope of the answers": pytest.approx(1),
    }
    assert measured.objective == measured.rows[0]
    assert numbers.objective(FOUND, part(cases)) == pytest.approx(skill)
    assert measured.counts == {"cases": 2, "patients": 2, "numbers": 5}
    assert measured.details == {"D": {"sd_of_truth": pytest.approx(np.sqrt(2))}}
    assert measured.warnings == ()


def test_strata_are_levels_and_fifths(cases: list[Item]) -> None:
    """Errors at 10: 1, 0, 1 (of 1, 2 and 5); at 30: 0 and 0 (of 3 and 4)."""
    found = records(numbers.measure(FOUND, part(cases, by="snr")))
    assert [key for key in found if key[2] == 0] == [("D", "", 0), ("D", "10", 0), ("D", "30", 0)]
    assert [found["D", level, 0]["numbers"] for level in ("", "10", "30")] == [5, 3, 2]
    assert [found["D", level, 0]["bias"] for level in ("10", "30")] == pytest.approx([2 / 3, 0])
    assert found["D", "10", 0]["rmse"] == pytest.approx(np.sqrt(2 / 3))
    assert found["D", "10", 0]["mean_truth"] == pytest.approx(8 / 3)
    assert [found["D", "", fifth]["mean_truth"] for fifth in range(1, 6)] == pytest.approx([1, 2, 3, 4, 5])
    assert ("D", "30", 1) not in found, "no number of 30 is in the lowest fifth"


def test_levels_are_sorted_as_numbers(tmp_path: Path) -> None:
    case = item(tmp_path, "a", "p", D=[1, 2, 3], snr=[100, 20, 3])
    found = records(numbers.measure({"a": {"D": np.array([1.0, 2, 3])}}, part([case], by="snr")))
    assert list(dict.fromkeys(level for _, level, _ in found)) == ["", "3", "20", "100"]


def test_answers_that_shrink_towards_the_mean_are_warned_of(cases: list[Item]) -> None:
    shrunk = {"a": {"D": 3 + 0.4 * (np.array([1.0, 2, 3]) - 3)}, "b": {"D": 3 + 0.4 * (np.array([4.0, 5]) - 3)}}
    measured = numbers.measure(shrunk, part(cases))
    assert measured.warnings == ("D: answers shrink towards the mean (slope 0.40); a small RMSE says little here",)
    rows = {row.name: row.value for row in measured.rows}
    # 1 is answered by 2.2, 5 by 3.8.
    assert rows["D: bias / SD, lowest fifth of the truth"] == pytest.approx(1.2 / np.sqrt(2))
    assert rows["D: bias / SD, highest fifth"] == pytest.approx(-1.2 / np.sqrt(2))


def test_who_always_answers_with_the_mean_has_no_skill(cases: list[Item]) -> None:
    mean = {"a": {"D": np.full(3, 3.0)}, "b": {"D": np.full(2, 3.0)}}
    assert numbers.objective(mean, part(cases)) == pytest.approx(0)


def test_an_array_that_the_truth_does_not_have_is_reported_by_its_mean(cases: list[Item]) -> None:
    found = {name: said | {"flagged": np.arange(len(said["D"])) == 0} for name, said in FOUND.items()}
    measured = numbers.measure(found, part(cases))
    assert (measured.rows[-1].name, measured.rows[-1].value) == ("mean of flagged", pytest.approx((1 / 3 + 1 / 2) / 2))


def test_all_of_one_patient_have_no_interval(tmp_path: Path) -> None:
    case = item(tmp_path, "a", "p", D=[1, 2, 3])
    measured = numbers.measure({"a": FOUND["a"]}, part([case]))
    assert measured.rows[0].low is None
    assert "all numbers are of one patient; there is no interval over patients" in measured.warnings


def test_several_quantities_have_a_mean_skill(tmp_path: Path) -> None:
    case = item(tmp_path, "a", "p", D=[1, 2, 3], f=[3, 2, 1])
    found = {"a": {"D": np.array([1.0, 2, 3]), "f": np.array([2.0, 2, 2])}}
    assert numbers.objective(found, part([case], quantities=["D", "f"])) == pytest.approx((1 + 0) / 2)


def test_replicates_are_paired(cases: list[Item]) -> None:
    perfect = {"a": {"D": np.array([1.0, 2, 3])}, "b": {"D": np.array([4.0, 5])}}
    drawn = numbers.replicates([FOUND, perfect], part(cases), 3)
    assert drawn.values.tolist() == pytest.approx([1 - np.sqrt(0.2), 1])
    assert drawn.drawn.shape == (2, 200)
    assert drawn.drawn[1] == pytest.approx(1)
    assert (drawn.drawn[0] < drawn.drawn[1]).all()
    assert drawn.bounds == (-np.inf, 1.0)


def test_what_is_written_is_read(cases: list[Item], tmp_path: Path) -> None:
    numbers.write(tmp_path, FOUND, part(cases))
    again = numbers.read(tmp_path, part(cases))
    assert {name: said["D"].tolist() for name, said in again.items()} == {"a": [2, 2, 3], "b": [4, 6]}
    assert read_json(tmp_path / "numbers" / "quantities.json") == ["D"]


def test_a_file_that_does_not_fit_is_told(cases: list[Item], tmp_path: Path) -> None:
    numbers.write(tmp_path, FOUND, part(cases))
    path = tmp_path / "numbers" / "b.npy"
    np.save(path, np.zeros((2, 2)))
    with pytest.raises(HakkenError) as caught:
        numbers.read(tmp_path, part(cases))
    assert str(caught.value) == f"{path}: holds (2, 2), not 1 quantities; predict again"
    path.write_bytes(b"")
    with pytest.raises(HakkenError, match=r"b\.npy: cannot be read \(.*\); predict again"):
        numbers.read(tmp_path, part(cases))


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ({"E": np.zeros(3)}, "case a: no `D` was predicted, only E"),
        ({"D": np.zeros(2)}, "case a: 2 values of `D` were predicted, the truth has 3"),
        ({"D": np.array([1.0, np.nan, 1])}, "case a: a predicted `D` is no finite number"),
    ],
)
def test_an_answer_that_cannot_be_measured_is_told(said: dict[str, Any], message: str, cases: list[Item]) -> None:
    with pytest.raises(HakkenError) as caught:
        numbers.measure(FOUND | {"a": said}, part(cases))
    assert str(caught.value) == message


def test_a_truth_that_is_no_truth_is_told(tmp_path: Path) -> None:
    settings = Settings(quantities=("D", "f"), truth="truth")
    lacking = item(tmp_path, "a", "p", D=[1])
    with pytest.raises(HakkenError, match=r"a\.npz: holds no array `f`, only D"):
        true_numbers(lacking, settings)
    uneven = item(tmp_path, "b", "p", D=[1], f=[1, 2])
    with pytest.raises(HakkenError, match=r"b\.npz: its arrays differ in length: D 1, f 2"):
        true_numbers(uneven, settings)
    broken = tmp_path / "c.npz"
    broken.write_bytes(b"no zip")
    with pytest.raises(HakkenError, match=r"c\.npz: cannot be read as \.npz"):
        true_numbers(Item("c", "p", {}, {"truth": broken}, {"truth": sha256_file(broken)}), settings)


def test_one_number_of_each_case_may_stand_in_the_case_table() -> None:
    cases = [Item(str(age), "", {"age": str(age), "sex": sex}) for age, sex in ((40, "f"), (50, "m"), (60, "f"))]
    found = {case.case_id: {"age": np.array([float(case.case_id) + 10])} for case in cases}
    measured = numbers.measure(found, part(cases, quantities=["age"], truth=None, by="sex"))
    rows = records(measured)
    assert [(level, rows["age", level, 0]["bias"]) for level in ("", "f", "m")] == [("", 10), ("f", 10), ("m", 10)]
    assert measured.counts == {"cases": 3, "patients": 3, "numbers": 3}


@pytest.mark.parametrize(("cell", "said"), [("old", "`old` is no number"), ("", "there is none")])
def test_a_cell_that_is_no_number_is_told(cell: str, said: str) -> None:
    with pytest.raises(HakkenError) as caught:
        true_numbers(Item("a", "p", {"age": cell}), Settings(quantities=("age",)))
    assert str(caught.value) == f"case a: needs a number in the column `age` of the case table; {said}"


def test_a_truth_that_is_no_file_of_the_cases_is_a_misfit() -> None:
    content = study().model_dump(mode="json", exclude_defaults=True)
    content["outcomes"]["numbers"]["truth"] = "answers"
    with pytest.raises(HakkenError) as caught:
        parse_study(content)
    assert str(caught.value) == (
        "study: outcomes.numbers.truth: `answers` is no file of the cases; cohort.files names signals, truth"
    )


def test_names_that_no_file_can_have_are_no_hindrance(tmp_path: Path) -> None:
    named = [Item("症例/01", "p1"), Item("..", "p2")]
    numbers.write(tmp_path / "said", {"症例/01": {"D": np.array([1.0])}, "..": {"D": np.array([2.0])}}, part(named))
    assert {name: said["D"].tolist() for name, said in numbers.read(tmp_path / "said", part(named)).items()} == {
        "症例/01": [1],
        "..": [2],
    }
    assert [path.name for path in tmp_path.iterdir()] == ["said"]
