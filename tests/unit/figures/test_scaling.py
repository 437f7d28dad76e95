"""Trainings with several numbers of processes: speed and efficiency by hand, what ran beside what was asked for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from hakken.core.errors import HakkenError
from hakken.figures import scaling
from hakken.figures.scaling import COLUMNS, draw
from hakken.study import Study

from ..miniature import study
from .made import files, trial


def scaled(**more: Any) -> Study:
    return study(scaling={"processes": [1, 2, 4], "published": {64: 1.0, 240: 3.54}}, **more)


def record(folder: Path, asked: int, seconds: list[float], **changes: Any) -> Path:
    curve = [{"step": 10 * (n + 1), "loss": 1.0, "objective": 0.1 * (n + 1)} for n in range(len(seconds))]
    plain = {"processes": asked, "nodes": 1, "threads": 1, "device": "cpu", "host": "node1", "jobs": [{}]}
    rest = {"curve": curve, "clock": seconds, "all_parameters": {"batch_size": 16}}
    return trial(folder, 0, f"processes-{asked}", **plain | rest | changes)


TIMES = ([8.0, 16.0, 24.0], [5.0, 10.0, 15.0], [4.0, 8.0, 12.0])


def drawn(trials: list[Path], monkeypatch: pytest.MonkeyPatch, chosen: Study | None = None) -> Any:
    """What is handed to the drawing."""
    seen: list[Any] = []
    monkeypatch.setattr(scaling, "draw_scaling", seen.append)
    draw(chosen or scaled(), files(trials=trials))
    return seen[0]


def test_speed_and_efficiency_of_the_same_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """480 patches in 24, 15 and 12 s: 1, 1.6 and 2 times as fast, with 1, 0.8 and 0.5 of what there could be."""
    trials = [record(tmp_path, 2**n, seconds) for n, seconds in enumerate(TIMES)]
    drawing = draw(scaled(), files(trials=trials[::-1]))
    assert drawing.words == "1: 1.00 x, 100%, 2: 1.60 x, 80%, 4: 2.00 x, 50%"
    assert drawing.trials == {f"processes-{count}": [0] for count in (1, 2, 4)}
    found = drawn(trials, monkeypatch)
    assert [(one.processes, one.patches, one.throughput) for one in found.trainings] == [
        *((1, 480, 20), (2, 480, 32), (4, 480, 40)),
    ]
    assert (found.trainings[1].seconds, found.trainings[0].best) == ((5, 10, 15), pytest.approx(0.3))
    assert found.published == {64: 1.0, 240: 3.54}


def test_each_measurement_is_a_row(tmp_path: Path) -> None:
    trials = [record(tmp_path, 2**n, seconds) for n, seconds in enumerate(TIMES[:2])]
    table = draw(scaled(), files(trials=trials)).table
    rows = [dict(zip(COLUMNS, row, strict=True)) for row in table.rows]
    assert [(row["processes"], row["step"], row["seconds"], row["objective"]) for row in rows] == [
        *((1, 10, 8, 0.1), (1, 20, 16, 0.2), (1, 30, 24, pytest.approx(0.3))),
        *((2, 10, 5, 0.1), (2, 20, 10, 0.2), (2, 30, 15, pytest.approx(0.3))),
    ]


def test_what_ran_is_told_from_what_was_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trials = [record(tmp_path, 1, [9.0]), record(tmp_path, 2, [9.0], processes=1, jobs=[{}, {}])]
    found = drawn(trials, monkeypatch)
    assert [(one.processes, one.ran, one.jobs) for one in found.trainings] == [(1, 1, 1), (2, 1, 2)]
    assert found.notes == (
        "Fixed work: 160 patches, and 1 measurements on validation within the time. Each process takes mini-batches "
        "of 16; the learning rate grows with their number after a warm-up over 5 % of the steps.",
        "Measured on node1 (cpu); once each, so differences of a few per cent are chance.",
        "2 processes were asked for and 1 ran: there are no more GPUs or threads.",
        "The training with 2 processes took 2 jobs; waiting is not counted.",
    )


def test_a_failed_training_is_named(tmp_path: Path) -> None:
    failed = record(tmp_path, 2, [], state="failed", reason="diverged", detail="the loss was nan at step 10")
    with pytest.raises(HakkenError) as error:
        draw(scaled(), files(trials=[record(tmp_path, 1, [9.0]), failed]))
    assert str(error.value) == "the training `processes-2` failed, diverged: the loss was nan at step 10"


def test_a_study_that_scales_nothing_is_told() -> None:
    with pytest.raises(HakkenError, match="study `balls` has no section `scaling`; give it one"):
        draw(study(), files(trials=[]))
