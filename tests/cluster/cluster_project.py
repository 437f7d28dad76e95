"""The study of these tests: the smoke study with more trials, four at once, each long enough to meet the others."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml
from workflow_project import STUDIES, Project, new_project

TRIALS = 7  # and the untuned default
SLOTS = 4
STEPS = 40
RESULTS = Path("results/cluster/tiny")
SWEEP = RESULTS / "sweeps/search"
# Stands before the one script of all rules, in a copy of it for trainings. A step takes as long as one of a large
# network, without its work; the result is the same, as nothing in a training depends on the clock.
SLOW = """\
import time

from hakken.training.reporter import Reporter

quick = Reporter.__call__


def slow(reporter, run):
    time.sleep({seconds})
    quick(reporter, run)


Reporter.__call__ = slow
"""


def cluster_project(folder: Path, prelude: str = "", **search: Any) -> Project:
    """Return a project whose trainings begin with ``prelude``; ``search`` are keys of the study's search."""
    project = new_project(folder, "studies: {cluster: tiny}\ncases_per_job: 8\n")
    study = yaml.safe_load((STUDIES / "smoke.yaml").read_text())
    study |= {"name": "cluster", "title": "Test of the cluster"}
    study["search"] |= {"trials": TRIALS, "slots": SLOTS, **search}
    study["training"] |= {"steps": STEPS, "validate_every": 10, "checkpoint_seconds": 0.5}
    project.path("config/studies/cluster.yaml").write_text(yaml.safe_dump(study, sort_keys=False))
    put_before_trial(project, prelude)
    return project


def put_before_trial(project: Project, prelude: str) -> None:
    """Let jobs of the rules `trial` and `job` run a script of their own, which begins with ``prelude``."""
    scripts = project.path("workflow/scripts")
    (scripts / "trial.py").write_text(prelude + (scripts / "stage.py").read_text())
    for name in ("trials", "rungs"):
        rules = project.path(f"workflow/rules/{name}.smk")
        rules.write_text(rules.read_text().replace("scripts/stage.py", "scripts/trial.py", 1))  # each is the first rule
