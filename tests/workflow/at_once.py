"""Run all jobs of a workflow in one process, one after the other: the same rules, parameters and stages as ever.

The workflow engine starts a Python for each job, which takes longer than most jobs of the smallest studies. Here it
plans the jobs, and the stages are called as the adapter script calls them. `python at_once.py FOLDER [--only RULE]
[TARGET ...]` prints a line of JSON for each job: its rule, and the names of its inputs, outputs and parameters.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from snakemake.api import SnakemakeApi
from snakemake.settings.types import DAGSettings, OutputSettings, Quietness, ResourceSettings

from hakken.stages import run

NO_SCRIPT = ("all", "figures", "sweeps", "comparison", "scaling")


def planned(targets: list[str]) -> Iterator[Any]:
    """Yield the jobs of the workflow in the working folder, each behind those that make its files."""
    with SnakemakeApi(OutputSettings(quiet={Quietness.ALL})) as engine:
        workflow_api = engine.workflow(ResourceSettings(cores=2), snakefile=Path("Snakefile"), workdir=Path.cwd())
        dag_api = workflow_api.dag(DAGSettings(targets=set(targets)))
        workflow = dag_api.workflow_api._workflow
        workflow.dag_settings = dag_api.dag_settings
        workflow._prepare_dag(forceall=True, ignore_incomplete=True, lock_warn_only=True)
        workflow._build_dag()
        workflow._onstart(None)
        for level in workflow.dag.toposorted():
            for job in sorted(level, key=str):
                if job.rule.name not in NO_SCRIPT:
                    yield job


def described(job: Any) -> dict[str, Any]:
    """Return the rule of a job and the names of what it is given."""
    names = {kind: [name for name, _ in getattr(job, kind).items()] for kind in ("input", "output", "params")}
    return {"rule": job.rule.name, "stage": job.params.stage} | names


def main(folder: str, *arguments: str) -> None:
    """Run the jobs of the targets, those of one rule where `--only RULE` names it."""
    os.chdir(folder)
    only = arguments[1] if arguments[:1] == ("--only",) else None
    for job in planned([*arguments[2 if only else 0 :]]):
        if only in (None, job.rule.name):
            print(json.dumps(described(job)), flush=True)
            run(job)


if __name__ == "__main__":
    main(*sys.argv[1:])
