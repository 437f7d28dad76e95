"""The network of expectation: the chain of the task anomaly with its own expectations, calibration and baseline."""

from __future__ import annotations

import re
from pathlib import Path

from workflow_project import new_project

CONFIG = "studies: {smoke_expectation: tiny}\ncases_per_job: 8\n"


def test_a_study_of_expectation_has_rules_and_figures_of_its_own(tmp_path: Path) -> None:
    run = new_project(tmp_path / "project", CONFIG).snakemake("--dry-run")
    assert run.returncode == 0, run.stdout[-3000:]
    jobs = dict(re.findall(r"^(\w+) +(\d+)$", run.stdout, flags=re.MULTILINE))
    expected = {"trial": "3", "evaluate": "4", "expect": "2", "calibrate": "2", "baseline": "1", "optimism": "1"}
    assert {rule: jobs[rule] for rule in expected} == expected
    assert not {"case_table", "reconstruct"} & set(jobs)
    figures = {rule for rule in jobs if rule.startswith("figure_")}
    names = ("froc", "baseline", "calibration", "expectations", "search", "learnt", "strata")
    assert figures == {f"figure_{name}" for name in names}


def test_other_studies_have_none_of_it(tmp_path: Path) -> None:
    run = new_project(tmp_path / "project").snakemake("--dry-run")
    assert not {"expect", "calibrate", "baseline"} & set(re.findall(r"^(\w+) +\d+$", run.stdout, flags=re.MULTILINE))
    asked = new_project(tmp_path / "other").snakemake("--dry-run", "results/smoke/tiny/evaluation/test/baseline.json")
    assert "MissingRuleException" in asked.stdout
