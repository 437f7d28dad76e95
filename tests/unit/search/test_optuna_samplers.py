from __future__ import annotations

import json
import re
import sys
import warnings
from typing import Any

import numpy as np
import optuna
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hakken.core.errors import HakkenError
from hakken.search import Space, Trial, propose
from hakken.search.optuna_samplers import Kind, optuna_point

from .spaces import MIXED, mappings

SPACE = Space.from_mapping(MIXED)
KINDS: tuple[Kind, ...] = ("tpe", "gp")
STARTUP = 10  # random trials that Optuna's samplers begin with


def objective(parameters: Any) -> float:
    """Highest (0) at adam, 5 layers and a learning rate of 1e-3."""
    rate = np.log10(parameters["learning_rate"]) + 3
    return -float(rate**2 / 4 + (parameters["layers"] - 5) ** 2 / 9 + (parameters["optimizer"] != "adam"))


def ask(
    space: Space, trials: list[Trial], kind: Kind, *, number: int = 90, seed: int = 7, maximise: bool = True
) -> Any:
    seen = {space.key(trial.parameters) for trial in trials}
    return optuna_point(space, trials, kind=kind, number=number, seed=seed, maximise=maximise, seen=seen)


def history(finished: int, running: int = 0) -> list[Trial]:
    points = [propose(SPACE, [], number=number, seed=5, sampler="random") for number in range(finished + running)]
    done = [Trial(number, point, "complete", objective(point)) for number, point in enumerate(points[:finished])]
    return done + [Trial(finished + place, point, "running") for place, point in enumerate(points[finished:])]


def mixed_history() -> list[Trial]:
    """Two failed, one pruned and two running trials among eleven complete ones."""
    trials = history(14, 2)
    for number in (2, 7):
        trials[number] = Trial(number, trials[number].parameters, "failed")
    trials[4] = Trial(4, trials[4].parameters, "pruned", trials[4].value)
    return trials


@settings(max_examples=30)
@given(mappings(), st.integers(0, 2**31), st.data())
def test_proposals_are_valid_points_of_random_spaces(mapping: dict[str, Any], seed: int, data: st.DataObject) -> None:
    space = Space.from_mapping(mapping)
    outcomes = st.sampled_from(
        [("complete", 0.5), ("complete", -1e9), ("complete", float("nan")), ("failed", None), ("pruned", 0.1)]
    )
    trials = []
    for number in range(data.draw(st.integers(0, 16))):
        parameters = propose(space, [], number=number, seed=seed, sampler="random")
        state, value = data.draw(st.one_of(outcomes, outcomes, st.just(("running", None))))
        trials.append(Trial(number, parameters, state, value))  # type: ignore[arg-type]
    parameters = ask(space, trials, "tpe", seed=seed)
    space.check(parameters)
    assert list(parameters) == [name for name in mapping if name in parameters]
    assert json.loads(json.dumps(parameters)) == parameters
    assert {type(value) for value in parameters.values()} <= {bool, int, float, str}
    assert ask(space, data.draw(st.permutations(trials)), "tpe", seed=seed) == parameters
    grid = space.grid(64)
    tried = {space.key(trial.parameters) for trial in trials}
    if grid is None or len(tried) < len(grid):
        assert space.key(parameters) not in tried


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_history_gives_the_same_proposal_in_whatever_order(kind: Kind) -> None:
    trials = mixed_history()
    first = ask(SPACE, trials, kind)
    SPACE.check(first)
    assert {type(value) for value in first.values()} <= {bool, int, float, str}
    assert ask(SPACE, trials[::-1], kind) == first
    assert ask(SPACE, trials, kind, seed=8) != first
    assert ask(SPACE, trials, kind, number=91) != first


@pytest.mark.parametrize(("kind", "count"), [("tpe", 20), ("gp", 15)])  # a proposal of `gp` takes half a second
def test_the_samplers_learn_after_ten_results(kind: Kind, count: int) -> None:
    trials: list[Trial] = []
    for number in range(count):
        parameters = ask(SPACE, trials, kind, number=number)
        SPACE.check(parameters)
        trials.append(Trial(number, parameters, "complete", objective(parameters)))
    values = [objective(trial.parameters) for trial in trials]
    assert np.mean(values[STARTUP:]) > np.mean(values[:STARTUP])
    assert len({SPACE.key(trial.parameters) for trial in trials}) == count
    assert {"momentum" in trial.parameters for trial in trials} == {True, False}


@pytest.mark.parametrize("kind", KINDS)
def test_maximising_and_minimising_mirror_each_other(kind: Kind) -> None:
    trials = history(12)
    mirrored = [Trial(trial.number, trial.parameters, "complete", -(trial.value or 0.0)) for trial in trials]
    assert ask(SPACE, mirrored, kind, maximise=False) == ask(SPACE, trials, kind)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("maximise", [True, False])
def test_a_failed_trial_counts_as_the_worst_and_a_pruned_one_as_measured(kind: Kind, maximise: bool) -> None:
    trials = mixed_history()
    values = [trial.value for trial in trials if trial.value is not None]
    worst = min(values) if maximise else max(values)
    told = [
        trial if trial.pending else Trial(trial.number, trial.parameters, "complete", trial.value or worst)
        for trial in trials
    ]
    assert ask(SPACE, told, kind, maximise=maximise) == ask(SPACE, trials, kind, maximise=maximise)


@pytest.mark.parametrize("kind", KINDS)
def test_running_trials_are_kept_away_from(kind: Kind) -> None:
    space = Space.from_mapping({"x": {"type": "real", "low": 0, "high": 1}})
    trials = [Trial(place, {"x": place / 13}, "complete", -abs(place / 13 - 0.6)) for place in range(14)]
    alone = [ask(space, trials, kind, number=20 + place)["x"] for place in range(8)]
    running = [Trial(14 + place, {"x": x}, "running") for place, x in enumerate(alone)]
    beside = [ask(space, [*trials, *running], kind, number=20 + place)["x"] for place in range(8)]
    assert np.abs(np.subtract.outer(beside, alone)).min(axis=1).mean() > 0.5 * np.std(alone) > 0


@pytest.mark.parametrize("kind", KINDS)
def test_a_finite_space_is_used_up_before_anything_repeats(kind: Kind) -> None:
    space = Space.from_mapping(
        {
            "layers": {"type": "integer", "low": 1, "high": 4},
            "units": {"type": "integer", "low": 1, "high": 4, "when": {"layers": [2, 3, 4]}},
        }
    )
    trials: list[Trial] = []
    for number in range(15):
        parameters = ask(space, trials, kind, number=number)
        space.check(parameters)
        trials.append(Trial(number, parameters, "complete", float(sum(parameters.values()))))
    assert len({space.key(trial.parameters) for trial in trials[:13]}) == 13


@pytest.mark.parametrize("kind", KINDS)
def test_choices_keep_their_types(kind: Kind) -> None:
    space = Space.from_mapping({"x": {"type": "categorical", "choices": [True, 1, 1.5, "1"]}})
    trials: list[Trial] = []
    for number in range(4):
        trials.append(Trial(number, ask(space, trials, kind, number=number), "complete", 0.0))
    values = [(type(trial.parameters["x"]).__name__, str(trial.parameters["x"])) for trial in trials]
    assert sorted(values) == [("bool", "True"), ("float", "1.5"), ("int", "1"), ("str", "1")]


@pytest.mark.parametrize("kind", KINDS)
def test_a_sweep_in_which_all_fails_goes_on_at_random(kind: Kind) -> None:
    failed = [Trial(trial.number, trial.parameters, "failed") for trial in history(12)]
    SPACE.check(ask(SPACE, failed, kind))
    assert ask(SPACE, failed, kind) == ask(SPACE, [], kind)


@pytest.mark.parametrize("kind", KINDS)
def test_a_rounded_bound_and_a_fixed_parameter_are_no_obstacle(kind: Kind) -> None:
    space = Space.from_mapping(
        {"x": {"type": "real", "low": 0.1, "high": 0.3}, "y": {"type": "real", "low": 2, "high": 2}}
    )
    trials = [Trial(place, {"x": 0.1 + place / 60, "y": 2.0}, "complete", place / 60) for place in range(12)]
    trials.append(Trial(12, {"x": 0.3 * (1 + 1e-10), "y": 2.0}, "complete", 0.2))
    space.check(ask(space, trials, kind))


@pytest.mark.parametrize("kind", KINDS)
def test_optuna_says_nothing_and_stays_as_it_was(kind: Kind, capfd: pytest.CaptureFixture[str]) -> None:
    before = optuna.logging.get_verbosity()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ask(SPACE, mixed_history(), kind)
    assert capfd.readouterr() == ("", "")
    assert optuna.logging.get_verbosity() == before


@pytest.mark.parametrize("kind", KINDS)
def test_a_missing_optuna_names_what_to_install(kind: Kind, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "optuna", None)
    message = f"sampler `optuna-{kind}` needs Optuna, which is not installed: pip install 'hakken[optuna]'"
    with pytest.raises(HakkenError, match=re.escape(message)):
        ask(SPACE, history(3), kind)
