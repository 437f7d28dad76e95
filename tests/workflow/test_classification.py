"""The task classification: rules of its own for measures, and a grid that reads development cases alone."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from workflow_project import Project, new_project

CONFIG = "studies: {smoke_classification: tiny}\ncases_per_job: 8\n"
RESULTS = "results/smoke_classification/tiny"


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return new_project(tmp_path / "project", CONFIG)


def test_a_classification_study_has_rules_and_figures_of_its_own(project: Project) -> None:
    run = project.snakemake("--dry-run")
    assert run.returncode == 0, run.stdout[-3000:]
    jobs = dict(re.findall(r"^(\w+) +(\d+)$", run.stdout, flags=re.MULTILINE))
    # One network under two conditions in two folds.
    expected = {"trial": "3", "evaluate_classes": "4", "optimism": "1", "grid_crops": "1", "grid_cell": "4"}
    assert {rule: jobs[rule] for rule in expected} == expected
    assert {rule for rule in jobs if rule.startswith("figure_")} == {
        f"figure_{name}" for name in ("grid", "confusion", "search", "learnt")
    }
    assert not {"evaluate", "case_table", "reconstruct"} & set(jobs)


def test_the_grid_reads_no_test_case(project: Project) -> None:
    run = project.snakemake("--dry-run", "--quiet", "host", "--", f"{RESULTS}/grid/grid.json")
    assert run.returncode == 0, run.stdout[-3000:]
    assert "/test-0" not in run.stdout
    assert not re.search(r"^(unseal|freeze|trial)\b", run.stdout, flags=re.MULTILINE)


@pytest.mark.slow
def test_from_phantom_to_report(project: Project) -> None:
    run = project.snakemake()
    assert run.returncode == 0, run.stdout[-5000:]
    grid = json.loads(project.path(f"{RESULTS}/grid/grid.json").read_text())
    assert grid["data"] == "phantom"
    assert len(grid["conditions"]) == 2
    measured = json.loads(project.path(f"{RESULTS}/evaluation/test/selected.json").read_text())
    assert measured["counts"]["lesions"] == 4
    assert measured["objective"]["name"] == "balanced accuracy"
    again = project.snakemake("--dry-run")
    assert "Nothing to be done" in again.stdout
