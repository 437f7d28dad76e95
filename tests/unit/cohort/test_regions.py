"""The columns of regions and of classes beside a mask: what is asked for, read, written and drawn."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hakken.cohort.case import CaseTable
from hakken.cohort.checks import check_table
from hakken.cohort.phantom import check_channels, table_of
from hakken.cohort.similarity import Content, same_within
from hakken.cohort.table import read_table, write_table
from hakken.core.errors import HakkenError
from hakken.study import Study
from hakken.study.reading import load_study, parse_study
from hakken.study.slices import EVERYTHING, study_slice

from .studies import SETTINGS

Writer = Callable[..., Path]
ROOT = Path(__file__).resolve().parents[3]
PARTS = ("train", "validation", "test")


def study_with(**cohort: Any) -> Study:
    return Study.model_validate(SETTINGS | {"cohort": SETTINGS["cohort"] | cohort})


WITH = study_with(regions=["trunk", "liver"])
CLASSED = study_with(classes=["cyst", "hcc"])


def rows(*cells: str) -> list[str]:
    return [f"c{number},p{number},{part},a.nii,b.nii,{cells[number % len(cells)]}" for number, part in enumerate(PARTS)]


def said(path: Path, study: Study) -> list[str]:
    return [str(problem) for problem in check_table(path, study)]


def test_the_label_image_is_read_and_written_again(table_file: Writer, tmp_path: Path) -> None:
    path = table_file("case_id,patient,split,T1,T2,lesion_mask,Regions", *rows("c.nii,d.nii", "none,e.nii"))
    table = read_table(path, WITH)
    assert [case.regions and case.regions.name for case in table.cases] == ["d.nii", "e.nii", "d.nii"]
    assert [path.name for path in table.cases[0].files] == ["a.nii", "b.nii", "c.nii", "d.nii"]
    write_table(tmp_path / "again.csv", table, WITH)
    assert read_table(tmp_path / "again.csv", WITH).cases == table.cases
    assert said(path, WITH) == []


def test_what_is_missing_is_named(table_file: Writer) -> None:
    lacking = said(table_file("case_id,patient,split,T1,T2,lesion_mask", *rows("c.nii")), WITH)
    assert lacking == [
        "row 1, column regions: this column is missing; there are case_id, patient, split, T1, T2, lesion_mask; name a "
        "column of the table `regions`"
    ]
    path = table_file("case_id,patient,split,T1,T2,lesion_mask,regions", *rows("c.nii,d.nii", "none,", "none,x.nii"))
    told = [line.split("; ")[0] for line in said(path, WITH)]
    assert told == [
        "row 3, column regions: the cell is empty",
        f"row 4, column regions: no such file: {path.parent / 'x.nii'}",
    ]


def test_a_study_without_regions_does_not_know_the_column(table_file: Writer, study: Study) -> None:
    path = table_file("case_id,patient,split,T1,T2,lesion_mask,regions", *rows("c.nii,x.nii"))
    assert all(case.regions is None for case in read_table(path, study).cases)
    assert said(path, study) == [
        "row 1, column regions: is not read, since the study names no regions; if it holds label images of organs, "
        "name these in `cohort.regions`"
    ]
    near = table_file("case_id,patient,split,T1,T2,lesion_mask,region", *rows("c.nii,north"))
    assert ["is not read" in line for line in said(near, study)] == [True], "a place may be called so"


def test_masks_whose_lesions_have_classes_stand_beside_a_table(table_file: Writer, tmp_path: Path) -> None:
    path = table_file("case_id,patient,split,T1,T2,lesion_mask,lesion_table", *rows("c.nii,d.nii", "none,none"))
    table = read_table(path, CLASSED)
    assert [(case.lesion_mask is None, case.lesion_table is None) for case in table.cases] == [
        (False, False),
        (True, True),
        (False, False),
    ]
    write_table(tmp_path / "again.csv", table, CLASSED)
    assert read_table(tmp_path / "again.csv", CLASSED).cases == table.cases
    write_table(tmp_path / "alone.csv", table)
    assert read_table(tmp_path / "alone.csv", CLASSED).cases == table.cases
    (missing,) = said(table_file("case_id,patient,split,T1,T2,lesion_mask", *rows("c.nii")), CLASSED)
    assert "column lesion_table: this column is missing" in missing
    heading = "case_id,patient,split,T1,T2,lesion_mask,lesion_table"
    (empty,) = said(table_file(heading, *rows("c.nii,d.nii", "c.nii,", "none,none")), CLASSED)
    assert "column lesion_table: the cell is empty; fill it in, or write `none` where" in empty


def test_the_regions_are_not_the_file_of_a_channel(table_file: Writer) -> None:
    path = table_file("case_id,patient,split,T1,T2,lesion_mask,regions", *rows("c.nii,b.nii"))
    case = read_table(path, WITH).cases[0]
    (problem,) = same_within(case, Content({}, {}, None))
    assert (problem.column, problem.reason) == ("regions", "is the same file as T2, which the truth would be read from")


@pytest.mark.parametrize(
    ("cohort", "message"),
    [
        ({"regions": ["liver", "liver"]}, "liver stands twice; name each once"),
        ({"classes": ["a", "b"], "labels": "binary"}, "cohort.labels is `binary`, but the classes of `cohort.classes`"),
        ({"kind": "items", "files": ["x"], "truth": "label", "regions": ["liver"]}, "`regions` are those of images"),
    ],
)
def test_what_does_not_fit_is_an_error_of_the_study(cohort: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        study_with(**cohort)


def test_a_channel_is_not_called_regions_where_there_are_some() -> None:
    content = SETTINGS | {"channels": {"T1": {"modality": "mr"}, "regions": {"modality": "mr"}}}
    Study.model_validate(content)
    with pytest.raises(ValueError, match="stand in the column `regions`, which is a channel"):
        Study.model_validate(content | {"cohort": SETTINGS["cohort"] | {"regions": ["liver"]}})


@pytest.mark.parametrize("path", sorted((ROOT / "config/studies").glob("*.yaml")), ids=lambda path: path.stem)
def test_nothing_of_a_study_without_regions_knows_of_them(path: Path) -> None:
    """What results depend on is what it was: neither the cohort nor the parameters gained a key."""
    study = load_study(path, "tiny")
    if study.cohort.regions or study.names_classes:
        pytest.skip("has regions, or lesions of masks with classes")
    told = study_slice(study, EVERYTHING)
    assert "regions" not in told["cohort"]
    new = {"classes", "class_balance", "regions", "lesion_weight", "within", "within_voxel", "phases", "balanced"}
    assert not new & set(told.get("parameters", {}))
    assert not {"within", "within_mm", "oracle"} & set(told.get("inference", {}))
    if study.of_phantom and study.cohort.kind == "images":
        cases: CaseTable = table_of(study, Path("x"), 100)
        assert all(case.regions is None for case in cases.cases)


def test_a_phantom_names_files_of_regions_and_classes_where_the_study_asks() -> None:
    study = load_study(ROOT / "tests/workflow/studies/smoke_regions.yaml", "tiny")
    case = table_of(study, Path("x"), 100).cases[0]
    assert case.regions == Path("x/train-000/P0001/regions.nii.gz")
    assert case.lesion_mask == Path("x/train-000/P0001/lesions.nii.gz")
    assert case.lesion_table == Path("x/train-000/P0001/lesions.csv")
    content = study.model_dump(mode="json", exclude_defaults=True)
    content["cohort"]["regions"] = ["trunk", "liver", "spleen"]
    with pytest.raises(HakkenError, match="the phantom draws no region `spleen`; there are trunk, liver"):
        check_channels(parse_study(content))


def test_a_phantom_without_regions_says_so(phantom_study: Study) -> None:
    cohort = phantom_study.cohort.model_copy(update={"regions": ("liver",)})
    with pytest.raises(HakkenError, match="the phantom draws no region `liver`; it has none"):
        check_channels(phantom_study.model_copy(update={"cohort": cohort}))
