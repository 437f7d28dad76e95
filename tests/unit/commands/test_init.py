"""A study of one's own."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import yaml

from hakken.cli import main
from hakken.cohort.rows import read_rows
from hakken.study.reading import load_study

STUDIES = sorted(path.stem for path in (Path(__file__).resolve().parents[3] / "config/studies").glob("*.yaml"))


@pytest.mark.parametrize("source", STUDIES)
def test_the_new_study_loads_at_every_scale(source: str, project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["init", "liver_nodules", "--from", source]) == 0
    path, old = project / "config/studies/liver_nodules.yaml", project / f"config/studies/{source}.yaml"
    scales = yaml.safe_load(old.read_text())["scales"]
    for scale in scales:
        study = load_study(path, scale)
        before = load_study(old, scale)
        assert (study.name, study.title, study.data) == ("liver_nodules", "liver nodules", "own data")
        assert (study.cohort.table, study.cohort.phantom) == ("data/liver_nodules/cases.csv", None)
        assert study.published is None
        for section in set(type(study).model_fields) - {"name", "title", "description", "data", "published", "cohort"}:
            assert getattr(study, section) == getattr(before, section), section
    shown = capsys.readouterr().out
    assert "config/studies/liver_nodules.yaml: the study, every key explained" in shown
    assert "then: hakken check data/liver_nodules/cases.csv --study liver_nodules" in shown
    assert f"make demo STUDY=liver_nodules SCALE={next(iter(scales))}" in shown


def test_every_key_is_explained(project: Path) -> None:
    main(["init", "liver"])
    lines = (project / "config/studies/liver.yaml").read_text().splitlines()
    for key in ("name: liver", "  table: data/liver/cases.csv", "  labels: instances", "  learning_rate: 0.001"):
        assert lines[lines.index(key) - 1].lstrip().startswith("# "), key


def test_the_case_table_has_the_columns_of_the_study(project: Path) -> None:
    main(["init", "liver"])
    table = read_rows(project / "data/liver/cases.csv")
    assert table.heading == ("case_id", "patient", "split", "scanner", "T1POST", "T1", "lesion_mask")
    assert [row["split"] for row in table.rows] == ["train", "validation", "test"]
    assert [row["lesion_mask"] for row in table.rows] == [
        "case1/lesion_mask.nii.gz",
        "case2/lesion_mask.nii.gz",
        "none",
    ]


def test_the_template_lacks_nothing_but_the_images(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["init", "liver"])
    assert main(["check", "data/liver/cases.csv", "--study", "liver", "--fast"]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "hakken check: data/liver/cases.csv: 8 problems"
    assert all("no such file" in line for line in lines[1:])


@pytest.fixture
def foreign(project: Path, toys: Path) -> Path:
    """A project with the studies of another package."""
    for path in (toys / "studies").glob("*.yaml"):
        shutil.copy(path, project / "config" / "studies")
    return project


def test_a_study_of_cases_that_are_no_images(foreign: Path) -> None:
    assert main(["init", "mine", "--from", "toy_crossed"]) == 0
    study = load_study(foreign / "config/studies/mine.yaml", "tiny")
    assert (study.cohort.kind, study.cohort.table) == ("items", "data/mine/cases.csv")
    table = read_rows(foreign / "data/mine/cases.csv")
    assert table.heading == ("case_id", "patient", "split", "scanner", "vector", "label")
    assert [(row["vector"], row["label"]) for row in table.rows] == [
        ("case1/vector", "abnormal"),
        ("case2/vector", "abnormal"),
        ("case3/vector", "none"),
    ]


def test_a_study_without_cases_has_no_case_table(foreign: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["init", "mine", "--from", "toy_records"]) == 2
    assert capsys.readouterr().err == (
        "hakken init: config/studies/toy_records.yaml: a study without cases needs no case table; copy the file and "
        "change its name\n"
    )
    assert not (foreign / "config/studies/mine.yaml").exists()


@pytest.mark.parametrize("existing", ["config/studies/liver.yaml", "data/liver/cases.csv"])
def test_existing_files_are_never_overwritten(existing: str, project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = project / existing
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("mine")
    assert main(["init", "liver"]) == 2
    assert capsys.readouterr().err == f"hakken init: {existing} exists already; choose another name, or move it away\n"
    assert path.read_text() == "mine"
    assert len([path for path in project.rglob("*") if path.stem == "liver"]) == (2 if "data" in existing else 1) - (
        "data" in existing
    )


@pytest.mark.parametrize("name", ["liver nodules", "../liver", "", "_x", "läsion"])
def test_names_that_cannot_be_folders(name: str, project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["init", name]) == 2
    assert capsys.readouterr().err == (f"hakken init: `{name}` is no study name; use letters, digits and underscores\n")
    assert not (project / "data").exists()


def test_an_unknown_source_names_those_that_exist(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["init", "liver", "--from", "brain_metastases"]) == 2
    shown = capsys.readouterr().err
    assert "config/studies/brain_metastases.yaml: no such file; there are aneurysm_mra, brain_metastasis" in shown
    assert shown.endswith("; did you mean `brain_metastasis`?\n")
    assert not (project / "data").exists()


@pytest.mark.parametrize("words", [["init", "liver"], ["check", "cases.csv", "--study", "liver"]])
def test_in_another_folder_it_says_where_to_go(
    words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(words) == 2
    said = "config/studies: no such folder; run this command in the project's folder\n"
    assert capsys.readouterr().err == f"hakken {words[0]}: {said}"
    assert list(tmp_path.iterdir()) == []
