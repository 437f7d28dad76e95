from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from hakken.core.errors import HakkenError
from hakken.core.files import write_json
from hakken.report.scaling import read_scaling, write_scaling
from hakken.training.scaling import efficiency, speed


def record(processes: int, seconds: list[float], **changes: Any) -> dict[str, Any]:
    curve = [{"step": 10 * (n + 1), "loss": 1.0, "objective": 0.1 * (n + 1)} for n in range(len(seconds))]
    plain = {"processes": processes, "nodes": 1, "threads": 1, "device": "cpu", "host": "node1", "jobs": [{}]}
    rest = {"state": "complete", "curve": curve, "clock": seconds, "hyperparameters": {"batch_size": 16}}
    return plain | rest | changes


def table(folder: Path, *records: dict[str, Any]) -> Path:
    trials = {}
    for number, content in enumerate(records):
        trials[2**number] = folder / f"{number}.json"
        write_json(trials[2**number], content)
    write_scaling(folder / "scaling.csv", trials)
    return folder / "scaling.csv"


def test_speed_and_efficiency_of_the_same_work(tmp_path: Path) -> None:
    """480 patches in 24, 15 and 12 s: 1, 1.6 and 2 times as fast, with 1, 0.8 and 0.5 of what there could be."""
    times = ([8.0, 16.0, 24.0], [5.0, 10.0, 15.0], [4.0, 8.0, 12.0])
    found = read_scaling(table(tmp_path, *(record(2**n, seconds) for n, seconds in enumerate(times))))
    assert [one.processes for one in found] == [1, 2, 4]
    assert [one.patches for one in found] == [480, 480, 480]
    assert [one.throughput for one in found] == [20, 32, 40]
    assert [speed(one, found[0]) for one in found] == [1, 1.6, 2]
    assert [efficiency(one, found[0]) for one in found] == [1, 0.8, 0.5]
    assert found[1].seconds == (5, 10, 15)
    assert found[0].best == pytest.approx(0.3)


def test_what_ran_is_told_from_what_was_asked_for(tmp_path: Path) -> None:
    found = read_scaling(table(tmp_path, record(1, [9.0]), record(1, [9.0], jobs=[{}, {}])))
    assert [(one.processes, one.ran, one.jobs) for one in found] == [(1, 1, 1), (2, 1, 2)]


def test_a_failed_training_is_named(tmp_path: Path) -> None:
    failed = record(2, [], state="failed", reason="diverged", detail="the loss was nan at step 10")
    with pytest.raises(HakkenError) as error:
        table(tmp_path, record(1, [9.0]), failed)
    assert str(error.value) == (
        f"{tmp_path}/1.json: the training with 2 processes failed, diverged: the loss was nan at step 10"
    )
