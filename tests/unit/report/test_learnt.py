from __future__ import annotations

import math
from dataclasses import replace
from fractions import Fraction
from functools import cache

import numpy as np
import pytest

from hakken.report.figure import Machine, SegmentRecord, TrialRecord
from hakken.report.learnt import Learnt, border, comparable, cross_validated, learn, reading
from hakken.search import Space, Trial
from hakken.search.effects import Shares
from hakken.search.trial import State, Value

FIT = "Left-out trainings predicted from the others: R² ="
SPACE = Space.from_mapping(
    {
        "learning_rate": {"type": "real", "low": 1e-5, "high": 1e-1, "scale": "log"},
        "dropout": {"type": "real", "low": 0, "high": 1},
        "convolutions": {"type": "integer", "low": 2, "high": 6},
        "kernel": {"type": "categorical", "choices": [3, 5]},
    }
)


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
    ],
)
def test_a_best_value_at_the_end_of_its_range_is_told(name: str, value: Value, end: str | None) -> None:
    assert border(SPACE[name], value) == end


def test_a_range_of_one_value_has_no_border() -> None:
    space = Space.from_mapping({"units": {"type": "integer", "low": 3, "high": 3}})
    assert border(space["units"], 3) is None


def trials(count: int, noise: float = 0.0) -> list[Trial]:
    """Trials whose objective falls with the distance of the learning rate from 1e-3, in powers of ten."""
    rng = np.random.default_rng(0)
    settings: list[dict[str, Value]] = [
        {
            "learning_rate": float(10 ** rng.uniform(-5, -1)),
            "dropout": float(rng.random()),
            "convolutions": int(rng.integers(2, 7)),
            "kernel": int(rng.choice([3, 5])),
        }
        for _ in range(count)
    ]
    return [
        Trial(number, setting, "complete", value if noise == 0 else noise * float(rng.standard_normal()))
        for number, setting in enumerate(settings)
        for value in [-abs(math.log10(float(setting["learning_rate"])) + 3)]
    ]


@cache
def of_forty() -> Learnt | None:
    return learn(SPACE, trials(40), curves=2, seed=1)


def test_the_parameter_that_matters_is_found_and_the_others_are_not() -> None:
    found = of_forty()
    assert found is not None
    assert found.useful
    assert found.shares.ranking[0] == "learning_rate"
    assert found.shares.first["learning_rate"] > 0.9
    assert all(found.shares.total[name] < 0.1 for name in ("dropout", "convolutions", "kernel"))


def test_the_curve_of_the_parameter_that_matters_is_in_units_of_the_objective() -> None:
    found = of_forty()
    assert found is not None
    assert len(found.curves) == 2
    curve = found.curves["learning_rate"]
    middle, ends = curve.mean[len(curve.mean) // 2], curve.mean[[0, -1]]
    assert middle == pytest.approx(0, abs=0.4)
    assert ends == pytest.approx(-2, abs=0.5)
    assert np.all(curve.deviation > 0)


def test_the_same_trials_and_seed_give_the_same_answer() -> None:
    one, other = (learn(SPACE, trials(12), curves=1, seed=1) for _ in range(2))
    assert one is not None
    assert other is not None
    assert (one.shares, one.r2) == (other.shares, other.r2)


def test_of_noise_nothing_is_learnt() -> None:
    found = learn(SPACE, trials(25, noise=1.0), curves=1, seed=1)
    assert found is None or not found.useful


def test_left_out_trials_are_predicted_where_there_is_something_to_learn() -> None:
    found = of_forty()
    assert found is not None
    assert found.r2 > 0.8
    assert cross_validated(SPACE, trials(40, noise=1.0)) < 0.1


def test_few_or_equal_trials_are_not_modelled() -> None:
    assert learn(SPACE, trials(5), curves=1, seed=1) is None
    assert learn(SPACE, [replace(trial, value=0.5) for trial in trials(8)], curves=1, seed=1) is None
    failed = [Trial(trial.number, trial.parameters, "failed") for trial in trials(8)]
    assert learn(SPACE, [*trials(5), *failed], curves=1, seed=1) is None
    assert learn(Space.from_mapping({}), [Trial(n, {}, "complete", n / 10) for n in range(8)], curves=1, seed=1) is None


@pytest.mark.parametrize(
    ("measured", "r2", "words"),
    [
        (4, None, "4 trainings with an objective: at least 6 that differ are needed to model it."),
        (40, -0.2, f"{FIT} -0.20, too little for a ranking (0: no better than their mean)."),
        (19, 0.5, f"{FIT} 0.50, uncertain with 19 trainings for 4 parameters."),
        (20, 0.5, f"{FIT} 0.50."),
    ],
)
def test_the_reading_says_how_far_to_trust_the_model(measured: int, r2: float | None, words: str) -> None:
    learnt = None if r2 is None else Learnt(Shares({}, {}), {}, r2)
    assert reading(measured, 4, learnt) == words


def record(number: int, state: State, **by_rung: float) -> TrialRecord:
    """A training that pauses, with its objectives at `r1`, `r2` and `end`."""
    names = {"r1": "1/9", "r2": "1/3", "end": "1"}
    told = {names[name]: value for name, value in by_rung.items()}
    machine, value = Machine("node", "cpu", 1), list(told.values())[-1] if told else None
    first = SegmentRecord(number, 0, Fraction(0), Fraction(1, 9), state, value, 0.0, 1.0, machine)
    return TrialRecord(
        "search", number, {"x": number}, state, value, 0.0, 1.0, 0.0, machine, segments=(first,), by_rung=told
    )


def test_what_paused_below_the_last_rung_cannot_be_compared() -> None:
    records = [
        record(0, "complete", r1=0.1, r2=0.4, end=0.6),
        record(1, "complete", r1=0.1, r2=0.5, end=0.6),
        record(2, "paused", r1=0.2, r2=0.3),
        record(3, "paused", r1=0.3),
        record(4, "failed"),
    ]
    found = comparable(["1/9", "1/3"], records)
    assert found == [
        Trial(0, {"x": 0}, "complete", 0.6),
        Trial(1, {"x": 1}, "complete", 0.6),
        Trial(2, {"x": 2}, "paused", pytest.approx(0.3 + 0.15)),
        Trial(4, {"x": 4}, "failed"),
    ]
    whole = replace(records[0], segments=(), by_rung={})
    assert comparable([], [whole]) == [whole.trial]
