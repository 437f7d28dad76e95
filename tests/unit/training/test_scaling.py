from __future__ import annotations

import pytest

from hakken.training.scaling import Scaled, efficiency, speed


def training(processes: int, *seconds: float) -> Scaled:
    objectives = (0.5, 0.75, 0.7)[: len(seconds)]
    return Scaled(processes, processes, 1, 2, "cpu", "host", 1, 12_000, seconds, objectives)


def test_speed_is_against_the_first_and_efficiency_against_its_processes() -> None:
    first, more = training(2, 20.0, 60.0), training(8, 10.0, 20.0)
    assert (first.total, first.throughput, first.best) == (60.0, 200.0, 0.75)
    assert speed(first, first) == efficiency(first, first) == 1
    assert speed(more, first) == 3
    assert efficiency(more, first) == pytest.approx(3 * 2 / 8)
