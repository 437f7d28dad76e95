"""Commands beside a finished run: the plan counts its jobs, and a frozen model finds what the study found."""

from __future__ import annotations

import csv
import re
from pathlib import Path

import pytest
from workflow_project import Project

RESULTS = Path("results/smoke/tiny")
pytestmark = pytest.mark.xdist_group("finished")


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as stream:
        return list(csv.DictReader(stream))


def test_the_plan_counts_the_jobs_that_ran(finished: tuple[Project, str]) -> None:
    project, shown = finished
    ran = dict(re.findall(r"^(\w+) +(\d+)$", shown, flags=re.MULTILINE))
    run = project.hakken("plan")
    assert run.returncode == 0, run.stderr
    planned = {stage: jobs for stage, jobs, *_ in re.findall(r"^(\w+) +(\d+) +(\S+) +(\S+)$", run.stdout, re.MULTILINE)}
    assert int(planned.pop("all")) == int(ran.pop("total")) - int(ran.pop("all"))
    assert planned == ran
    assert "timings of results/smoke/tiny\n" in run.stdout
    assert float(re.findall(r"^trial +5 +(\S+)", run.stdout, re.MULTILINE)[0]) > 0


def test_a_new_case_is_treated_as_the_study_treated_its_own(finished: tuple[Project, str], tmp_path: Path) -> None:
    project, _ = finished
    case = next(row for row in rows(project.path(str(RESULTS / "cohort/cases.csv"))) if row["split"] == "test")
    images = [f"--image={channel}={RESULTS / 'cohort' / case[channel]}" for channel in ("T1", "T1POST")]
    output = tmp_path / "candidates.csv"
    model = str(RESULTS / "models/selected.pt")
    run = project.hakken("predict", "--model", model, *images, "--case-id", case["case_id"], "--output", str(output))
    assert run.returncode == 0, run.stderr
    assert "reach the frozen threshold" in run.stdout
    assert "research use only" in run.stdout
    study = [
        row
        for row in rows(project.path(str(RESULTS / "predictions/test/selected/candidates.csv")))
        if row["case_id"] == case["case_id"]
    ]
    unknown = [row | {"lesion": ""} for row in study]
    assert unknown == rows(output)
    assert study
