"""The whole chain, from nothing to the report."""

from __future__ import annotations

import json
import re
import shutil
import time
from itertools import accumulate
from pathlib import Path

import pytest
import yaml
from workflow_project import Project

from hakken.seal.openings import read_openings

RESULTS = Path("results/smoke/tiny")
pytestmark = pytest.mark.xdist_group("finished")


def test_it_ends_by_saying_what_was_found_and_where(finished: tuple[Project, str]) -> None:
    _, shown = finished
    for text in (
        "Smoke test",
        "study smoke at scale tiny, data: phantom; research use only",
        "sensitivity at 1 FP/case",
        "sensitivity at 8.4 FP/case",
        "partial AUC to 10 FP/case",
        "selected: trial",
        "cost:",
        "results/smoke/tiny/figures/froc.pdf",
        "search, learnt, strata, overlays, registration in results/smoke/tiny/figures",
        "results/smoke/tiny/report.html",
    ):
        assert text in shown
    assert re.search(r"\[trial\] 0\d: step \d+/12", shown), "long stages show their progress"


def test_every_figure_comes_in_three_formats_with_its_provenance(finished: tuple[Project, str]) -> None:
    project, _ = finished
    figures = project.path(str(RESULTS / "figures"))
    for name in ("froc", "search", "learnt", "strata", "overlays", "registration"):
        for ending in ("pdf", "svg", "png"):
            assert (figures / f"{name}.{ending}").stat().st_size > 1000
        provenance = json.loads((figures / f"{name}.json").read_text())
        assert provenance["scale"] == "tiny"
        assert provenance["opening"]["number"] == 1


def test_the_study_and_the_versions_stand_beside_the_results(finished: tuple[Project, str]) -> None:
    project, _ = finished
    study = yaml.safe_load(project.path(str(RESULTS / "study.yaml")).read_text())
    assert (study["name"], study["scale"], study["training"]["steps"]) == ("smoke", "tiny", 12)
    assert study["training"]["patience"] == 3  # a default
    (start,) = json.loads(project.path(str(RESULTS / "versions.json")).read_text())["starts"]
    assert {"hakken", "python", "torch", "snakemake"} <= start["versions"].keys()


def test_a_second_call_says_that_nothing_is_to_be_done(finished: tuple[Project, str]) -> None:
    project, _ = finished
    start = time.monotonic()
    run = project.snakemake()
    assert run.returncode == 0
    assert "Nothing to be done" in run.stdout
    assert time.monotonic() - start < 15


@pytest.mark.parametrize("ending", ["svg", "json"])
def test_a_deleted_figure_is_drawn_again_and_nothing_else(
    ending: str, finished: tuple[Project, str], tmp_path: Path
) -> None:
    project, _ = finished
    copy = Project(tmp_path / "copy")
    shutil.copytree(project.folder, copy.folder, symlinks=True)
    copy.at_home()
    copy.path(str(RESULTS / f"figures/search.{ending}")).unlink()
    run = copy.snakemake("--dry-run")
    assert run.returncode == 0, run.stdout[-3000:]
    jobs = dict(re.findall(r"^(\w+) +(\d+)$", run.stdout, flags=re.MULTILINE))  # a dry run prints the table twice
    assert jobs == {"figure": "1", "report": "1", "all": "1", "total": "3"}


def test_the_test_set_was_opened_once_for_the_frozen_models(finished: tuple[Project, str]) -> None:
    project, _ = finished
    openings = read_openings(project.path(str(RESULTS / "openings")))
    freeze = json.loads(project.path(str(RESULTS / "freeze.json")).read_text())
    assert len(openings) == 1
    assert openings[0].models == {name: model["sha256"] for name, model in freeze["models"].items()}


def test_trials_ran_two_at_once_and_knew_of_each_other(finished: tuple[Project, str]) -> None:
    project, _ = finished
    trials = [
        json.loads(path.read_text()) for path in sorted(project.path(str(RESULTS / "sweeps/search/trials")).iterdir())
    ]
    assert [trial["number"] for trial in trials] == [0, 1, 2, 3, 4]
    ran = [json.loads(path.read_text()) for path in project.path(".snakemake/metadata").iterdir()]
    jobs = [job for job in ran if job.get("rule") == "trial"]
    events = sorted((job[event], change) for job in jobs for event, change in (("starttime", 1), ("endtime", -1)))
    assert max(accumulate(change for _, change in events)) == 2
    assert any(trial["known"] for trial in trials)


def test_the_report_of_the_workflow_engine_builds(finished: tuple[Project, str], tmp_path: Path) -> None:
    project, _ = finished
    run = project.snakemake("--report", str(tmp_path / "report.html"))
    assert run.returncode == 0, run.stdout[-3000:]
    text = (tmp_path / "report.html").read_text()
    assert "FROC of the selected model" in text
    assert "smoke (tiny)" in text


def test_studies_stand_beside_each_other_when_asked(finished: tuple[Project, str]) -> None:
    project, _ = finished
    run = project.snakemake("results/overview.md", umask=0o077)
    assert run.returncode == 0, run.stdout[-2000:]
    assert "| `smoke` |" in project.path("results/overview.md").read_text()
    assert project.path("results/overview.png").stat().st_size > 10_000


def test_the_report_needs_no_network(finished: tuple[Project, str]) -> None:
    project, _ = finished
    page = project.path(str(RESULTS / "report.html")).read_text()
    assert not re.findall(r"""(?:src|href)\s*=\s*["']https?:""", page)
    assert page.count("<figure") == 6


def test_more_trials_redo_nothing_that_is_finished(finished: tuple[Project, str], tmp_path: Path) -> None:
    project, _ = finished
    copy = Project(tmp_path / "copy")
    shutil.copytree(project.folder, copy.folder, symlinks=True)
    study = copy.path("config/studies/smoke.yaml")
    study.write_text(study.read_text().replace("trials: 5", "trials: 7"))
    run = copy.snakemake("--dry-run")
    assert run.returncode == 0, run.stdout[-3000:]
    assert re.search(r"^trial +2$", run.stdout, flags=re.MULTILINE), run.stdout[-3000:]


def test_a_changed_study_beside_old_results_stops_and_loses_nothing(
    finished: tuple[Project, str], tmp_path: Path
) -> None:
    project, _ = finished
    copy = Project(tmp_path / "copy")
    shutil.copytree(project.folder, copy.folder, symlinks=True)
    study = copy.path("config/studies/smoke.yaml")
    study.write_text(study.read_text().replace("steps: 12", "steps: 13"))
    before = sorted(copy.path("results").rglob("*"))
    run = copy.snakemake()
    assert run.returncode != 0
    assert "study `smoke` has changed since the trainings in results/smoke/tiny:" in run.stdout
    assert "training.steps: 12 then, 13 now" in run.stdout
    assert sorted(copy.path("results").rglob("*")) == before


def test_every_stage_has_its_log(finished: tuple[Project, str]) -> None:
    project, _ = finished
    logs = sorted(project.path(str(RESULTS / "logs")).iterdir())
    assert {folder.name for folder in logs} >= {"trial", "register", "prepare", "measure", "report"}
