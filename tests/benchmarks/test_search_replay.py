"""The replay of recorded trainings with and without rungs, on a recording that can be worked out by hand."""

from __future__ import annotations

import json
import subprocess
import sys
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from hakken.core.errors import HakkenError
from hakken.search.rungs import Rungs, Segment

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
SPACE = {"x": {"type": "real", "low": 0, "high": 1}}


def recorded(path: Path, count: int = 60, **changes: Any) -> Path:
    """Write a recording of trainings whose objective rises with x; a step takes a second."""
    trainings = [
        {"parameters": {"x": number / count}, "curve": [[1, number / 2, 1], [3, number, 3], [9, 2 * number, 9]]}
        for number in range(count)
    ]
    content = {"study": "made_up", "scale": "tiny", "steps": 9, "start_seconds": 0.5, "space": SPACE}
    path.write_text(json.dumps(content | {"trainings": trainings} | changes))
    return path


def test_objective_and_seconds_of_a_recorded_training(benchmark: Any, tmp_path: Path) -> None:
    recording = benchmark("search_replay").read_recording(recorded(tmp_path / "recorded.json"))
    third, ninth = Fraction(1, 3), Fraction(1, 9)
    assert [recording.objective(4, share) for share in (ninth, third, Fraction(1, 2), Fraction(1))] == [2, 4, 4, 8]
    odd = benchmark("search_replay").read_recording(
        recorded(
            tmp_path / "odd.json", trainings=[{"parameters": {"x": 0}, "curve": [[2, 1, 1], [10, 3, 9]]}], steps=10
        )
    )
    assert odd.objective(0, ninth) == 1, "a rung is the first step at or behind its share of them"
    assert recording.seconds(4, Fraction(0), ninth) == 1.5
    assert recording.seconds(4, third, Fraction(1)) == pytest.approx(6.5)
    assert recording.seconds(4, ninth, Fraction(2, 9)) == pytest.approx(1.5), "interpolated, and a start-up"


def test_without_rungs_each_job_is_a_full_training(benchmark: Any, tmp_path: Path) -> None:
    replay = benchmark("search_replay")
    recording = replay.read_recording(recorded(tmp_path / "recorded.json"))
    events = replay.Replay(recording, "random", 1).run(Rungs(()), jobs=5, slots=2)
    assert [event.segment for event in events] == [Segment(number, number, 0, 1) for number in range(5)]
    assert [event.seconds for event in events] == [9.5, 9.5, 19.0, 19.0, 28.5]
    assert [event.spent for event in events] == [1, 2, 3, 4, 5]
    assert replay.best_at(events, 2) == max(event.objective for event in events[:2])


def test_with_rungs_every_job_costs_the_same_and_the_best_go_on(benchmark: Any, tmp_path: Path) -> None:
    replay = benchmark("search_replay")
    recording = replay.read_recording(recorded(tmp_path / "recorded.json"))
    rungs = Rungs.of(["1/9", "1/3"])
    search = replay.Replay(recording, "random", 1)
    events = search.run(rungs, jobs=6, slots=2)
    segments = [event.segment for event in events]
    assert [rungs.spent(segments, job) for job in range(6)] == [1] * 6
    assert events[-1].spent == 6
    ends = [one.training for one in segments if one.until == rungs.end and one.since]
    begun = {one.training for one in segments}
    assert ends
    best = sorted(begun, key=lambda number: -search.taken[number])
    assert set(ends) <= set(best[: len(begun) // 2]), "those that go on have the largest x"
    assert replay.reached(events, 1e9) is None


def test_a_training_is_replayed_once_and_too_few_are_said(benchmark: Any, tmp_path: Path) -> None:
    replay = benchmark("search_replay")
    recording = replay.read_recording(recorded(tmp_path / "recorded.json", count=4))
    with pytest.raises(HakkenError, match="all 4 recorded trainings are taken; record more, or take fewer jobs"):
        replay.Replay(recording, "random", 1).run(Rungs(()), jobs=5, slots=1)


def test_a_failed_training_takes_its_budget_and_raises_nothing(benchmark: Any, tmp_path: Path) -> None:
    replay = benchmark("search_replay")
    failed = [{"parameters": {"x": number / 9}} for number in range(9)]
    recording = replay.read_recording(recorded(tmp_path / "recorded.json", trainings=failed))
    events = replay.Replay(recording, "random", 1).run(Rungs(()), jobs=2, slots=1)
    assert [(event.objective, event.spent) for event in events] == [(None, 1), (None, 2)]
    assert replay.best_at(events, 2) is None


def test_a_curve_that_does_not_come_to_its_end_is_named(benchmark: Any, tmp_path: Path) -> None:
    short = [{"parameters": {"x": 0.5}, "curve": [[1, 0.5, 1]]}]
    path = recorded(tmp_path / "recorded.json", trainings=short)
    with pytest.raises(HakkenError, match="training 0: the steps of its curve do not rise to 9; record it again"):
        benchmark("search_replay").read_recording(path)


def test_the_rank_correlation_by_hand_and_its_interval(benchmark: Any, tmp_path: Path) -> None:
    """Ranks at the first rung 1 2 4 3, at the end 1 2 3 4: 1 - 6 * 2 / (4 * 15) = 0.8; the first misses the second."""
    replay = benchmark("search_replay")
    curves = [[[3, 1, 1], [9, 1, 9]]] + [
        [[1, first, 1], [3, first, 3], [9, end, 9]] for first, end in ((2, 2), (4, 3), (3, 4))
    ]
    trainings = [{"parameters": {"x": number / 4}, "curve": curve} for number, curve in enumerate(curves)]
    recording = replay.read_recording(recorded(tmp_path / "recorded.json", trainings=trainings))
    rungs = Rungs.of(["1/9", "1/3"])
    for found in replay.agreement(recording, rungs):
        assert found.value == pytest.approx(0.8)
        assert -1 <= found.low < found.value < found.high <= 1
    for found in replay.agreement(recording, rungs, better_half=True):
        assert found.value == pytest.approx(-1)


def test_the_report_says_what_rungs_save(tmp_path: Path) -> None:
    path = recorded(tmp_path / "recorded.json")
    options = ["--jobs", "6", "--against", "12", "--slots", "2", "--seeds", "2", "--sampler", "random"]
    command = [sys.executable, str(BENCHMARKS / "search_replay.py"), str(path), *options]
    shown = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert "made_up, replayed: 60 recorded trainings, 2 jobs at once, 2 seeds, `random`." in shown
    assert "| 12 full trainings |" in shown
    assert "| 6 jobs with rungs at 1/9, 1/3 |" in shown
    assert "Rungs and end correlate by 1.00 [1.00, 1.00] and 1.00 [1.00, 1.00] over all recorded trainings." in shown
    assert "What the full trainings reach at last, the jobs with rungs reach in" in shown
