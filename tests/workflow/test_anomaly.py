"""The task anomaly: the same chain, with tables of cases, errors of reconstruction and figures of its own."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from workflow_project import Project, new_project

CONFIG = "studies: {smoke_anomaly: tiny}\ncases_per_job: 8\n"


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return new_project(tmp_path / "project", CONFIG)


def planned(project: Project) -> dict[str, str]:
    """The number of jobs of each rule."""
    run = project.snakemake("--dry-run")
    assert run.returncode == 0, run.stdout[-3000:]
    return dict(re.findall(r"^(\w+) +(\d+)$", run.stdout, flags=re.MULTILINE))


def test_an_anomaly_study_has_tables_errors_and_figures_of_its_own(project: Project) -> None:
    jobs = planned(project)
    expected = {"trial": "3", "evaluate": "4", "case_table": "4", "reconstruct": "1", "optimism": "1"}
    assert {rule: jobs[rule] for rule in expected} == expected
    figures = {rule for rule in jobs if rule.startswith("figure_")}
    assert figures == {f"figure_{name}" for name in ("roc", "froc", "search", "learnt", "strata", "anomalies")}


def test_detection_has_no_tables_of_cases(tmp_path: Path) -> None:
    jobs = planned(new_project(tmp_path / "detection"))
    assert not {"case_table", "reconstruct", "figure_roc", "figure_anomalies"} & set(jobs)
    assert jobs["evaluate"] == "4"
