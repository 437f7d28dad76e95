"""What an earlier run has cost."""

from __future__ import annotations

import json
from pathlib import Path

from hakken.report.cost import StageCost
from hakken.report.earlier import earlier_costs, earlier_run, longest_training


def test_only_a_run_of_the_same_study_at_the_same_scale_tells_anything(tmp_path: Path) -> None:
    for name in ("b/paper", "b/tiny", "a/small"):
        (tmp_path / name / "logs").mkdir(parents=True)
        assert earlier_run(tmp_path, "a", "tiny") is None
    (tmp_path / "a/tiny/logs").mkdir(parents=True)
    assert earlier_run(tmp_path, "a", "tiny") == tmp_path / "a" / "tiny"


def test_costs_of_an_earlier_run(tmp_path: Path) -> None:
    for number, seconds in enumerate((100.0, 300.0)):
        path = tmp_path / "sweeps" / "search" / "trials" / f"{number:04d}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps({"gpu_seconds": seconds}))
    (tmp_path / "logs" / "trial").mkdir(parents=True)
    (tmp_path / "logs" / "trial" / "a.cost.json").write_text('{"seconds": 5, "cpu_seconds": 9, "peak_mb": 100}')
    costs, gpu_seconds = earlier_costs(tmp_path)
    assert costs == (StageCost("trial", (5.0,), (9.0,), 100.0),)
    assert gpu_seconds == 200.0
    assert earlier_costs(tmp_path / "nowhere") == ((), None)


def test_a_run_without_a_gpu_tells_nothing_of_gpu_hours(tmp_path: Path) -> None:
    path = tmp_path / "sweeps" / "search" / "trials" / "0000.json"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps({"gpu_seconds": 0.0}))
    assert earlier_costs(tmp_path) == ((), None)


def test_the_longest_training(tmp_path: Path) -> None:
    assert longest_training(tmp_path) is None
    for sweep, seconds in (("search", 10.0), ("default", 12.5), ("variants", None)):
        path = tmp_path / "sweeps" / sweep / "trials" / "0000.json"
        path.parent.mkdir(parents=True)
        path.write_text(json.dumps({"gpu_seconds": 0.0} | ({"seconds": seconds} if seconds else {})))
    assert longest_training(tmp_path) == 12.5
