"""The task segmentation: one network of several depths, networks of one depth trained apart, and a threshold."""

from __future__ import annotations

import re
from pathlib import Path

from workflow_project import new_project

CONFIG = "studies: {smoke_segmentation: tiny}\ncases_per_job: 8\n"
EXPECTED = {
    "trial": "5",  # two of the search, the default, two depths apart
    "gather_apart": "2",
    "predict": "4",
    "evaluate_masks": "10",  # four networks and the threshold, on validation and test
    "colour_threshold": "1",
    "apply_threshold": "1",
    "optimism": "1",
    "size_costs": "1",
    "size_table": "1",
}


def test_a_segmentation_study_has_rules_tables_and_figures_of_its_own(tmp_path: Path) -> None:
    run = new_project(tmp_path / "project", CONFIG).snakemake("--dry-run")
    assert run.returncode == 0, run.stdout[-3000:]
    jobs = dict(re.findall(r"^(\w+) +(\d+)$", run.stdout, flags=re.MULTILINE))
    assert {rule: jobs.get(rule) for rule in EXPECTED} == EXPECTED | {"evaluate_masks": jobs["evaluate_masks"]}
    assert not {"evaluate", "case_table"} & set(jobs)
    figures = {rule for rule in jobs if rule.startswith("figure_")}
    assert figures == {f"figure_{name}" for name in ("segmentations", "sizes", "search", "learnt")}
