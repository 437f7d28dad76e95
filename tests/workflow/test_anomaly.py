"""The task anomaly: the same chain, with tables of cases, errors of reconstruction and figures of its own."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path

import pytest
from workflow_project import Project, new_project

CONFIG = "studies: {smoke_anomaly: tiny}\ncases_per_job: 8\n"
RESULTS = Path("results/smoke_anomaly/tiny")


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return new_project(tmp_path / "project", CONFIG)


def test_an_anomaly_study_runs_to_its_end(project: Project) -> None:
    run = project.snakemake()
    assert run.returncode == 0, run.stdout[-6000:]
    for text in ("AUC of the cases", "specificity", "selected: trial", f"{RESULTS}/figures/roc.pdf"):
        assert text in run.stdout
    results = project.path(str(RESULTS))
    summary = (results / "summary.txt").read_text()
    assert "FPs/case" not in summary
    sealed = json.loads((results / "freeze.json").read_text())["models"]["selected"]["operating_point"]
    tested = json.loads((results / "evaluation/test/selected.json").read_text())
    assert sealed["chosen_by"] == "sensitivity:0.9"
    assert tested["roc"]["operating_point"]["threshold"] == sealed["threshold"]
    assert tested["roc"]["operating_point"]["chosen"] == "elsewhere"
    with (results / "evaluation/test/selected.cases.csv").open(newline="") as stream:
        cases = list(csv.DictReader(stream))
    assert len(cases) == 4
    assert {row["abnormal"] for row in cases} == {"0", "1"}
    for name in ("roc", "froc", "search", "learnt", "strata", "anomalies"):
        assert (results / "figures" / f"{name}.pdf").stat().st_size > 1000
    assert "abnormal cases, normal cases" in (results / "report.html").read_text()
    again = project.snakemake("--dry-run")
    assert "Nothing to be done" in again.stdout


def test_detection_has_no_tables_of_cases(tmp_path: Path) -> None:
    jobs = dict(re.findall(r"^(\w+) +(\d+)$", new_project(tmp_path / "d").snakemake("-n").stdout, flags=re.MULTILINE))
    assert not {"case_table", "reconstruct", "figure_roc", "figure_anomalies"} & set(jobs)
    assert jobs["evaluate"] == "4"
