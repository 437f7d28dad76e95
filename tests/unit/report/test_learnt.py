from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from hakken.report.learnt import border, importance, position
from hakken.study import Parameter

SPACE = {
    "learning_rate": Parameter(type="real", low=1e-5, high=1e-1, scale="log"),
    "dropout": Parameter(type="real", low=0, high=1),
    "convolutions": Parameter(type="integer", low=2, high=6),
    "kernel": Parameter(type="categorical", choices=(3, 5)),
}


@pytest.mark.parametrize(
    ("name", "value", "place"),
    [
        ("learning_rate", 1e-3, 0.5),
        ("dropout", 0.25, 0.25),
        ("convolutions", 3, 0.25),
        ("kernel", 5, 1.0),
        ("kernel", None, -0.5),
        ("dropout", None, -0.5),
    ],
)
def test_the_position_is_that_on_the_searched_scale(name: str, value: Any, place: float) -> None:
    assert position(SPACE[name], value) == pytest.approx(place)


@pytest.mark.parametrize(
    ("name", "value", "end"),
    [
        ("learning_rate", 1.1e-5, "lowest"),
        ("learning_rate", 9.9e-2, "highest"),
        ("learning_rate", 2e-5, None),
        ("convolutions", 2, "lowest"),
        ("convolutions", 6, "highest"),
        ("convolutions", 5, None),
        ("kernel", 5, None),
        ("dropout", None, None),
    ],
)
def test_a_best_value_at_the_end_of_its_range_is_told(name: str, value: Any, end: str | None) -> None:
    assert border(SPACE[name], value) == end


def trials(count: int) -> tuple[list[dict[str, Any]], list[float]]:
    rng = np.random.default_rng(0)
    settings = [
        {
            "learning_rate": float(10 ** rng.uniform(-5, -1)),
            "dropout": float(rng.random()),
            "convolutions": int(rng.integers(2, 7)),
            "kernel": int(rng.choice([3, 5])),
        }
        for _ in range(count)
    ]
    return settings, [-abs(math.log10(setting["learning_rate"]) + 3) for setting in settings]


def test_the_parameter_that_matters_is_found_and_the_others_are_not() -> None:
    found = importance(SPACE, *trials(40), seed=1)
    assert found is not None
    assert found.r2 > 0.5
    assert found.low["learning_rate"] > 0.5
    assert all(abs(found.value[name]) < 0.1 for name in ("dropout", "convolutions", "kernel"))


def test_the_same_seed_gives_the_same_importance() -> None:
    assert importance(SPACE, *trials(12), seed=1) == importance(SPACE, *trials(12), seed=1)


def test_noise_has_no_predictive_value() -> None:
    settings, _ = trials(20)
    found = importance(SPACE, settings, np.random.default_rng(3).random(20).tolist(), seed=1)
    assert found is not None
    assert found.r2 < 0.1


def test_few_or_equal_trials_are_not_modelled() -> None:
    settings, objectives = trials(8)
    assert importance(SPACE, settings[:5], objectives[:5], seed=1) is None
    assert importance(SPACE, settings, [0.5] * 8, seed=1) is None
