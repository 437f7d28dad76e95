"""What a search begins with: the study's own parameters, and those of a related study fitted into its space."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from hakken.core.console import console
from hakken.core.errors import HakkenError
from hakken.core.tables import write_table
from hakken.runs.warm_start import SourceTrial, best_points, own_point, prior_trials, read_source
from hakken.search import Space, Trial
from hakken.search.table import AT_RUNGS, sweep_table

SPACE = Space.from_mapping(
    {
        "dropout": {"type": "real", "low": 0.1, "high": 0.5},
        "convolutions": {"type": "integer", "low": 2, "high": 4},
        "batch_norm": {"type": "categorical", "choices": [True, False]},
        "kernel": {"type": "categorical", "choices": [3, 5]},
        "dense_layers": {"type": "integer", "low": 0, "high": 2},
        "dense_units": {"type": "integer", "low": 8, "high": 64, "when": {"dense_layers": [1, 2]}},
    }
)
DEFAULTS: dict[str, Any] = {
    "dropout": 0.2,
    "convolutions": 3,
    "batch_norm": True,
    "kernel": 3,
    "dense_layers": 1,
    "dense_units": 32,
    "growth": 2.0,
}
POINT = {"dropout": 0.3, "convolutions": 2, "batch_norm": False, "kernel": 5, "dense_layers": 0}


def source(number: int, objective: float | None, **parameters: Any) -> SourceTrial:
    return SourceTrial(number, "failed" if objective is None else "complete", objective, POINT | parameters)


def test_the_study_s_own_parameters_are_a_point_without_what_is_inactive() -> None:
    assert own_point(SPACE, DEFAULTS) == {name: DEFAULTS[name] for name in SPACE.by_name}
    without = own_point(SPACE, DEFAULTS | {"dense_layers": 0})
    assert without is not None
    assert list(without) == ["dropout", "convolutions", "batch_norm", "kernel", "dense_layers"]


def test_what_is_no_point_of_the_space_is_not_tried_first_and_the_log_says_why(tmp_path: Path) -> None:
    with console("test", tmp_path / "log", quiet=True):
        assert own_point(SPACE, DEFAULTS | {"dropout": 0.05}) is None
    assert (
        "the study's own parameters are not tried first, for they are no point of the space: parameters: `dropout` = "
        "0.05 is not a real number from 0.1 to 0.5"
    ) in (tmp_path / "log").read_text()


def test_a_table_is_read_as_it_was_written(tmp_path: Path) -> None:
    records = [
        {"number": 1, "state": "failed", "objective": None, "reason": "diverged", "parameters": POINT},
        {"number": 0, "state": "complete", "objective": 0.1 + 0.2, "parameters": POINT | {"dropout": 1e-7}},
    ]
    table = tmp_path / "trials.csv"
    write_table(table, *sweep_table(records, [*POINT, "dense_units"]))
    assert read_source(table) == (
        SourceTrial(0, "complete", 0.1 + 0.2, POINT | {"dropout": 1e-7}),
        SourceTrial(1, "failed", None, POINT),
    )


@pytest.mark.parametrize(
    "text",
    ["number,state,objective\n0,done,0.1\n", "number,state,objective\n0,complete,nan\n"],
)
def test_a_line_that_is_no_trial_is_named(text: str, tmp_path: Path) -> None:
    table = tmp_path / "trials.csv"
    table.write_text(text)
    with pytest.raises(HakkenError, match=r"trials\.csv: line 2 is no trial; delete the table to have it made again"):
        read_source(table)


def test_what_pauses_at_a_rung_is_no_result_to_begin_with(tmp_path: Path) -> None:
    records = [
        {"number": 0, "state": "complete", "objective": 0.5, "parameters": POINT, "rung": "1", "segments": [{}, {}]},
        {"number": 1, "state": "paused", "objective": 0.9, "parameters": POINT, "rung": "1/9", "segments": [{}]},
    ]
    write_table(tmp_path / "trials.csv", *sweep_table(records, list(POINT), AT_RUNGS))
    read = read_source(tmp_path / "trials.csv")
    assert [(trial.state, trial.parameters) for trial in read] == [("complete", POINT), ("paused", POINT)]
    assert [trial.number for trial in prior_trials(read, SPACE, DEFAULTS)] == [0]
    assert len(best_points(read, SPACE, DEFAULTS, top=2)) == 1


def test_a_table_without_a_column_is_told(tmp_path: Path) -> None:
    table = tmp_path / "trials.csv"
    table.write_text("number,state\n0,complete\n")
    with pytest.raises(HakkenError, match=r"trials\.csv: column objective is missing; the table needs state, number, "):
        read_source(table)


@pytest.mark.parametrize("rows", ["", "0,failed,\n", "0,pruned,0.3\n"])
def test_a_table_without_a_complete_trial_is_nothing_to_start_from(rows: str, tmp_path: Path) -> None:
    table = tmp_path / "trials.csv"
    table.write_text(f"number,state,objective\n{rows}")
    with pytest.raises(HakkenError) as caught:
        read_source(table)
    assert (
        str(caught.value) == f"{table}: no trial of it is complete; train more there, or remove search.warm_start here"
    )


def test_the_best_come_first_and_no_point_twice() -> None:
    trials = [
        source(0, 0.2),
        source(1, None, dropout=0.4),
        source(2, 0.7, convolutions=3),
        source(3, 0.5, convolutions=9),
        source(4, 0.5, convolutions=4),
        source(5, 0.1, kernel=3),
    ]
    points = best_points(trials, SPACE, DEFAULTS, 3)
    assert points == [POINT | {"convolutions": 3}, POINT | {"convolutions": 4}, POINT]
    assert best_points(trials, SPACE, DEFAULTS, 1) == points[:1]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"dropout": 0.9, "convolutions": 1}, POINT | {"dropout": 0.5, "convolutions": 2}),
        ({"convolutions": 2.6}, POINT | {"convolutions": 3}),
        ({"growth": 1.5}, POINT),
        ({"dense_units": 16}, POINT),
        ({"dense_layers": 1}, POINT | {"dense_layers": 1, "dense_units": 32}),
        ({"dense_layers": 7, "dense_units": 200}, POINT | {"dense_layers": 2, "dense_units": 64}),
    ],
)
def test_a_point_of_another_space_is_fitted_into_this_one(given: dict[str, Any], expected: dict[str, Any]) -> None:
    assert best_points([source(0, 0.5, **given)], SPACE, DEFAULTS, 1) == [expected]


def test_what_was_not_searched_there_takes_the_study_s_own_value() -> None:
    trial = SourceTrial(0, "complete", 0.5, {"dropout": 0.3})
    assert best_points([trial], SPACE, DEFAULTS, 1) == [
        {name: DEFAULTS[name] for name in SPACE.by_name} | {"dropout": 0.3}
    ]


def test_a_choice_that_there_is_not_leaves_the_trial_out_and_the_log_says_so(tmp_path: Path) -> None:
    trials = [source(0, 0.9, kernel=7), source(1, 0.5)]
    with console("test", tmp_path / "log", quiet=True):
        assert best_points(trials, SPACE, DEFAULTS, 2) == [POINT]
    shown = (tmp_path / "log").read_text()
    assert "trial 0 of the related study is left out: parameters: `kernel` is missing; it must be one of 3, 5" in shown


def test_as_prior_all_finished_trials_count_the_failed_too() -> None:
    trials = [source(0, 0.9, dropout=0.9), source(1, None), source(2, 0.5, kernel=7)]
    assert prior_trials(trials, SPACE, DEFAULTS) == [
        Trial(0, POINT | {"dropout": 0.5}, "complete", 0.9),
        Trial(1, POINT, "failed", None),
    ]
