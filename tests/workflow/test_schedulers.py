"""The profiles of PBS and PJM, on a stand-in that answers in the documented formats."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path

import pytest
from workflow_project import ROOT, Project, new_project

STAND_IN = Path(__file__).parent / "schedulers" / "scheduler.py"
COMMANDS = ("qsub", "qstat", "qdel", "pjsub", "pjstat", "pjdel")
TABLE = "results/smoke_numbers/tiny/sweeps/search/trials.csv"


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The stand-in's folder; its commands are found before any other."""
    commands, folder = tmp_path / "commands", tmp_path / "state"
    commands.mkdir()
    folder.mkdir()
    for name in COMMANDS:
        (commands / name).symlink_to(STAND_IN)
    monkeypatch.setenv("PATH", f"{commands}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("STAND_IN_SCHEDULER", str(folder))
    return folder


def run(profile: str, script: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    path = ROOT / "profiles" / profile / script
    return subprocess.run([str(path), *arguments], capture_output=True, text=True, check=False)


def wait_for(path: Path) -> None:
    for _ in range(200):
        if path.exists() and path.read_text():
            return
        subprocess.run(["/bin/sleep", "0.05"], check=True)
    raise AssertionError(f"{path} never came")


@pytest.fixture
def job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A job script that ends with the status that stands in a file beside it."""
    monkeypatch.chdir(tmp_path)
    script = tmp_path / "job.sh"
    script.write_text(f"exit $(cat {tmp_path}/status)\n")
    (tmp_path / "status").write_text("0")
    return script


PBS = ("trial", "1", "16000", "750", "4", "workq", "gpuq")
PJM = ("trial", "1", "750", "4", "short", "share", "my_group")


def test_pbs_gets_a_gpu_where_a_rule_asks_for_one(state: Path, job: Path) -> None:
    assert run("pbs", "submit", *PBS, "none", str(job)).stdout == "1.server\n"
    assert json.loads((state / "1.job").read_text()) == [
        *("-N", "hakken-trial", "-q", "gpuq", "-l", "select=1:ncpus=4:mem=16000mb:ngpus=1"),
        *("-l", "walltime=12:30:00", "-j", "oe", "-o", "results/logs/pbs/", str(job)),
    ]
    assert run("pbs", "submit", "check", "0", "500", "9", "1", "workq", "gpuq", "mine", str(job)).stdout == "2.server\n"
    words = json.loads((state / "2.job").read_text())
    assert words[:8] == ["-N", "hakken-check", "-q", "workq", "-P", "mine", "-l", "select=1:ncpus=1:mem=500mb"]
    assert "walltime=00:09:00" in words


def test_pjm_gets_a_gpu_where_a_rule_asks_for_one(state: Path, job: Path) -> None:
    assert run("pjm", "submit", *PJM, str(job)).stdout == "1\n"
    assert json.loads((state / "1.job").read_text()) == [
        *("-g", "my_group", "-N", "hakken-trial", "-L", "rscgrp=share", "-L", "gpu=1", "-L", "elapse=12:30:00"),
        *("--omp", "thread=4", "-j", "-o", "results/logs/pjm/%j.txt", str(job)),
    ]
    run("pjm", "submit", "check", "0", "9", "1", "short", "share", "my_group", str(job))
    words = json.loads((state / "2.job").read_text())
    assert words[4:10] == ["-L", "rscgrp=short", "-L", "node=1", "-L", "elapse=00:09:00"]


@pytest.mark.parametrize("profile", ["pbs", "pjm"])
@pytest.mark.parametrize(("code", "word"), [("0", "success"), ("1", "failed"), ("75", "failed")])
def test_a_job_that_has_ended(profile: str, code: str, word: str, state: Path, job: Path) -> None:
    (job.parent / "status").write_text(code)
    submitted = run(
        profile, "submit", *(PBS if profile == "pbs" else PJM), *(["none"] if profile == "pbs" else []), str(job)
    )
    wait_for(state / "1.exit")
    assert run(profile, "status", submitted.stdout.strip()).stdout == f"{word}\n"


@pytest.mark.parametrize("profile", ["pbs", "pjm"])
def test_a_job_that_runs_and_is_cancelled(profile: str, state: Path, job: Path) -> None:
    job.write_text("sleep 60\n")
    given = (*PBS, "none") if profile == "pbs" else PJM
    number = run(profile, "submit", *given, str(job)).stdout.strip()
    assert run(profile, "status", number).stdout == "running\n"
    assert run(profile, "cancel", number).returncode == 0
    assert run(profile, "status", number).stdout == "failed\n"
    assert (state / "1.exit").read_text() == "137"


def test_a_job_that_pbs_does_not_know_any_more_failed(state: Path) -> None:
    assert run("pbs", "status", "99.server").stdout == "failed\n"


@pytest.mark.parametrize("profile", ["pbs", "pjm"])
def test_a_scheduler_that_does_not_answer_is_asked_again(
    profile: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("qstat", "pjstat"):
        (tmp_path / name).write_text("#!/bin/sh\necho 'cannot connect to server' >&2\nexit 1\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    answer = run(profile, "status", "1.server")
    assert (answer.stdout, answer.returncode) == ("running\n", 0)


def test_a_refused_job_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, job: Path) -> None:
    (tmp_path / "pjsub").write_text("#!/bin/sh\necho '[ERR.] PJM 0054 pjsub Unknown resource group.'\nexit 1\n")
    (tmp_path / "pjsub").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    refused = run("pjm", "submit", *PJM, str(job))
    assert (refused.returncode, refused.stdout) == (1, "")
    assert "Unknown resource group" in refused.stderr


def submitted(state: Path) -> dict[str, list[list[str]]]:
    """The words of every submitted job, by rule."""
    jobs: dict[str, list[list[str]]] = {}
    for path in state.glob("*.job"):
        words = json.loads(path.read_text())
        name = next(word for word in words if word.startswith("hakken-"))
        jobs.setdefault(name.removeprefix("hakken-"), []).append(words)
    return jobs


@pytest.mark.parametrize(("profile", "gpu"), [("pbs", "ngpus=1"), pytest.param("pjm", "gpu=1", marks=pytest.mark.slow)])
def test_a_sweep_through_the_scheduler(profile: str, gpu: str, state: Path, tmp_path: Path) -> None:
    project: Project = new_project(tmp_path / "project", "studies: {smoke_numbers: tiny}\ncases_per_job: 8\n")
    fast = ("--latency-wait", "10", "--max-status-checks-per-second", "10", "--seconds-between-status-checks", "1")
    found = project.snakemake("--profile", f"profiles/{profile}", "--jobs", "3", "--retries", "0", *fast, TABLE)
    assert found.returncode == 0, found.stdout[-3000:]
    assert project.path(TABLE).read_text().count("\n") > 2
    for rule, jobs in submitted(state).items():
        for words in jobs:
            assert any(gpu in word for word in words) == (rule == "trial"), (rule, words)
    assert set(submitted(state)) == {"phantom_table", "phantom", "check", "separate", "trial", "sweep_table"}


def test_the_jobs_of_a_cluster_plan_the_batches_of_the_profile(state: Path, tmp_path: Path) -> None:
    project = new_project(tmp_path / "project")
    profile = project.path("profiles/pjm/profile.v9+.yaml")
    profile.write_text(re.sub(r"cases_per_job: \d+", "cases_per_job: 2", profile.read_text()))
    fast = ("--latency-wait", "10", "--max-status-checks-per-second", "10", "--seconds-between-status-checks", "1")
    target = "results/smoke/tiny/checked/development.json"
    found = project.snakemake("--profile", "profiles/pjm", "--jobs", "3", "--retries", "0", *fast, target)
    assert found.returncode == 0, found.stdout[-3000:]
    jobs = {rule: len(words) for rule, words in submitted(state).items()}
    assert jobs == {"phantom_table": 1, "phantom": 3, "check": 3, "separate": 1}  # 3 and 2 cases, 2 a job
    checked = [json.loads(path.read_text()) for path in project.path("results/smoke/tiny/checked").glob("*-0*.json")]
    assert sorted(len(one["cases"]) for one in checked) == [1, 2, 2]
