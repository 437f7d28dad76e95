"""Masks of lesions: the Dice worked by hand, kinds apart, intervals over patients, what cannot be read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hakken.core.errors import HakkenError
from hakken.core.volume import Geometry
from hakken.imaging.files import read_volume
from hakken.imaging.prepared import Lesion, PreparedCase
from hakken.outcomes import Part, lesion_masks
from hakken.outcomes.masks import Runs
from hakken.runs.predictions import part_of
from hakken.study.reading import parse_study

from ..miniature import content_of, save_case, without

GRID = Geometry((2, 4, 5), (10.0, 10.0, 10.0))  # a voxel holds 1 ml


def runs(*pairs: tuple[int, int]) -> Runs:
    return np.array(pairs, np.int64).reshape(-1, 2)


TRUTH = {"a": {1: [0, 1, 2, 3], 2: [10, 11]}, "b": {1: [20, 21, 22, 23]}, "c": {}, "d": {1: [5, 6]}}
FOUND = {
    "a": {1: runs((2, 4)), 2: runs((10, 2))},  # Dice 4/8 and 1
    "b": {1: runs((20, 1), (30, 1))},  # 2/6
    "c": {},
    "d": {1: runs()},  # 0
}


@pytest.fixture(scope="module")
def cases(tmp_path_factory: pytest.TempPathFactory) -> list[PreparedCase]:
    """Four patients: two of the kind `ms` with 2 and 1 lesions, a normal one, and one `sarcoma`."""
    folder, found = tmp_path_factory.mktemp("cases"), []
    for name, lesions in TRUTH.items():
        labels = np.zeros(40, np.int16)
        for number, voxels in lesions.items():
            labels[voxels] = number
        known = [Lesion(number, 0, 0, 0, 5, 1000 * len(voxels)) for number, voxels in lesions.items()]
        found.append(
            save_case(
                folder,
                name,
                np.zeros((2, *GRID.shape_zyx)),
                geometry=GRID,
                labels=labels.reshape(GRID.shape_zyx),
                lesions=known,
                columns={"kind": "sarcoma" if name == "d" else "ms"},
            )
        )
    return found


def part(cases: list[PreparedCase], **more: Any) -> Part:
    content = content_of(
        without("parameters", "search", "patches"),
        method="clicked_lesion",
        evaluation={
            "bootstrap": 200,
            "design": "cross_validation",
            "leave_out": {"column": "kind", "values": ["ms", "sarcoma"]},
        },
    )
    return part_of(parse_study(content), "lesion_masks", cases, **more)


def test_the_mean_over_lesions_and_of_each_kind(cases: list[PreparedCase]) -> None:
    measured = lesion_masks.measure(FOUND, part(cases))
    dice = [0.5, 1.0, 1 / 3, 0.0]
    values = {row.name: row.value for row in measured.rows}
    assert values == {
        "Dice": pytest.approx(np.mean(dice)),
        "SD of Dice over lesions": pytest.approx(np.std(dice, ddof=1)),
        "relative volume error": pytest.approx((0 + 0 - 0.5 - 1) / 4),
        "Dice, ms": pytest.approx(11 / 18),
        "SD of Dice, ms": pytest.approx(np.std(dice[:3], ddof=1)),
        "relative volume error, ms": pytest.approx(-0.5 / 3),
        "Dice, sarcoma": 0,
        "SD of Dice, sarcoma": None,
        "relative volume error, sarcoma": -1,
    }
    assert measured.objective is not None
    assert measured.objective.value == lesion_masks.objective(FOUND, part(cases))
    assert measured.counts == {"cases": 4, "patients": 4, "lesions": 4}
    assert measured.warnings == ("nothing was found of 1 lesion, whose Dice is 0",)


def test_intervals_resample_the_patients(cases: list[PreparedCase]) -> None:
    """Of two patients with `ms`: means of one patient's lesions alone bound the interval; one patient has none."""
    rows = {row.name: row for row in lesion_masks.measure(FOUND, part(cases)).rows}
    both = rows["Dice, ms"]
    assert (both.low, both.high) == (pytest.approx(1 / 3), pytest.approx(0.75))
    assert both.warning.startswith("2 patients: intervals from so few are rough")
    assert (rows["Dice, sarcoma"].low, rows["Dice, sarcoma"].high) == (None, None)


def test_a_row_for_each_lesion(cases: list[PreparedCase]) -> None:
    table = lesion_masks.measure(FOUND, part(cases)).tables["lesions"]
    assert table.columns == lesion_masks.LESIONS
    assert [row[:6] for row in table.rows] == [
        ("a", "a", 1, "ms", 4, 4),
        ("a", "a", 2, "ms", 2, 2),
        ("b", "b", 1, "ms", 4, 2),
        ("d", "d", 1, "sarcoma", 2, 0),
    ]
    assert table.rows[2][6:] == (pytest.approx(1 / 3), -2, -0.5)


def test_what_was_written_is_read(cases: list[PreparedCase], tmp_path: Path) -> None:
    lesion_masks.write(tmp_path, FOUND, part(cases))
    lines = (tmp_path / "lesion_masks.csv").read_text().splitlines()
    assert lines == ["case_id,lesion,start,length", "a,1,2,4", "a,2,10,2", "b,1,20,1", "b,1,30,1", "d,1,0,0"]
    again = lesion_masks.read(tmp_path, part(cases))
    assert {case: {n: one.tolist() for n, one in own.items()} for case, own in again.items()} == {
        case: {n: one.tolist() for n, one in own.items()} for case, own in FOUND.items()
    }


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("", "lesion 1 of case d has no mask; predict it again"),
        ("x,1,0,1\nd,1,0,0", "row 6, column case_id: no case `x` in the cohort"),
        ("d,1,38,4", "case d: a run of 4 voxels from 38 on does not fit into"),
    ],
)
def test_what_cannot_be_read(cases: list[PreparedCase], tmp_path: Path, row: str, message: str) -> None:
    path = tmp_path / "lesion_masks.csv"
    path.write_text(f"case_id,lesion,start,length\na,1,2,4\na,2,10,2\nb,1,20,1\nb,1,30,1\n{row}\n")
    with pytest.raises(HakkenError) as stopped:
        lesion_masks.read(tmp_path, part(cases))
    assert message in str(stopped.value)
    assert str(path) in str(stopped.value)


def test_without_a_lesion_there_is_nothing_to_maximise(cases: list[PreparedCase]) -> None:
    with pytest.raises(HakkenError, match="no validation case has a lesion that counts"):
        lesion_masks.objective({"c": {}}, part([cases[2]]))


def test_the_masks_of_a_new_case_are_labels_on_its_grid(cases: list[PreparedCase], tmp_path: Path) -> None:
    lines = list(lesion_masks.save_one(tmp_path / "out.nii.gz", FOUND["a"], cases[0], None))
    labels = read_volume(tmp_path / "out.nii.gz").array.ravel()
    assert labels.nonzero()[0].tolist() == [2, 3, 4, 5, 10, 11]
    assert labels[[2, 10]].tolist() == [1, 2]
    assert lines[0].endswith("lesion 1 of a, 4 voxels, 4.00 ml; reference's grid")
