"""A search whose trainings pause at rungs, on a cluster: jobs share trainings, and one that is cancelled goes on."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import pytest
from cluster_project import SLOTS, SLOW, SWEEP, TRIALS, cluster_project
from controller import Controller
from loopback_slurm import Slurm
from slurm_records import Job, jobs_of, running
from workflow_project import Project

LIMIT = 420.0  # seconds


@dataclass(frozen=True)
class Searched:
    """A search with rungs that has ended, one of its jobs having been cancelled on the way."""

    project: Project
    jobs: list[Job]
    cancelled: str

    @property
    def segments(self) -> list[dict[str, Any]]:
        """What the jobs trained, each stretch with its job, its training and its ends in shares of a training."""
        paths = sorted(self.project.path(str(SWEEP / "jobs")).glob("*.json"))
        return [one["segment"] for path in paths for one in json.loads(path.read_text())["segments"]]


@pytest.fixture(scope="module")
def searched(slurm: Slurm, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Searched]:
    project = cluster_project(tmp_path_factory.mktemp("rungs"), SLOW.format(seconds=0.2), rungs=["1/9", "1/3"])
    threads = ("--set-threads", "trial=1", "job=1", "predict=4")
    with Controller(project, (*threads, "--preemptible-retries", "3", "--", "sweeps")) as controller:
        ledger = project.path(str(SWEEP / "ledger"))
        controller.until(lambda: len(list(ledger.glob("*/proposal-*.json"))) > SLOTS)
        controller.until(lambda: running(slurm, project.folder, "job"))
        cancelled = running(slurm, project.folder, "job")[0].job
        slurm.command("scancel", cancelled)
        code = controller.wait(LIMIT)
    assert code == 0, controller.text[-6000:]
    yield Searched(project, jobs_of(slurm, project.folder), cancelled)


def test_every_job_spends_one_training_and_no_stretch_is_trained_twice(searched: Searched) -> None:
    spent = [sum(_length(one) for one in searched.segments if one["job"] == number) for number in range(TRIALS)]
    assert spent == [1] * TRIALS
    claims = [(one["training"], one["since"]) for one in searched.segments]
    assert len(set(claims)) == len(claims)
    assert len({one["training"] for one in searched.segments}) > TRIALS, "the steps of one training serve several"


def test_a_cancelled_job_goes_on_in_another(searched: Searched) -> None:
    (ended,) = [job for job in searched.jobs if job.number == searched.cancelled]
    assert ended.runs[-1].state == "CANCELLED"
    again = [job for job in searched.jobs if job.name == ended.name and job.number != ended.number]
    assert [job.runs[-1].state for job in again] == ["COMPLETED"]


def test_there_are_never_more_jobs_at_once_than_slots(searched: Searched) -> None:
    stays = [run for job in searched.jobs if job.rule == "job" for run in job.runs]
    assert max(sum(other.started <= run.started < other.ended for other in stays) for run in stays) <= SLOTS


def test_its_decisions_are_the_same_when_recomputed(searched: Searched) -> None:
    replay = searched.project.hakken("search", "replay", str(SWEEP))
    count = len(searched.segments)
    assert replay.returncode == 0, replay.stdout
    assert f"{count} of {count} proposals are the same when recomputed, 0 differ" in replay.stdout


def _length(segment: dict[str, Any]) -> Fraction:
    return Fraction(segment["until"]) - Fraction(segment["since"])
