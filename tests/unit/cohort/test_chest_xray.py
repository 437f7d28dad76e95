"""The case table of the chest X-rays."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from hakken.cli import main
from hakken.cohort.chest_xray import FOLDERS, find_chest_xray, write_case_table
from hakken.cohort.split import assign_parts
from hakken.cohort.table import read_table
from hakken.core.errors import HakkenError
from hakken.study.reading import load_study

ROOT = Path(__file__).resolve().parents[3]
STUDY = ROOT / "config" / "studies" / "chest_xray_autoencoder.yaml"
NAMES = {
    "train/NORMAL": [f"IM-{number:04d}-0001.jpeg" for number in range(100, 112)]
    + ["NORMAL2-IM-0100-0001-0001.jpeg", "NORMAL2-IM-0100-0001-0002.jpeg"],
    "train/PNEUMONIA": [
        "person1_bacteria_2.jpeg",
        "person1_virus_1.jpeg",
        "person2_virus_3_1.jpeg",
        "person7_virus_4.jpeg",
    ],
    "test/NORMAL": ["IM-0001-0001.jpeg"],
    "test/PNEUMONIA": ["person7_bacteria_9.jpeg", "person7_bacteria_10.jpeg"],
}


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A folder with files of the right names."""
    folder = tmp_path / "data" / "chest_xray"
    for inner, names in NAMES.items():
        (folder / inner).mkdir(parents=True)
        for name in names:
            (folder / inner / name).touch()
    return folder


def test_the_table_is_that_of_the_study(source: Path) -> None:
    write_case_table(source, source / "cases.csv")
    cases = {case.case_id: case for case in read_table(source / "cases.csv", load_study(STUDY, "tiny")).cases}
    parts = {case_id: case.split for case_id, case in cases.items()}
    # The published test set is the test set; person 7 stands in both, and is left out of validation.
    assert [case_id for case_id, part in parts.items() if part == "test"] == [
        "IM-0001-0001",
        "person7_bacteria_10",
        "person7_bacteria_9",
    ]
    assert "person7_virus_4" not in cases
    # Of 13 normal patients the first, the seventh and the thirteenth validate, and one image of each other ill patient.
    assert [case_id for case_id, part in parts.items() if part == "validation"] == [
        *("IM-0100-0001", "IM-0106-0001", "NORMAL2-IM-0100-0001-0001", "NORMAL2-IM-0100-0001-0002"),
        *("person1_bacteria_2", "person2_virus_3_1"),
    ]
    assert Counter(parts.values()) == {"train": 10, "validation": 6, "test": 3}
    ill, normal = cases["person2_virus_3_1"], cases["IM-0101-0001"]
    assert (ill.label, ill.patient, ill.columns) == ("pneumonia", "person2", {})
    assert (normal.label, normal.patient, normal.columns) == (None, "IM-0101", {})
    assert ill.channels == {"XR": source / "train/PNEUMONIA/person2_virus_3_1.jpeg"}


def test_the_folder_is_found_beside_the_project(
    source: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(source.parent.parent)
    assert find_chest_xray() == Path("data/chest_xray")
    assert main(["chest-xray"]) == 0
    assert capsys.readouterr().out == (
        "data/chest_xray/cases.csv: case table of the images in data/chest_xray: 10 train, 6 validation, 3 test\n"
    )


def test_what_is_missing_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["chest-xray", "--from", "nowhere"]) == 2
    assert capsys.readouterr().err == (
        f"hakken chest-xray: the chest X-rays were not found; looked for the folders {', '.join(FOLDERS)} in "
        f"{tmp_path}/nowhere; give the folder, or link it as data/chest_xray\n"
    )


@pytest.mark.parametrize(
    ("harm", "message"),
    [
        ("name", "scan.jpeg: its name does not tell the patient; take the data set's own file names"),
        ("empty", "test/NORMAL: holds no .jpeg file; fetch the data set again"),
    ],
)
def test_a_data_set_that_was_changed_is_refused(source: Path, harm: str, message: str) -> None:
    if harm == "name":
        (source / "train/PNEUMONIA/scan.jpeg").touch()
    else:
        (source / "test/NORMAL/IM-0001-0001.jpeg").unlink()
    with pytest.raises(HakkenError) as error:
        write_case_table(source, source / "cases.csv")
    assert str(error.value).endswith(message)


def test_the_real_images(shared_data: Path, tmp_path: Path) -> None:
    if not (shared_data / "chest_xray").is_dir():
        pytest.skip("the chest X-rays are not on this machine")
    write_case_table(find_chest_xray(shared_data / "chest_xray"), tmp_path / "cases.csv")
    study = load_study(STUDY, "tiny")
    table = assign_parts(read_table(tmp_path / "cases.csv", study), study)
    assert [len(table.part(part)) for part in ("train", "validation", "test")] == [753, 374, 624]
    assert sum(case.label is not None for case in table.part("test")) == 390
    assert all(case.label is None for case in table.part("train"))
