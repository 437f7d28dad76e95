"""Regions of a case: a second truth, checked like the first, moved onto the prepared grid and kept."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hakken.core.errors import HakkenError
from hakken.core.volume import Geometry, Volume
from hakken.imaging.checks import check_case, examine_case
from hakken.imaging.files import read_volume, write_volume
from hakken.imaging.preparation import prepare_case
from hakken.imaging.prepared import load_prepared, save_prepared
from hakken.imaging.region_labels import moved_labels, read_region_labels
from hakken.study import Study

from .test_checks import Row

STEPS = (1.0, 1.0, 2.0)
SHAPE = (6, 12, 14)


@pytest.fixture
def study(make_study: Callable[..., Study]) -> Study:
    return make_study(
        cohort={"table": "cases.csv", "regions": ["trunk", "liver"]},
        channels={"A": {"modality": "mr"}},
        preparation={"spacing_mm": [1, 1, 2], "mask": "none", "margin_mm": 0},
    )


@pytest.fixture
def labels() -> Any:
    found = np.zeros(SHAPE, np.uint8)
    found[1:5, 2:10, 2:12], found[2:4, 4:8, 5:9] = 1, 2
    return found


def case(folder: Path, labels: Any, steps: tuple[float, ...] = STEPS) -> Row:
    image = np.random.default_rng(0).normal(100, 10, size=SHAPE).astype(np.float32)
    write_volume(folder / "a.nii.gz", Volume(image, STEPS))
    write_volume(folder / "regions.nii.gz", Volume(labels, steps))  # type: ignore[arg-type]
    return Row({"A": folder / "a.nii.gz"}, regions=folder / "regions.nii.gz")


def test_sound_regions_have_no_problem_and_a_digest_of_their_own(tmp_path: Path, labels: Any, study: Study) -> None:
    found = examine_case(case(tmp_path, labels), study)
    assert found.problems == ()
    assert found.regions_digest is not None
    assert found.truth_digest is None
    assert examine_case(case(tmp_path, labels.astype(np.float32)), study).regions_digest == found.regions_digest
    labels[0, 0, 0] = 2
    assert examine_case(case(tmp_path, labels), study).regions_digest != found.regions_digest


def test_a_study_without_regions_asks_nothing_and_knows_none(
    tmp_path: Path, labels: Any, make_study: Callable[..., Study]
) -> None:
    plain = make_study(channels={"A": {"modality": "mr"}})
    found = examine_case(case(tmp_path, 9 * labels), plain)
    assert (found.problems, found.regions_digest) == ((), None)


KNOWN = "(`cohort.regions`: 0 is none, 1 trunk, 2 liver)"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda one: 2 * one, (f"holds values that are no region: 4 {KNOWN}", "or name further regions")),
        (lambda one: one * 0.5, (f"holds values that are no region: 0.5 {KNOWN}", "write whole numbers from 0 to 2")),
        (lambda one: -1.0 * one, ("holds values that are no region: -2, -1", "write whole numbers from 0 to 2")),
        (lambda one: np.where(one, np.nan, 0), ("holds values that are no region: nan", "write whole numbers")),
        (
            lambda one: np.arange(one.size).reshape(one.shape),
            ("holds values that are no region: 3, 4, 5, 6, 7, ...", ""),
        ),
        (lambda one: 0 * one, ("holds no region, it is 0 everywhere", "write n for the region n (0 is none, 1 trunk")),
        (
            lambda one: one[:5],
            ("lies on another grid than the reference channel A: regions 14x12x5", "nearest neighbour"),
        ),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, labels: Any, study: Study, change: Any, words: tuple[str, str]) -> None:
    changed = np.asarray(change(labels))
    row = case(tmp_path, changed.astype(np.int16 if changed.dtype.kind == "i" else np.float32))
    (problem,) = check_case(row, study)
    assert (problem.case_id, problem.column, problem.row) == ("P1", "regions", 4)
    assert words[0] in problem.reason
    assert words[1] in problem.remedy
    assert "regions.nii.gz" in problem.reason


def test_a_case_without_a_file_of_regions_is_a_problem(tmp_path: Path, labels: Any, study: Study) -> None:
    row = case(tmp_path, labels)
    (problem,) = check_case(Row(row.channels), study)
    assert (problem.column, problem.reason) == ("regions", "no label image of the regions")


def test_all_problems_are_told_and_not_the_first_alone(tmp_path: Path, labels: Any, study: Study) -> None:
    row = case(tmp_path, 0 * labels)
    write_volume(tmp_path / "lesions.nii.gz", Volume(labels[:4].astype(np.int16), STEPS))
    both = Row(row.channels, lesion_mask=tmp_path / "lesions.nii.gz", regions=row.regions)
    assert [problem.column for problem in check_case(both, study)] == ["lesion_mask", "regions"]


def test_a_new_case_is_asked_for_none(tmp_path: Path, labels: Any, study: Study) -> None:
    row = case(tmp_path, labels)
    assert check_case(Row(row.channels), study, truth=False) == []


def test_stored_the_other_way_round_they_are_turned(tmp_path: Path, labels: Any, study: Study) -> None:
    row = case(tmp_path, labels)
    turned = np.ascontiguousarray(labels[::-1, :, ::-1])
    there = Volume(turned, STEPS, (13.0, 0.0, 10.0), (-1, 0, 0, 0, 1, 0, 0, 0, -1))
    write_volume(tmp_path / "turned.nii.gz", there)
    grid = read_volume(row.channels["A"]).geometry
    assert np.array_equal(read_region_labels(tmp_path / "turned.nii.gz", grid, row.channels["A"], study), labels)


def test_they_are_moved_by_nearest_neighbour_and_never_mixed(labels: Any) -> None:
    own = Geometry(SHAPE, STEPS)
    finer = Geometry((11, 23, 27), (0.5, 0.5, 1.0))
    moved = moved_labels(labels, own, finer)
    assert moved.dtype == np.uint8
    assert set(np.unique(moved)) == {0, 1, 2}
    assert np.array_equal(moved[::2, ::2, ::2], labels)
    with pytest.raises(HakkenError, match="on another grid than the reference"):
        moved_labels(labels[:3], own, finer)


def test_they_are_prepared_and_kept(tmp_path: Path, labels: Any, study: Study) -> None:
    row = case(tmp_path, labels)
    prepared = prepare_case({"A": read_volume(row.channels["A"])}, {}, (), study, case_id="P1", regions=labels)
    assert prepared.regions is not None
    assert np.array_equal(prepared.regions, labels)
    saved = save_prepared(
        tmp_path / "p", prepared.case, prepared.image, prepared.mask, prepared.labels, regions=prepared.regions
    )
    again = load_prepared(tmp_path / "p", "P1")
    assert again.has_regions
    assert np.array_equal(again.regions(), labels)
    assert again.regions(mmap=True).dtype == np.uint8
    assert (tmp_path / "p" / "P1.regions.npy") in saved.paths
    assert "regions.npy" in again.files
    saved.require_as_written(full=True)
    np.save(tmp_path / "p" / "P1.regions.npy", 0 * labels)
    with pytest.raises(HakkenError, match=r"P1\.regions\.npy: has changed since the case was prepared"):
        saved.require_as_written(full=True)


def test_a_case_without_regions_is_written_as_ever(tmp_path: Path, make_study: Callable[..., Study]) -> None:
    plain = make_study(channels={"A": {"modality": "mr"}}, preparation={"mask": "none"})
    image = Volume(np.random.default_rng(0).normal(size=SHAPE).astype(np.float32), STEPS)
    prepared = prepare_case({"A": image}, {}, (), plain, case_id="P1")
    saved = save_prepared(tmp_path, prepared.case, prepared.image, prepared.mask, prepared.labels)
    assert "has_regions" not in saved.as_dict()
    assert [path.name for path in saved.paths] == ["P1.json", "P1.npy", "P1.mask.npy", "P1.labels.npy"]
    with pytest.raises(HakkenError, match=r"case P1: has no labels of regions; name them in `cohort.regions`"):
        saved.regions()
    with pytest.raises(HakkenError, match="case P1: regions must be given exactly where the case has some"):
        save_prepared(tmp_path, prepared.case, prepared.image, prepared.mask, prepared.labels, regions=prepared.mask)


# Classes of the lesions of a mask


@pytest.fixture
def classed(make_study: Callable[..., Study]) -> Study:
    return make_study(cohort={"table": "cases.csv", "classes": ["cyst", "hcc"]}, channels={"A": {"modality": "mr"}})


def lesions(folder: Path, table: str | None = "lesion,class\n1,cyst\n7,hcc\n") -> Row:
    mask = np.zeros(SHAPE, np.int16)
    mask[2, 3:6, 3:6], mask[4, 8:10, 8:11] = 1, 7
    row = case(folder, mask)
    if table is not None:
        (folder / "lesions.csv").write_text(table)
    return Row(row.channels, lesion_mask=row.regions, lesion_table=folder / "lesions.csv" if table else None)


def test_classes_belong_to_lesions_by_their_number_in_the_mask(tmp_path: Path, classed: Study) -> None:
    row = lesions(tmp_path)
    assert check_case(row, classed) == []
    image, mask = read_volume(row.channels["A"]), read_volume(row.lesion_mask or tmp_path)
    prepared = prepare_case({"A": image}, {}, mask, classed, case_id="P1", classes={1: "cyst", 7: "hcc"})
    assert [(one.lesion, one.lesion_class) for one in prepared.case.lesions] == [(1, "cyst"), (7, "hcc")]
    assert set(np.unique(prepared.labels)) == {0, 1, 7}, "the numbers stay numbers"


def test_another_class_is_another_truth(tmp_path: Path, classed: Study) -> None:
    first = examine_case(lesions(tmp_path), classed).truth_digest
    assert examine_case(lesions(tmp_path), classed).truth_digest == first
    assert examine_case(lesions(tmp_path, "lesion,class\n1,hcc\n7,hcc\n"), classed).truth_digest != first
    sorted_otherwise = examine_case(lesions(tmp_path, "class,lesion\nhcc,7\ncyst,1\n"), classed).truth_digest
    assert sorted_otherwise == first


@pytest.mark.parametrize(
    ("table", "expected"),
    [
        ("lesion,class\n1,cyst\n", ["lesion 7 has no class; use one of cyst, hcc (`cohort.classes`)"]),
        (
            "lesion,class\n1,cyst\n7,hc\n",
            ["lesion 7 is of class `hc`, which is none of the study; did you mean `hcc`?; use one of cyst, hcc"],
        ),
        (
            "lesion,class\n1,cyst\n2,hcc\n",
            ["lesion 2 is not in the lesion mask, which holds 2; number the rows as", "lesion 7 has no class"],
        ),
        ("lesion,class\n1,cyst\n1,hcc\n", ["column lesion: lesion 1 stands there twice"]),
        ("lesion,kind\n1,included\n", ["column class is missing"]),
        ("lesion,class\ncyst,1\n", ["column lesion"]),
        (None, ["is `none`, but the lesion mask holds 2 lesions; name a table of their numbers and classes"]),
    ],
)
def test_what_is_wrong_with_a_table_of_classes_is_named(
    tmp_path: Path, classed: Study, table: str | None, expected: list[str]
) -> None:
    found = check_case(lesions(tmp_path, table), classed)
    assert {problem.column for problem in found} == {"lesion_table"}
    assert len(found) == len(expected)
    for problem, words in zip(found, expected, strict=True):
        assert words in f"{problem.reason}; {problem.remedy}"


def test_classes_without_a_mask_are_a_problem(tmp_path: Path, classed: Study) -> None:
    row = lesions(tmp_path)
    (one, other) = check_case(Row(row.channels, lesion_table=row.lesion_table), classed)
    assert "lesion 1 is not in the lesion mask, which holds 0" in one.reason
    assert "lesion 7 is not in the lesion mask" in other.reason
