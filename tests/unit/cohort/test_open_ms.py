"""The case table of the open MS data set."""

from __future__ import annotations

from pathlib import Path

import pytest

from hakken.cli import main
from hakken.cohort.open_ms import CHANNELS, PATIENTS, find_open_ms, write_case_table
from hakken.cohort.table import read_table
from hakken.core.errors import HakkenError
from hakken.study.reading import load_study

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A folder with files of the right names."""
    folder = tmp_path / "data" / "open_ms"
    for patient in PATIENTS:
        (folder / patient).mkdir(parents=True)
        for name in (*CHANNELS, "lesions"):
            (folder / patient / f"{name}.nii.gz").touch()
    return folder


def test_the_table_is_that_of_the_study(source: Path) -> None:
    study = load_study(ROOT / "config" / "studies" / "white_matter_lesion.yaml", "tiny")
    write_case_table(source, source / "cases.csv")
    table = read_table(source / "cases.csv", study)
    assert [(case.case_id, case.split) for case in table.cases] == [
        ("patient07", "train"),
        ("patient26", "validation"),
        ("patient19", "test"),
    ]
    assert table.cases[2].channels["FLAIR"] == source / "patient19" / "FLAIR.nii.gz"
    assert table.cases[2].lesion_mask == source / "patient19" / "lesions.nii.gz"


def test_it_is_found_beside_the_working_folder(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert find_open_ms() == Path("data/open_ms")
    assert main(["open-ms"]) == 0
    assert capsys.readouterr().out == "data/open_ms/cases.csv: case table of the images in data/open_ms\n"
    assert (source / "cases.csv").read_text().splitlines()[1] == (
        "patient07,patient07,train,patient07/T1.nii.gz,patient07/T1POST.nii.gz,patient07/FLAIR.nii.gz,"
        "patient07/lesions.nii.gz"
    )


def test_where_it_looked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["open-ms", "--from", "nowhere"]) == 2
    assert capsys.readouterr().err == (
        "hakken open-ms: the open MS data set was not found; looked for the folders patient07, patient26, patient19 in "
        f"{tmp_path}/nowhere; give the folder, or link it as data/open_ms\n"
    )
    with pytest.raises(HakkenError, match=r"in .*/data/open_ms, .*/\.\./shared/data/open_ms, "):
        find_open_ms()


def test_gaps_are_named(source: Path) -> None:
    (source / "patient26" / "FLAIR.nii.gz").unlink()
    with pytest.raises(HakkenError, match=r"the data set lacks .*patient26/FLAIR.nii.gz; fetch these files again"):
        write_case_table(source, source / "cases.csv")


def test_the_real_data_set(shared_data: Path, tmp_path: Path) -> None:
    study = load_study(ROOT / "config" / "studies" / "white_matter_lesion.yaml", "paper")
    write_case_table(find_open_ms(shared_data / "open_ms"), tmp_path / "cases.csv")
    assert len(read_table(tmp_path / "cases.csv", study)) == 3
