"""How many cases a job handles: the profile's number, and that of a run which has begun."""

from __future__ import annotations

import importlib
import re
from pathlib import Path
from typing import Any

import pytest
from workflow_project import ROOT, Project, new_project

DRAWN = [f"results/smoke/tiny/cohort/train-{number:03d}" for number in (0, 1)]


@pytest.fixture
def benchmark(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The benchmark of dry runs, which writes the large studies."""
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    return importlib.import_module("dry_run")


def jobs_of(said: str) -> dict[str, int]:
    return {rule: int(count) for rule, count in re.findall(r"^(\w+) +(\d+)$", said, flags=re.MULTILINE)}


def test_a_run_goes_on_with_the_batches_that_it_was_begun_with(tmp_path: Path) -> None:
    project: Project = new_project(tmp_path / "project")
    first = project.snakemake("--default-resources", "cases_per_job=2", "--", *DRAWN)
    assert first.returncode == 0, first.stdout[-3000:]
    assert all(len(list(project.path(folder).iterdir())) for folder in DRAWN)
    assert project.path("results/smoke/tiny/batches.json").read_text() == '{\n  "cases_per_job": 2\n}\n'
    again = project.snakemake("--dry-run", "--profile", "profiles/cluster", "--", *DRAWN)
    assert "Nothing to be done" in again.stdout, again.stdout[-3000:]
    assert "results/smoke/tiny: begun with 2 cases a job, and goes on so, not with 32" in again.stdout


def test_the_command_line_wins_over_the_profile(tmp_path: Path) -> None:
    project = new_project(tmp_path / "project")
    plan = ("--dry-run", "--quiet", "host", "--profile", "profiles/cluster")
    assert jobs_of(project.snakemake(*plan).stdout)["check"] == 3
    assert jobs_of(project.snakemake(*plan, "--config", "cases_per_job=1").stdout)["check"] == 7


def test_a_profile_that_says_no_number_stops_with_one_line(tmp_path: Path) -> None:
    project = new_project(tmp_path / "project")
    run = project.snakemake("--dry-run", "--default-resources", "cases_per_job=0")
    assert run.returncode != 0
    assert "the profile's `default-resources`: `cases_per_job` is 0, not a number of cases, 1 or more" in run.stdout


@pytest.mark.parametrize(("study", "drawn"), [("own", False), ("phantom", True)])
def test_many_cases_are_few_jobs_on_a_cluster(study: str, drawn: bool, benchmark: Any, tmp_path: Path) -> None:
    project = Project(tmp_path)
    benchmark.new_project(tmp_path)
    write = benchmark.write_own if study == "own" else benchmark.write_phantom
    write(tmp_path, 1000, 50)
    config = ("--config", f"study={study}", "scale=paper")
    run = project.snakemake("--dry-run", "--quiet", "rules", "--profile", "profiles/cluster", *config)
    assert run.returncode == 0, run.stdout[-3000:]
    jobs = jobs_of(run.stdout)
    batches = 19 + 7 + 7  # 600, 200 and 200 cases, 32 a job
    each = dict.fromkeys(["check", "register", "prepare", *(["phantom"] if drawn else [])], batches)
    once = ["baseline", "patches", "optimism", "sweep_table", "freeze", "unseal", "summary", "report", "all"]
    others = dict.fromkeys([*once, *(["phantom_table"] if drawn else [])], 1)
    others |= {"separate": 2, "select": 2, "predict": 6, "measure": 6, "figure": 6}  # none of them is one job a case
    expected = each | {"trial": 50, "shared": 1} | others
    assert jobs == expected | {"total": sum(expected.values())}
