"""Masks: runs and back, the Dice worked by hand, several masks of a case, strata, what cannot be read."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis.extra import numpy as arrays

from hakken.core.errors import HakkenError
from hakken.core.volume import Geometry
from hakken.imaging.files import read_volume
from hakken.imaging.prepared import Lesion, PreparedCase
from hakken.outcomes import Part, masks
from hakken.outcomes.masks import Mask, mask_of, runs_of
from hakken.runs.predictions import part_of
from hakken.study.reading import parse_study

from ..miniature import content_of, save_case, without

GRID = Geometry((1, 4, 5), (2.0, 2.0, 2.0))


def boxed(rows: slice, columns: slice) -> Mask:
    mask = np.zeros(GRID.shape_zyx, bool)
    mask[0, rows, columns] = True
    return mask


NONE = boxed(slice(0, 0), slice(0, 0))
TRUTH = {"v0": boxed(slice(0, 2), slice(0, 2)), "v1": boxed(slice(1, 4), slice(2, 3)), "v2": NONE}
FOUND: dict[str, dict[str, Mask]] = {
    "v0": {"large": boxed(slice(0, 2), slice(1, 3)), "small": TRUTH["v0"]},  # 4 voxels each, 2 shared: Dice 1/2
    "v1": {"large": boxed(slice(1, 2), slice(2, 3)), "small": NONE},  # 1 of 3 voxels: 2/4
    "v2": {"large": NONE, "small": NONE},
}


@pytest.fixture(scope="module")
def cases(tmp_path_factory: pytest.TempPathFactory) -> list[PreparedCase]:
    """Two cases with a lesion and one without; scanners A, B and B."""
    folder = tmp_path_factory.mktemp("cases")
    return [
        save_case(
            folder,
            name,
            np.zeros((3, *GRID.shape_zyx)),
            geometry=GRID,
            channels=("red", "green", "blue"),
            labels=truth.astype(int),
            lesions=(Lesion(1, 0, 0, 0, 5, 32),) if truth.any() else (),
            columns={"scanner": "A" if name == "v0" else "B"},
        )
        for name, truth in TRUTH.items()
    ]


def part(cases: list[PreparedCase], strata: tuple[str, ...] = (), **more: Any) -> Part:
    content = content_of(
        without("parameters", "search", "patches", "channels"),
        method="unet",
        channels={name: {"modality": "endoscopy"} for name in ("red", "green", "blue")},
        patches={"size_voxel": 16},
        evaluation={"bootstrap": 200, "strata": list(strata)},
    )
    return part_of(parse_study(content), "masks", cases, **more)


@settings(max_examples=60, deadline=None)
@given(arrays.arrays(bool, arrays.array_shapes(min_dims=3, max_dims=3, max_side=6)))
def test_runs_give_the_mask_back(mask: Mask) -> None:
    runs = runs_of(mask)
    assert np.array_equal(mask_of(runs, mask.shape), mask)
    assert runs[:, 1].sum() == mask.sum()
    assert (runs[1:, 0] > runs[:-1].sum(1)).all()  # runs that touch are one


@pytest.mark.parametrize("run", [(10, 3), (-1, 2), (3, -1)])
def test_a_run_that_does_not_fit(run: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match=rf"a run of {run[1]} voxels from {run[0]} on does not fit into"):
        mask_of(np.array([run]), (1, 3, 4))


def test_every_mask_has_a_line_in_the_table_and_comes_back(tmp_path: Path, cases: list[PreparedCase]) -> None:
    masks.write(tmp_path, FOUND, part(cases))
    assert (tmp_path / "masks.csv").read_text().splitlines()[:6] == [
        "case_id,mask,start,length",
        *("v0,large,1,2", "v0,large,6,2", "v0,small,0,2", "v0,small,5,2", "v1,large,7,1"),
    ]
    assert "v2,large,0,0" in (tmp_path / "masks.csv").read_text(), "an empty one too"
    again = masks.read(tmp_path, part(cases))
    assert [list(again[name]) for name in again] == [["large", "small"]] * 3
    assert all(np.array_equal(again[case][name], mask) for case, found in FOUND.items() for name, mask in found.items())


def test_a_mask_without_a_name_is_one_too(tmp_path: Path, cases: list[PreparedCase]) -> None:
    found = {name: {"": said["large"]} for name, said in FOUND.items()}
    masks.write(tmp_path, found, part(cases))
    assert np.array_equal(masks.read(tmp_path, part(cases))["v0"][""], found["v0"][""])
    assert masks.measure(found, part(cases)).rows[0].name == "Dice"


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("v1,large,7,1\n", "", "masks.csv: case v1 has no mask `large`; predict it again"),
        ("v1,", "v9,", "masks.csv, row 6, column case_id: no case `v9` in the cohort"),
        ("7,1\n", "19,9\n", "masks.csv: case v1: a run of 9 voxels from 19 on does not fit into (1, 4, 5); predict it"),
    ],
)
def test_what_does_not_fit_is_named(
    old: str, new: str, message: str, tmp_path: Path, cases: list[PreparedCase]
) -> None:
    masks.write(tmp_path, FOUND, part(cases))
    table = tmp_path / "masks.csv"
    text = table.read_text().replace("\nv1,small,0,0", "")
    assert old in text
    table.write_text(text.replace(old, new))
    with pytest.raises(HakkenError) as caught:
        masks.read(tmp_path, part(cases))
    assert message in str(caught.value)


def test_what_is_measured(cases: list[PreparedCase]) -> None:
    """Dice of the large masks 1/2, 1/2 and undefined; of the small ones 1, 0 and undefined."""
    measured = masks.measure(FOUND, part(cases))
    assert [row.name for row in measured.rows] == [
        *("Dice, large", "Dice, small", "relative area error", "HD95 in mm"),
        *("false positive area in mm²", "false negative area in mm²"),
    ]
    assert [row.value for row in measured.rows[4:]] == [0, 0]  # what is predicted touches what is true
    small = measured.details["masks"]["small"]
    assert (small["false_positive_ml"]["value"], small["false_negative_ml"]["value"]) == (0, pytest.approx(0.024 / 3))
    # Volumes: 4 voxels for 4, 1 for 3.
    assert [row.value for row in measured.rows[:3]] == pytest.approx([1 / 2, 1 / 2, (0 - 2 / 3) / 2])
    assert measured.objective is not None
    assert measured.objective.value == masks.objective(FOUND, part(cases)) == 1 / 2
    assert measured.counts == {"cases": 3, "patients": 3, "lesions": 2}
    assert measured.point is None
    assert measured.details["masks"]["large"]["empty"] == {"both": 1, "truth": 0, "prediction": 0}
    assert measured.details["masks"]["small"]["empty"] == {"both": 1, "truth": 0, "prediction": 1}
    large = measured.details["masks"]["large"]["dice"]
    assert (large["cases"], large["undefined"]) == (2, 1)
    assert "large: 1 cases have neither lesion nor mask and no Dice" in measured.warnings


def test_every_case_stands_in_the_table(cases: list[PreparedCase]) -> None:
    table = masks.measure(FOUND, part(cases)).tables["cases"]
    rows = [dict(zip(table.columns, row, strict=True)) for row in table.rows]
    assert [(row["case_id"], row["mask"], row["dice"]) for row in rows] == [
        *(("v0", "large", 0.5), ("v1", "large", 0.5), ("v2", "large", None)),
        *(("v0", "small", 1.0), ("v1", "small", 0.0), ("v2", "small", None)),
    ]
    # 4 and 1 pixels of 4 mm², whatever the thickness of the slice.
    assert [row["prediction_mm2"] for row in rows[:3]] == pytest.approx([16, 4, 0])


def test_strata_are_those_of_the_columns_and_of_the_folds(cases: list[PreparedCase]) -> None:
    measured = masks.measure(FOUND, part(cases, ("scanner", "site"), folds=np.array([0, 1, 1])))
    strata = {(row["group"], row["stratum"]): row["dice"] for row in measured.details["strata"]}
    assert list(strata) == [("scanner", "A"), ("scanner", "B"), ("fold", "0"), ("fold", "1")]
    assert strata["scanner", "A"]["value"] == 0.5
    assert strata["scanner", "A"]["low"] is None  # one patient
    assert "no stratum by site: the case table has no such column" in measured.warnings


def test_of_one_patient_there_is_no_interval(cases: list[PreparedCase]) -> None:
    together = [replace(case, patient="p") for case in cases]
    measured = masks.measure(FOUND, part(together))
    assert measured.objective is not None
    assert measured.objective.low is None
    assert "the cases are of one patient; there is no interval over patients" in measured.warnings


def test_where_nothing_is_and_nothing_was_found_there_is_no_dice(cases: list[PreparedCase]) -> None:
    with pytest.raises(HakkenError, match="no validation case has a lesion or a mask, so there is no Dice to maximise"):
        masks.objective(FOUND, part(cases[2:]))


def test_replicates_are_paired(cases: list[PreparedCase]) -> None:
    large = {name: {"large": said["large"]} for name, said in FOUND.items()}
    perfect = {name: {"large": TRUTH[name]} for name in TRUTH}
    drawn = masks.replicates([large, perfect], part(cases), 3)
    assert drawn.values.tolist() == [0.5, 1.0]
    assert (drawn.drawn[0] == 0.5).all() and (drawn.drawn[1] == 1).all()
    # Resamples of v2 alone have no Dice: 1 of 27.
    assert drawn.drawn.shape[1] == 200 - drawn.skipped
    assert drawn.skipped == pytest.approx(200 / 27, abs=8)


def test_the_mask_of_a_new_case_lies_on_the_grid_of_its_reference(tmp_path: Path, cases: list[PreparedCase]) -> None:
    source = Geometry((1, 8, 10), (1.0, 1.0, 2.0), (-0.5, -0.5, 0.0))
    case = replace(cases[0], source_geometry=source)
    path = tmp_path / "mask.nii.gz"
    (line,) = masks.save_one(path, FOUND["v0"], case, None)
    volume = read_volume(path)
    assert volume.geometry.matches(source)
    expected = np.kron(FOUND["v0"]["large"][0], np.ones((2, 2)))
    assert np.array_equal(volume.array[0], expected)
    assert line == f"{path}: mask of v0 by large, 16 voxels of 80; grid of the reference"
