from __future__ import annotations

import json
import re
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hakken.core.errors import HakkenError
from hakken.search import SAMPLERS, Space, Trial, propose, samplers

from .spaces import MIXED, mappings

SPACE = Space.from_mapping(MIXED)


def objective(parameters: Any) -> float:
    """Highest (0) at adam, 5 layers and a learning rate of 1e-3."""
    rate = np.log10(parameters["learning_rate"]) + 3
    return -float(rate**2 / 4 + (parameters["layers"] - 5) ** 2 / 9 + (parameters["optimizer"] != "adam"))


def history(finished: int, running: int = 0, space: Space = SPACE) -> list[Trial]:
    trials = []
    for number in range(finished + running):
        parameters = propose(space, [], number=number, seed=5, sampler="random")
        done = number < finished
        trials.append(
            Trial(
                number,
                parameters,
                "complete" if done else "running",
                objective(parameters) if done else None,
            )
        )
    return trials


def sweep(space: Space, count: int, sampler: str, seed: int = 1) -> list[dict[str, Any]]:
    trials: list[Trial] = []
    for number in range(count):
        parameters = propose(space, trials, number=number, seed=seed, sampler=sampler)
        trials.append(Trial(number, parameters, "complete", float(number % 3)))
    return [dict(trial.parameters) for trial in trials]


@settings(max_examples=40, deadline=None)
@given(mappings(), st.integers(0, 2**31), st.sampled_from(SAMPLERS), st.data())
def test_proposals_are_valid_points_of_random_spaces(
    mapping: dict[str, Any], seed: int, sampler: str, data: st.DataObject
) -> None:
    space = Space.from_mapping(mapping)
    outcomes = st.sampled_from([("complete", 0.5), ("complete", -1e9), ("complete", float("nan")), ("failed", None)])
    trials = []
    for number in range(data.draw(st.integers(0, 6))):
        parameters = propose(space, [], number=number, seed=seed, sampler="random")
        state, value = data.draw(st.one_of(outcomes, st.just(("running", None)), st.just(("pruned", 0.1))))
        trials.append(Trial(number, parameters, state, value))  # type: ignore[arg-type]
    parameters = propose(space, trials, number=9, seed=seed, sampler=sampler)
    space.check(parameters)
    assert list(parameters) == [name for name in mapping if name in parameters]
    assert json.loads(json.dumps(parameters)) == parameters
    assert {type(value) for value in parameters.values()} <= {bool, int, float, str}
    shuffled = data.draw(st.permutations(trials))
    assert propose(space, shuffled, number=9, seed=seed, sampler=sampler) == parameters
    grid = space.grid(64)
    tried = {space.key(trial.parameters) for trial in trials}
    if grid is None or len(tried) < len(grid):
        assert space.key(parameters) not in tried


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_the_same_seed_gives_the_same_proposal_and_another_another(sampler: str) -> None:
    trials = history(8, 2)
    first = propose(SPACE, trials, number=10, seed=7, sampler=sampler)
    assert propose(SPACE, tuple(trials), number=10, seed=7, sampler=sampler) == first
    assert propose(SPACE, trials, number=10, seed=8, sampler=sampler) != first
    assert propose(SPACE, trials, number=11, seed=7, sampler=sampler) != first


def test_a_proposal_does_not_depend_on_the_process() -> None:
    trials = [(trial.number, dict(trial.parameters), trial.state, trial.value) for trial in history(6, 2)]
    script = (
        "import json, sys; from hakken.search import Space, Trial, propose; mapping, trials = json.load(sys.stdin); "
        "print(json.dumps(propose(Space.from_mapping(mapping), [Trial(*trial) for trial in trials], number=8, seed=7)))"
    )
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, input=json.dumps([MIXED, trials]), capture_output=True, text=True, check=True)
    here = propose(SPACE, history(6, 2), number=8, seed=7)
    assert json.loads(done.stdout) == here


def test_choices_keep_their_types() -> None:
    space = Space.from_mapping({"x": {"type": "categorical", "choices": [True, 1, 1.5, "1"]}})
    values = [parameters["x"] for parameters in sweep(space, 4, "bayesian")]
    assert sorted((type(value).__name__, str(value)) for value in values) == [
        ("bool", "True"),
        ("float", "1.5"),
        ("int", "1"),
        ("str", "1"),
    ]


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_a_finite_space_is_used_up_before_anything_repeats(sampler: str) -> None:
    space = Space.from_mapping(
        {
            "layers": {"type": "integer", "low": 1, "high": 3},
            "units": {"type": "integer", "low": 1, "high": 2, "when": {"layers": [2, 3]}},
        }
    )
    proposals = sweep(space, 8, sampler)
    assert len({space.key(parameters) for parameters in proposals[:5]}) == 5
    for parameters in proposals:
        space.check(parameters)


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_a_space_of_one_point_and_an_empty_space(sampler: str) -> None:
    space = Space.from_mapping({"x": {"type": "integer", "low": 3, "high": 3}})
    assert sweep(space, 5, sampler) == [{"x": 3}] * 5
    assert sweep(Space.from_mapping({}), 5, sampler) == [{}] * 5


@pytest.mark.parametrize("sampler", SAMPLERS)
@pytest.mark.parametrize("scale", ["linear", "log"])
@pytest.mark.parametrize(
    ("low", "high"),
    [(1e-06, 1.0000000000000002e-06), (1.0, 1.0000000000000002), (1e-150, 1e150), (1e-150, 2e-150)],
)
def test_ranges_as_narrow_and_as_wide_as_numbers_allow(low: float, high: float, scale: str, sampler: str) -> None:
    space = Space.from_mapping({"x": {"type": "real", "low": low, "high": high, "scale": scale}})
    trials: list[Trial] = []
    for number in range(5):
        proposal = propose(space, trials, number=number, seed=1, sampler=sampler)
        assert low <= proposal["x"] <= high
        trials.append(Trial(number, proposal, "complete", float(number)))


def test_a_range_that_scikit_optimize_takes_for_zero_is_named() -> None:
    space = Space.from_mapping({"x": {"type": "real", "low": 2e-308, "high": 3e-308, "scale": "log"}})
    trials = [Trial(number, {"x": 2e-308}, "complete", float(number)) for number in range(4)]
    with pytest.raises(HakkenError, match="`x`: 2e-308 to 3e-308 is too small for the sampler `skopt` on a log scale"):
        propose(space, trials, number=4, seed=1, sampler="skopt")


def test_pending_points_are_avoided() -> None:
    trials = history(6)
    proposals = []
    for number in range(6, 12):
        parameters = propose(SPACE, trials, number=number, seed=7)
        trials.append(Trial(number, parameters, "running"))
        proposals.append(SPACE.key(parameters))
    assert len(set(proposals)) == 6


def test_the_trial_itself_is_not_pending() -> None:
    trials = history(6)
    own = Trial(6, propose(SPACE, [], number=99, seed=1, sampler="random"), "running")
    assert propose(SPACE, [*trials, own], number=6, seed=7) == propose(SPACE, trials, number=6, seed=7)


def test_three_results_are_awaited_before_the_model_speaks() -> None:
    opening = samplers.opening_point(SPACE, 5, 7)
    assert propose(SPACE, history(2, 3), number=5, seed=7) == opening
    three = history(3, 2)
    assert propose(SPACE, three, number=5, seed=7) != opening
    assert propose(SPACE, three, number=5, seed=7, startup=4) == opening


def test_a_search_begins_in_the_middle_and_goes_on_in_the_inner_part_of_all_ranges() -> None:
    middle = propose(SPACE, [], number=0, seed=7)
    assert middle["learning_rate"] == pytest.approx(1e-3)
    assert middle["layers"] == 4
    others = [propose(SPACE, [], number=number, seed=7) for number in range(1, 65)]
    rates = [float(point["learning_rate"]) for point in others]
    assert 10**-4.6 <= min(rates) < 10**-4.4
    assert 10**-1.6 < max(rates) <= 10**-1.4
    assert {str(point["kernel"]) for point in others} == {"3", "5", "0.5", "True"}, "choices have no middle"
    known = [Trial(0, middle, "running")]
    assert propose(SPACE, known, number=0, seed=7) == middle, "its own point"
    assert propose(SPACE, [Trial(1, middle, "running")], number=0, seed=7) != middle
    assert propose(SPACE, [], number=0, seed=7, first=[others[3]]) == others[3], "what is to come first comes first"


def test_a_sweep_in_which_all_fails_goes_on() -> None:
    trials = [Trial(trial.number, trial.parameters, "failed") for trial in history(10)]
    SPACE.check(propose(SPACE, trials, number=10, seed=7))


def test_failures_repel() -> None:
    space = Space.from_mapping({"x": {"type": "real", "low": 0, "high": 1}})
    good = [Trial(number, {"x": x}, "complete", 0.5 + 0.1 * x) for number, x in enumerate((0.1, 0.2, 0.3, 0.4))]
    tempting = propose(space, good, number=20, seed=7)["x"]
    failed = [Trial(10 + place, {"x": x}, "failed") for place, x in enumerate((0.6, 0.7, 0.8, 0.9, 1.0))]
    cautious = propose(space, [*good, *failed], number=20, seed=7)["x"]
    assert float(tempting) > 0.5
    assert float(cautious) < 0.6


def test_maximising_and_minimising_mirror_each_other() -> None:
    trials = history(8, 1)
    mirrored = [Trial(t.number, t.parameters, t.state, None if t.value is None else -t.value) for t in trials]
    up = propose(SPACE, trials, number=9, seed=7)
    assert propose(SPACE, mirrored, number=9, seed=7, maximise=False) == up


def test_the_model_finds_what_random_search_does_not() -> None:
    def best(sampler: str, seed: int) -> float:
        trials: list[Trial] = []
        for number in range(20):
            parameters = propose(SPACE, trials, number=number, seed=seed, sampler=sampler)
            trials.append(Trial(number, parameters, "complete", objective(parameters)))
        return max(objective(trial.parameters) for trial in trials)

    ours, chance = ([best(sampler, seed) for seed in (0, 1)] for sampler in ("bayesian", "random"))
    assert min(ours) > -0.02
    assert np.mean(ours) > np.mean(chance)


def test_sobol_points_spread_evenly() -> None:
    space = Space.from_mapping({"x": {"type": "real", "low": 0, "high": 8}, "y": {"type": "real", "low": 0, "high": 8}})
    points = [propose(space, [], number=number, seed=3, sampler="sobol") for number in range(8)]
    for name in "xy":
        assert sorted(int(float(point[name])) for point in points) == list(range(8))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            {"sampler": "bayesain"},
            "unknown sampler `bayesain`; did you mean `bayesian`?; "
            "known: bayesian, skopt, random, sobol, optuna-tpe, optuna-gp",
        ),
        ({"number": -1}, "trial number -1: must be 0 or more"),
    ],
)
def test_wrong_arguments_are_named(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(HakkenError, match=re.escape(message)):
        propose(SPACE, [], **{"number": 0, "seed": 0, **arguments})


def test_trials_of_another_space_are_named() -> None:
    with pytest.raises(HakkenError, match="trial 3: unknown parameter `rate`"):
        propose(SPACE, [Trial(3, {"rate": 0.1}, "complete", 0.5)], number=4, seed=0)


def test_a_misspelt_state_is_named() -> None:
    with pytest.raises(HakkenError, match="trial 3: unknown state `completed`; did you mean `complete`"):
        Trial(3, {}, "completed")  # type: ignore[arg-type]


def test_the_heavy_library_is_loaded_for_the_model_only() -> None:
    script = (
        "import sys; from hakken.search import Space, propose; from hakken.search.ledger import Ledger; "
        "space = Space.from_mapping({'x': {'type': 'real', 'low': 0, 'high': 1}}); "
        "propose(space, [], number=0, seed=0, sampler='random'); "
        "print([name for name in ('skopt', 'scipy', 'torch', 'pandas', 'pydantic') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_first_points_come_before_all_others() -> None:
    space = Space.from_mapping({"x": {"type": "real", "low": 0, "high": 1}})
    first = ({"x": 0.25}, {"x": 0.75})
    assert propose(space, [], number=5, seed=0, first=first) == {"x": 0.25}
    running = [Trial(0, {"x": 0.25}, "running")]
    assert propose(space, running, number=1, seed=0, sampler="random", first=first) == {"x": 0.75}
    done = [*running, Trial(1, {"x": 0.75}, "complete", 0.5)]
    assert propose(space, done, number=2, seed=0, first=first) not in first
    with pytest.raises(HakkenError, match="point 0 to begin with: `x` = 2 is not a real number from 0 to 1"):
        propose(space, [], number=0, seed=0, first=({"x": 2},))


def test_a_related_source_is_followed_and_a_contradicted_one_dropped() -> None:
    space = Space.from_mapping({name: {"type": "real", "low": 0, "high": 1} for name in ("x", "y")})
    points = [{"x": (7 * n % 20) / 20, "y": (3 * n % 20) / 20} for n in range(20)]
    prior = [Trial(n, point, "complete", -((point["x"] - 0.8) ** 2)) for n, point in enumerate(points)]
    few = [Trial(n, points[5 * n], "complete", -((points[5 * n]["x"] - 0.8) ** 2)) for n in range(3)]
    assert abs(float(propose(space, few, number=4, seed=0, prior=prior)["x"]) - 0.8) < 0.15
    opposed = [Trial(n, points[n], "complete", (points[n]["x"] - 0.8) ** 2) for n in range(8)]
    alone = propose(space, opposed, number=8, seed=0)
    assert propose(space, opposed, number=8, seed=0, prior=prior) == alone
