"""A run that is killed with SIGKILL, all its processes at once, goes on where it was."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from workflow_project import Project

RESULTS = Path("results/smoke/tiny")


def run_until(project: Project, reached: str, after: float, target: str, timeout: float = 240) -> None:
    """Run the workflow for a ``target`` until a file matches ``reached`` and ``after`` seconds more, and kill it."""
    process = subprocess.Popen(
        [sys.executable, "-m", "snakemake", "--cores", "2", target],
        cwd=project.folder,
        env=project.environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    deadline = time.monotonic() + timeout
    while process.poll() is None and time.monotonic() < deadline:
        if any(project.folder.glob(reached)):
            break
        time.sleep(0.05)
    time.sleep(after)
    assert process.poll() is None, "the run ended before it could be killed"
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()


@pytest.mark.parametrize(
    ("seed", "stage", "end"),
    [
        pytest.param(1, "prepared/*", "report.html", marks=pytest.mark.slow),
        pytest.param(2, "sweeps/*/trainings/*/*/*", "report.html", marks=pytest.mark.slow),
        (3, "sweeps/search/trials/000[12].json", "models/selected.json"),
    ],
)
def test_killed_and_started_again_it_completes(project: Project, seed: int, stage: str, end: str) -> None:
    after = np.random.default_rng(seed).uniform(0, 1)
    run_until(project, f"{RESULTS}/{stage}", after, f"{RESULTS}/{end}")
    trials = project.path(str(RESULTS / "sweeps"))
    finished_before = {path: path.read_bytes() for path in trials.glob("*/trials/*.json")}
    project.snakemake("--unlock")
    run = project.snakemake("--rerun-incomplete", f"{RESULTS}/{end}")
    assert run.returncode == 0, run.stdout[-6000:]
    assert project.path(str(RESULTS / end)).is_file()
    records = [json.loads(path.read_text()) for path in sorted(trials.glob("search/trials/*.json"))]
    assert [record["number"] for record in records] == [0, 1, 2, 3, 4]
    for path, content in finished_before.items():
        assert path.read_bytes() == content, "a finished trial was trained again"


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2])
def test_jobs_with_rungs_go_on_with_their_own_segments(project: Project, seed: int) -> None:
    study = project.path("config/studies/smoke.yaml")
    text = study.read_text()
    assert "  slots: 2\n" in text
    study.write_text(text.replace("  slots: 2\n", "  slots: 2\n  rungs: [1/9, 1/3]\n"))
    after = np.random.default_rng(seed).uniform(0, 2)
    run_until(project, f"{RESULTS}/sweeps/search/ledger/*/proposal-0003.json", after, f"{RESULTS}/models/selected.json")
    (ledger,) = project.path(str(RESULTS)).glob("sweeps/search/ledger/*")
    before = {path: path.read_bytes() for path in ledger.glob("[!.]*-*.json")}
    project.snakemake("--unlock")
    run = project.snakemake("--rerun-incomplete", f"{RESULTS}/models/selected.json")
    assert run.returncode == 0, run.stdout[-6000:]
    for path, content in before.items():
        assert path.read_bytes() == content, "what was published is changed"
    jobs = [json.loads(path.read_text()) for path in sorted(project.path(str(RESULTS)).glob("sweeps/search/jobs/*"))]
    segments = [one["segment"] for job in jobs for one in job["segments"]]
    assert len(jobs) == 5
    for number in range(5):
        own = [one for one in segments if one["job"] == number]
        assert sum(Fraction(one["until"]) - Fraction(one["since"]) for one in own) == 1
    claims = [(one["training"], one["since"]) for one in segments]
    assert len(set(claims)) == len(claims)
    replay = project.hakken("search", "replay", str(RESULTS / "sweeps/search"))
    assert replay.returncode == 0, replay.stdout
    count = len(segments)
    assert f"{count} of {count} proposals are the same when recomputed, 0 differ" in replay.stdout
