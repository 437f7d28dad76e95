"""Every problem of a case table and its images, with row, column, reason and remedy."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from hakken.cli import main
from hakken.core.volume import Volume
from hakken.imaging.files import read_volume, write_volume

Table = Callable[..., Path]


def problems(path: Path, capsys: pytest.CaptureFixture[str], *options: str) -> list[str]:
    """The problems that the command prints, one a line."""
    assert main(["check", str(path), *options]) == 2
    lines = capsys.readouterr().err.splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith("hakken check: "))
    count = len(lines) - start - 1
    assert lines[start] == f"hakken check: {path}: {count} problem{'s' if count > 1 else ''}"
    return [line.strip() for line in lines[start + 1 :]]


def test_a_sound_table(table: Table, capsys: pytest.CaptureFixture[str]) -> None:
    path = table()
    assert main(["check", str(path)]) == 0
    shown = capsys.readouterr()
    assert shown.out == f"{path}: 3 cases (1 train, 1 validation, 1 test), channels T1, T2: no problem found\n"
    assert shown.err.splitlines()[0] == "[check] case 1/3 a: read"


def test_every_problem_is_listed_in_the_order_of_the_rows(table: Table, capsys: pytest.CaptureFixture[str]) -> None:
    path = table(
        "a,p1,train,a_T1.nii.gz,a_T2.nii.gz,a_mask.nii.gz",
        "b,p2,validation,missing.nii.gz,b_T2.nii.gz,b_mask.nii.gz",
        "c,p3,tset,c_T1.nii.gz,c_T2.nii.gz,none",
        "a,p4,test,c_T1.nii.gz,c_T2.nii.gz,none",
        "d,p5,test,c_T1.nii.gz,b_T2.nii.gz,none",
    )
    cut = path.parent / "a_T2.nii.gz"
    cut.write_bytes(cut.read_bytes()[:200])
    pixels = np.full((6, 7, 8), 5, np.float32)
    pixels[0, 0, 0] = np.nan
    write_volume(path.parent / "b_T2.nii.gz", Volume(pixels))
    found = problems(path, capsys)
    assert [line.partition(",")[0] for line in found] == ["row 2", "row 3", "row 4", "row 5", "row 6"]
    assert found[0].startswith("row 2, column T2: ")
    assert "copy the file anew from its source" in found[0]
    assert found[1].startswith("row 3, column T1: no such file: ")
    assert found[2].startswith("row 4, column split: unknown split `tset`; did you mean `test`?; ")
    assert found[3] == (
        "row 5, column case_id: case id `a` stands in rows 2 and 5; "
        "give every case an id of its own, or remove one of the rows"
    )
    assert found[4] == ("row 6, column T2: 1 of 336 pixels are NaN or infinite; replace them or export the image again")


def test_fast_reads_no_image(table: Table, capsys: pytest.CaptureFixture[str]) -> None:
    path = table()
    (path.parent / "a_T1.nii.gz").write_bytes(b"no image")
    assert main(["check", str(path), "--fast"]) == 0
    assert "no problem found" in capsys.readouterr().out
    assert [line.partition(":")[0] for line in problems(path, capsys)] == ["row 2, column T1"]


def test_the_same_image_in_two_parts(table: Table, capsys: pytest.CaptureFixture[str]) -> None:
    path = table(
        "a,p1,train,a_T1.nii.gz,a_T2.nii.gz,a_mask.nii.gz",
        "b,p2,validation,b_T1.nii.gz,b_T2.nii.gz,b_mask.nii.gz",
        "c,p3,test,a_T1.nii.gz,c_T2.nii.gz,c_mask.nii.gz",
    )
    (line,) = problems(path, capsys)
    assert line.startswith(
        "row 4, column T1: has the same pixels as T1 of case a (row 2), but this one is in test and that in train; "
    )


def test_a_patient_in_two_parts(table: Table, capsys: pytest.CaptureFixture[str]) -> None:
    path = table(
        "a,p1,train,a_T1.nii.gz,a_T2.nii.gz,a_mask.nii.gz",
        "b,p2,validation,b_T1.nii.gz,b_T2.nii.gz,b_mask.nii.gz",
        "c,p1,test,c_T1.nii.gz,c_T2.nii.gz,c_mask.nii.gz",
    )
    (line,) = problems(path, capsys)
    assert line == (
        "row 4, column split: patient `p1` is in train (row 2) and test (row 4); "
        "put all cases of a patient into the same part"
    )


def test_a_mask_on_another_grid(table: Table, capsys: pytest.CaptureFixture[str]) -> None:
    path = table()
    write_volume(path.parent / "b_mask.nii.gz", Volume(np.ones((6, 7, 9), np.uint8)))
    (line,) = problems(path, capsys)
    assert line.startswith("row 3, column lesion_mask: lies on another grid than the reference channel T1: ")


def write_study(project: Path, **sections: Any) -> None:
    content: dict[str, Any] = {
        "name": "mine",
        "seed": 1,
        "method": "patch_classifier",
        "cohort": {"table": "elsewhere.csv"},
        "channels": {"T1": {"modality": "mr"}},
    }
    (project / "config/studies/mine.yaml").write_text(yaml.safe_dump(content | sections))


def test_the_study_says_what_labels_mean(table: Table, project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = table()
    mask = np.zeros((6, 7, 8), np.uint8)
    mask[2, 2, 2] = 3
    write_volume(path.parent / "a_mask.nii.gz", Volume(mask))
    write_study(project, cohort={"table": "elsewhere.csv", "labels": "binary"})
    (line,) = problems(path, capsys, "--study", "mine")
    assert line.startswith("row 2, column lesion_mask: label values that the study does not know: 3 (`cohort.labels: ")
    capsys.readouterr()
    assert main(["check", str(path)]) == 0, "without a study, 3 is lesion 3"


def test_a_column_that_the_study_needs(table: Table, project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = table()
    found = problems(path, capsys, "--study", "brain_metastasis")
    assert found[0].startswith("row 1, column T1POST: this column is missing; there are case_id, ")


def test_an_unknown_study(table: Table, project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", str(table()), "--study", "brain"]) == 2
    shown = capsys.readouterr().err
    assert "config/studies/brain.yaml: no such file; there are aneurysm_mra, brain_metastasis" in shown


def test_only_columns_with_images_are_channels(table: Table, capsys: pytest.CaptureFixture[str]) -> None:
    parts = {"a": "train", "b": "validation", "c": "test"}
    path = table(
        *(f"{case},p{case},{part},{case}_T1.nii.gz,70.5,{case}_mask.nii.gz" for case, part in parts.items()),
        heading="case_id,patient,split,T1,weight,lesion_mask",
    )
    assert main(["check", str(path)]) == 0
    assert "channels T1: no problem found" in capsys.readouterr().out


def test_a_part_without_lesions(table: Table, project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = table()
    write_volume(path.parent / "b_mask.nii.gz", Volume(np.zeros((6, 7, 8), np.uint8)))
    write_study(project)
    (line,) = problems(path, capsys, "--study", "mine")
    assert line.startswith(
        "row 1, column split: the part `validation` has no lesions, so nothing can be measured there; "
    )
    capsys.readouterr()
    assert main(["check", str(path)]) == 0, "without a study nobody says what is measured"


def test_a_table_without_images(table: Table, capsys: pytest.CaptureFixture[str]) -> None:
    path = table("a,p1,train", heading="case_id,patient,split")
    assert main(["check", str(path)]) == 2
    assert capsys.readouterr().err == (
        f"hakken check: {path}: no column holds image paths; there are case_id, patient, split\n"
    )


def test_a_table_that_is_not_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", str(tmp_path / "cases.csv")]) == 2
    assert capsys.readouterr().err == f"hakken check: {tmp_path / 'cases.csv'}: no such file\n"


@pytest.fixture
def vectors(project: Path, toys: Path) -> Path:
    """A table of cases that are no images, and the study that it is for."""
    content = yaml.safe_load((toys / "studies" / "toy_crossed.yaml").read_text())
    content |= {"name": "mine", "evaluation": {"strata": []}}
    (project / "config/studies/mine.yaml").write_text(yaml.safe_dump(content))
    rows = ["case_id,patient,split,label,vector"]
    for number, (part, label) in enumerate(product(("train", "validation", "test"), ("none", "ill"))):
        (project / f"{number}.npz").write_bytes(bytes([number]))
        rows.append(f"{number},p{number},{part},{label},{number}.npz")
    path = project / "vectors.csv"
    path.write_text("\n".join(rows) + "\n")
    return path


def test_cases_that_are_no_images(vectors: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", str(vectors), "--study", "mine"]) == 0
    shown = capsys.readouterr()
    assert shown.out == f"{vectors}: 6 cases (2 train, 2 validation, 2 test), files vector: no problem found\n"
    assert shown.err.splitlines()[0] == "[check] case 1/6 0: read"


def test_the_same_file_in_two_parts(vectors: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (vectors.parent / "4.npz").write_bytes(bytes([0]))
    (line,) = problems(vectors, capsys, "--study", "mine")
    assert line.startswith("row 6, column vector: has the same ")
    assert " of case 0 (row 2), but this one is in test and that in train; " in line


def test_a_part_in_which_no_case_is_normal(vectors: Path, capsys: pytest.CaptureFixture[str]) -> None:
    vectors.write_text(vectors.read_text().replace("4,p4,test,none", "4,p4,test,ill"))
    (line,) = problems(vectors, capsys, "--study", "mine")
    assert line.startswith(
        "row 1, column split: the part `test` has no case without lesions; specificity is measured on these; "
    )


def test_masks_without_a_voxel_are_counted_and_named(table: Table, capsys: pytest.CaptureFixture[str]) -> None:
    path = table()
    shape = read_volume(path.parent / "b_T1.nii.gz").array.shape
    write_volume(path.parent / "b_mask.nii.gz", Volume(np.zeros(shape, np.uint8)))
    assert main(["check", str(path)]) == 0
    last = capsys.readouterr().out.splitlines()[-1]
    assert last == "lesion-free by a mask without a voxel: 1 of 3 cases (b)"
