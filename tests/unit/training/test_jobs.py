from __future__ import annotations

import socket
from pathlib import Path

import pytest

from hakken.training.jobs import LOST, NUMBERS, Job, begin_job, end_job, read_jobs, were_killed, without_progress


@pytest.fixture(autouse=True)
def no_scheduler(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in NUMBERS:
        monkeypatch.delenv(name, raising=False)


def job(attempt: int, step: int, ended: str = LOST) -> Job:
    return Job(attempt, "2026-01-01T00:00:00+00:00", step, "node1", "17", ended)


def test_the_journal_of_a_chain_of_jobs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (first,) = begin_job(tmp_path, 1)
    assert (first.attempt, first.step, first.host, first.job, first.ended) == (1, 0, socket.gethostname(), "", "")
    end_job(tmp_path, "stopped at step 120 of 400: time limit")
    (tmp_path / "checkpoint-000000120.pt").touch()
    monkeypatch.setenv("SLURM_JOB_ID", "4711")
    jobs = begin_job(tmp_path, 2)
    assert [(one.attempt, one.step, one.job) for one in jobs] == [(1, 0, ""), (2, 120, "4711")]
    assert jobs[0].ended == "stopped at step 120 of 400: time limit"
    assert read_jobs(tmp_path) == jobs
    assert jobs[1].name == f"job 4711 on {socket.gethostname()}"


def test_a_job_that_said_nothing_was_killed(tmp_path: Path) -> None:
    begin_job(tmp_path, 1)
    assert begin_job(tmp_path, 2)[0].ended == LOST


def test_two_jobs_that_saved_nothing_are_enough() -> None:
    jobs = [job(1, 0), job(2, 40), job(3, 40), job(4, 40, "")]
    assert without_progress(jobs) == (
        "two jobs in a row saved nothing after step 40 "
        "(job 17 on node1: ended without a word; job 17 on node1: ended without a word)"
    )
    assert were_killed(jobs)


def test_an_error_is_told_from_a_kill() -> None:
    jobs = [job(1, 0, "OSError: disk full"), job(2, 0), job(3, 0, "")]
    assert "OSError: disk full" in without_progress(jobs)
    assert not were_killed(jobs)


@pytest.mark.parametrize(
    "jobs",
    [
        [job(1, 0)],
        [job(1, 0), job(2, 0)],
        [job(1, 0), job(2, 0), job(3, 40)],
        [job(1, 0), job(2, 40), job(3, 40)],
        [job(1, 0), job(2, 0), job(1, 0)],  # the workflow was started anew
        [job(1, 0), job(1, 0), job(2, 0)],
        [job(1, 2, "finished"), job(2, 2), job(3, 2, "")],
    ],
)
def test_progress_and_new_beginnings_are_no_reason_to_give_up(jobs: list[Job]) -> None:
    assert without_progress(jobs) == ""
