"""The case table of LUNA16, on a folder of its layout."""

from __future__ import annotations

import csv
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from hakken.cli import main
from hakken.cohort.luna16 import write_case_table
from hakken.cohort.table import read_table
from hakken.core.errors import HakkenError
from hakken.imaging.checks import check_case
from hakken.imaging.files import read_volume
from hakken.imaging.lesion_tables import read_lesion_table
from hakken.study import Study
from hakken.study.reading import load_study

FOLDS = (0, 0, 4, 9, 1, 2, 3, 5, 6, 7, 8)
UIDS = {f"1.3.6.1.4.1.14519.5.2.1.6279.6001.{number}": fold for number, fold in enumerate(FOLDS, start=101)}
A, B, C, D = list(UIDS)[:4]
DROPPED = "evaluationScript/annotations/annotations_excluded.csv"
HEADING = "seriesuid,coordX,coordY,coordZ,diameter_mm\n"
NODULES = f"{A},-20.5,10,8,5.65\n{A},-12,3,14,12\n{C},-30,20,10,4\n"
EXCLUDED = f"{A},-25,5,5,-1\n{B},-22,15,8,6\n{B},-22,15,8,6\n"
STUDY = Path(__file__).parents[3] / "config" / "studies" / "lung_nodule_ct.yaml"


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """Eleven scans in ten subsets, with the tables of the challenge's script."""
    folder = tmp_path / "LUNA16"
    for uid, fold in UIDS.items():
        place = folder / f"subset{fold}"
        place.mkdir(parents=True, exist_ok=True)
        noise = np.random.default_rng(fold).integers(-1000, 400, (10, 30, 30)).astype(np.int16)
        image = sitk.GetImageFromArray(noise)
        image.SetSpacing((1.0, 1.0, 2.0))
        image.SetOrigin((-40.0, -2.0, 0.0))
        sitk.WriteImage(image, str(place / f"{uid}.mhd"))
    (folder / "annotations.csv").write_text(HEADING + NODULES)
    scripts = folder / "evaluationScript" / "annotations"
    scripts.mkdir(parents=True)
    (scripts / "annotations_excluded.csv").write_text(HEADING + EXCLUDED)
    return folder


def study_of(table: Path) -> Study:
    content = load_study(STUDY, "tiny").model_dump(mode="json", exclude_unset=True)
    content["cohort"] = {"table": str(table), "truth": "lesion_table"}
    content["evaluation"] = {"design": "cross_validation", "folds": 10}
    return Study.model_validate(content | {"data": "own"})


def test_scans_keep_their_fold_and_those_without_nodules_stay(source: Path, tmp_path: Path) -> None:
    output = tmp_path / "data" / "cases.csv"
    luna = write_case_table(source, output)
    assert (luna.nodules, luna.excluded, luna.elsewhere, luna.subsets) == (3, 2, 0, tuple(range(10)))
    table = read_table(output, study_of(output))
    assert {case.case_id: case.split for case in table.cases} == {uid: f"fold{fold}" for uid, fold in UIDS.items()}
    assert table.case(D).lesion_table is None
    assert check_case(table.case(D), study_of(output)) == []


def test_coordinates_are_those_of_the_scans_and_excluded_findings_do_not_count(source: Path, tmp_path: Path) -> None:
    write_case_table(source, tmp_path / "cases.csv")
    case = read_table(tmp_path / "cases.csv", study_of(tmp_path / "cases.csv")).case(A)
    assert case.lesion_table is not None
    volume = read_volume(case.channels["CT"])
    found = read_lesion_table(case.lesion_table, volume.geometry, A)
    assert [(one.centre, one.diameter, one.kind) for one in found] == [
        ((-20.5, 10.0, 8.0), 5.65, "included"),
        ((-12.0, 3.0, 14.0), 12.0, "included"),
        ((-25.0, 5.0, 5.0), 10.0, "excluded"),  # of unknown size: 10 mm, as the challenge's script has it
    ]
    voxel = volume.geometry.to_voxel(np.array([found[0].centre]))[0]
    assert voxel.tolist() == [4.0, 12.0, 19.5]  # z, y, x: (8 - 0) / 2, 10 + 2, -20.5 + 40


def test_scans_that_are_not_there_are_counted(source: Path, tmp_path: Path) -> None:
    with (source / "annotations.csv").open("a") as file:
        file.write("1.2.3,1,2,3,4\n")
    assert write_case_table(source, tmp_path / "cases.csv").elsewhere == 1


def test_the_command_says_what_is_there(source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    output = tmp_path / "cases.csv"
    assert main(["luna16", str(source), str(output)]) == 0
    assert capsys.readouterr().out == (
        f"{output}: case table of 11 scans in 10 folds: 3 nodules and 2 excluded findings in 3 of them\n"
        f"in the study: cohort: {{table: {output}, truth: lesion_table}}, evaluation: {{design: cross_validation, "
        "folds: 10}\n"
    )
    with output.open() as file:
        assert [row["lesion_table"] for row in csv.DictReader(file)].count("none") == 8
    for fold in (1, 2, 3, 5, 6, 7, 8):
        shutil.rmtree(source / f"subset{fold}")
    assert main(["luna16", str(source), str(output)]) == 0
    assert capsys.readouterr().out.splitlines()[1] == (
        "fold0, fold4, fold9 of 10: rename them to train, validation and test in the column `split`"
    )


@pytest.mark.parametrize(
    ("file", "text", "message"),
    [
        ("annotations.csv", f"{A},1,2,3,-1\n", "row 2, column diameter_mm: -1 is not above 0; give the diameter in mm"),
        ("annotations.csv", f"{A},1,2,3,0\n", "row 2, column diameter_mm: 0 is not above 0; give the diameter in mm"),
        ("annotations.csv", f"{A},1;5,2,3,4\n", "row 2, column coordX: `1;5` is not a number"),
        (
            "annotations.csv",
            f"{A},1,2,3,4\n{A},1,2,3,4\n",
            "row 3, column seriesuid: the nodule stands already in row 2",
        ),
        ("annotations.csv", ",1,2,3,4\n", "row 2, column seriesuid: is empty"),
        (DROPPED, f"{A},1,2,,4\n", "row 2, column coordZ: is empty"),
        (DROPPED, f"{A},1,2,3,0\n", "row 2, column diameter_mm: 0 is"),
    ],
)
def test_bad_findings_are_named_by_row_and_column(
    source: Path, tmp_path: Path, file: str, text: str, message: str
) -> None:
    (source / file).write_text(HEADING + text)
    with pytest.raises(HakkenError, match=re.escape(message)) as caught:
        write_case_table(source, tmp_path / "cases.csv")
    assert str(caught.value).startswith(str(source / file))


def test_missing_files_are_named_with_a_remedy(source: Path, tmp_path: Path) -> None:
    (source / "annotations.csv").unlink()
    with pytest.raises(HakkenError) as caught:
        write_case_table(source, tmp_path / "cases.csv")
    assert str(caught.value) == (
        f"{source}: no annotations.csv there nor in evaluationScript/annotations, CSVFILES, annotations; it comes with "
        "the challenge's evaluation script; unpack that there, or name the file (--annotations)"
    )
    with pytest.raises(HakkenError, match="holds no scan, subset0/UID"):
        write_case_table(tmp_path / "nothing", tmp_path / "cases.csv")


def test_a_scan_in_two_subsets_and_a_column_that_lacks_are_errors(source: Path, tmp_path: Path) -> None:
    table = source / "annotations.csv"
    table.write_text(table.read_text().replace("coordZ", "Z"))
    with pytest.raises(HakkenError, match="coordZ"):
        write_case_table(source, tmp_path / "cases.csv")
    (source / "subset1" / f"{A}.mhd").touch()
    with pytest.raises(HakkenError, match="this scan lies in subset0 too; keep one"):
        write_case_table(source, tmp_path / "cases.csv")
