"""A cohort of one's own in which every third case lacks a channel, from the images to the report and to a new case."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
from own_cohort import STUDY, lesions, volume
from workflow_project import Project, new_project

from hakken.imaging.files import write_volume
from hakken.seal.openings import read_openings

PARTS = ("train", "train", "train", "validation", "validation", "validation", "test", "test", "test")
LACKING = "channels: {T1: {modality: mr}, T2: {modality: mr, optional: true}}"


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """Nine cases, three in each part, of which one lacks T2, run to the end. Tests must not change it."""
    project = new_project(tmp_path_factory.mktemp("lacking") / "project", "studies: {own: tiny}\ncases_per_job: 3\n")
    study = STUDY.replace("channels: {T1: {modality: mr}, T2: {modality: mr}}", LACKING)
    study = study.replace("evaluation: {", "figures: [froc, strata, overlays, registration]\nevaluation: {")
    assert LACKING in study and "overlays" in study
    project.path("config/studies/own.yaml").write_text(study)
    rows = ["case_id,patient,split,T1,T2,lesion_mask"]
    for number, part in enumerate(PARTS):
        place = project.path(f"data/own/c{number}")
        write_volume(place / "T1.nii.gz", volume(number))
        write_volume(place / "lesions.nii.gz", lesions(place=number))
        other = ""
        if number % 3:
            other = f"c{number}/T2.nii.gz"
            write_volume(project.path(f"data/own/{other}"), volume(number + 10))
        rows.append(f"c{number},p{number},{part},c{number}/T1.nii.gz,{other},c{number}/lesions.nii.gz")
    project.path("data/own/cases.csv").write_text("\n".join(rows) + "\n")
    project.at_once("all")
    return project


def test_the_check_says_who_lacks_it(ran: Project) -> None:
    said = ran.hakken("check", "data/own/cases.csv", "--study", "own", "--fast")
    assert "channel T2 (optional): 3 of 9 cases lack it (1 train, 1 validation, 1 test)\n" in said.stdout


def test_cases_with_and_without_are_counted_and_measured_apart(ran: Project) -> None:
    results = ran.path("results/own/tiny")
    assert "cases without T2: 1 of 3 on validation, 1 of 3 on test\n" in (results / "summary.txt").read_text()
    assert "<td>cases, patients, lesions, without T2</td><td>3, 3, 3, 1</td>" in (results / "report.html").read_text()
    with (results / "measurements/test/selected/candidates.strata.csv").open(newline="") as stream:
        strata = {(row["group"], row["stratum"]): row["cases"] for row in csv.DictReader(stream)}
    assert (strata["T2", "with T2"], strata["T2", "without T2"]) == ("2", "1")


def test_the_figures_are_drawn(ran: Project) -> None:
    figures = ran.path("results/own/tiny/figures")
    assert {path.stem for path in figures.glob("*.pdf")} >= {"froc", "strata", "overlays", "registration"}
    assert "without T2" in (figures / "strata.svg").read_text()


def test_the_opening_binds_what_there_is(ran: Project) -> None:
    (opening,) = read_openings(ran.path("data/own/openings"))
    assert sorted(len(case.images) for case in opening.cases) == [1, 2, 2]
    parts = json.loads(ran.path("results/own/tiny/prepared/test-000/c6.json").read_text())
    assert (parts["channels"], parts["optional"]) == (["T1", "T2", "T2_present"], {"T2": False})


def test_a_new_case_may_lack_it(ran: Project, tmp_path: Path) -> None:
    write_volume(tmp_path / "new.nii.gz", volume(99))
    said = ran.hakken(
        *("predict", "--model", "results/own/tiny/models/selected.pt", "--image", f"T1={tmp_path / 'new.nii.gz'}"),
        *("--output", str(tmp_path / "candidates.csv")),
    )
    assert said.returncode == 0, said.stderr
    assert ", without T2" in said.stderr
    assert (tmp_path / "candidates.csv").read_text().startswith("case_id,candidate,x,y,z,score")
