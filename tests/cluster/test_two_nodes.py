"""One training on two machines: four processes that meet over the network, and the numbers of one machine."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from cluster_project import RESULTS, cluster_project
from controller import Controller
from loopback_slurm import Slurm
from slurm_records import Job, Step, jobs_of, steps_of
from workflow_project import Project

TRIAL = str(RESULTS / "sweeps/search/trials/0000.json")
LIMIT = 420.0  # seconds


@dataclass(frozen=True)
class Trained:
    """The first training of a search, on two nodes with two processes each, and what Slurm says of its job."""

    record: dict[str, Any]
    log: str
    job: Job
    steps: list[Step]


def four_at_once(folder: Path) -> Project:
    """A study of which one training takes two machines with two GPUs each."""
    project = cluster_project(folder)
    path = project.path("config/studies/cluster.yaml")
    study = yaml.safe_load(path.read_text())
    study["training"] |= {"nodes": 2, "gpus_per_node": 2}
    study["parameters"] |= {"batch_norm": False, "dropout": 0.0}
    path.write_text(yaml.safe_dump(study, sort_keys=False))
    return project


@pytest.fixture(scope="module")
def trained(slurm: Slurm, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Trained]:
    project = four_at_once(tmp_path_factory.mktemp("nodes"))
    with Controller(project, ("--set-threads", "trial=2", "--", TRIAL)) as controller:
        code = controller.wait(LIMIT)
    assert code == 0, controller.text[-6000:]
    (job,) = [job for job in jobs_of(slurm, project.folder) if job.rule == "trial"]
    record = json.loads(project.path(TRIAL).read_text())
    log = project.path(str(RESULTS / "logs/trial/search-0000.log")).read_text()
    yield Trained(record, log, job, [step for step in steps_of(slurm) if step.job == job.number])


def test_the_job_has_both_nodes_and_two_gpus_of_each(trained: Trained) -> None:
    assert trained.job.gpus == 4
    assert trained.job.runs[-1].state == "COMPLETED"
    processes = [step for step in trained.steps if step.step == "0"]
    assert {step.node for step in processes} == {"gpu1", "gpu2"}
    assert {len(step.gpus) for step in processes} == {2}


def test_four_processes_train_what_one_machine_does(trained: Trained, tmp_path: Path) -> None:
    assert (trained.record["state"], trained.record["nodes"], trained.record["processes"]) == ("complete", 2, 4)
    assert "process 1 of 4" in trained.log
    project = four_at_once(tmp_path / "alone")
    run = project.snakemake("--", TRIAL)
    assert run.returncode == 0, run.stdout[-3000:]
    alone = json.loads(project.path(TRIAL).read_text())
    assert (alone["nodes"], alone["processes"]) == (1, 2)
    assert [point["step"] for point in trained.record["curve"]] == [point["step"] for point in alone["curve"]]
    for point, other in zip(trained.record["curve"], alone["curve"], strict=True):
        assert point == pytest.approx(other, abs=1e-4)
