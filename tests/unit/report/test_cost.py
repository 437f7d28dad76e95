"""Costs are read from what every stage leaves beside its log."""

from __future__ import annotations

import json
from pathlib import Path

from hakken.report.cost import StageCost, read_costs


def write(folder: Path, job: str, seconds: float, cpu: float, peak: float) -> None:
    path = folder / f"{job}.cost.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"seconds": seconds, "cpu_seconds": cpu, "peak_mb": peak}))


def test_jobs_of_a_stage_are_gathered(tmp_path: Path) -> None:
    write(tmp_path, "trial/search-0000", 10, 18, 900.5)
    write(tmp_path, "trial/search-0001", 30, 50, 700)
    write(tmp_path, "trial/search-0002", 20, 22, 800)
    write(tmp_path, "check/train-000", 1.5, 1.25, 100)
    check, trial = read_costs(tmp_path)
    assert check == StageCost("check", (1.5,), (1.25,), 100.0)
    assert (trial.stage, trial.jobs, trial.peak_mb) == ("trial", 3, 900.5)
    assert (trial.typical_seconds, trial.typical_cpu_seconds) == (20.0, 22.0)


def test_jobs_that_only_logged_are_passed_over(tmp_path: Path) -> None:
    write(tmp_path, "trial/a", 10, 1, 1)
    (tmp_path / "trial" / "b.log").write_text("killed")
    (tmp_path / "empty").mkdir()
    (cost,) = read_costs(tmp_path)
    assert cost.jobs == 1


def test_without_logs_there_are_no_costs(tmp_path: Path) -> None:
    assert read_costs(tmp_path / "nowhere") == ()
