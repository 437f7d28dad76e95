"""A run that is killed with SIGKILL, all its processes at once, goes on where it was."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
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
