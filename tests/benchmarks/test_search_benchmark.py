from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from scipy.stats import spearmanr

from hakken.search import Trial, propose

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
DEVELOPMENT = (
    *("ellipsoid5-log", "rosenbrock6-log", "rastrigin4-noisy", "step6-noisy", "sharp-ridge8", "schaffer5-noisy"),
    *("gallagher4", "gallagher9-mixed", "attractive9-mixed-log", "schwefel6-mixed", "powers7-conditional"),
    "griewank-rosenbrock5-conditional",
)
HELD_OUT = (
    *("schaffer10-cec-noisy", "levy10-cec-log", "hybrid10-cec", "hartmann6-noisy", "shekel4", "dixon-price5-log"),
    *("ackley6-mixed", "styblinski5-conditional", "ackley8-noisy", "fcnet-protein", "fcnet-protein-log"),
    *("fcnet-slice", "fcnet-slice-log", "mlp-segment", "mlp-kc1", "cells-cifar100"),
)
MADE_UP = ("training9", "training17")


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    script = [sys.executable, str(BENCHMARKS / "search.py"), "--objectives", "training9", "--trials", "6"]
    command = [*script, "--seeds", "2", "--cache", str(folder / "cache.jsonl"), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True)


def test_the_comparison_runs_and_goes_on_where_it_was(tmp_path: Path) -> None:
    first = run(tmp_path, "--proposers", "hakken")
    assert first.stderr.splitlines()[-1].startswith("12/12 training9 hakken N=8 seed 1: regret ")
    assert "## made-up: 1 objective, N = 8" in first.stdout
    assert "| proposer | sweeps (seeds) | after 6 | CPU s a proposal |" in first.stdout
    assert "| random | 10 (0 to 9) | 1.00 [" in first.stdout
    cache = tmp_path / "cache.jsonl"
    lines = cache.read_text().splitlines()
    content = json.loads(lines[0])["content"]
    assert content["case"] == {"objective": "training9", "proposer": "random", "slots": 8, "seed": 0, "trials": 6}
    assert [len(content[key]) for key in ("regret", "times", "known", "asking")] == [6, 6, 6, 6]
    cache.write_text("\n".join([*lines[:10], lines[10][:40]]))  # killed while the line before the last was written
    second = run(tmp_path, "--proposers", "hakken", "--output", str(tmp_path / "table.md"))
    assert [line.split(":")[0] for line in second.stderr.splitlines()] == [
        "11/12 training9 hakken N=8 seed 0",
        "12/12 training9 hakken N=8 seed 1",
    ]
    assert _without_seconds((tmp_path / "table.md").read_text()) == _without_seconds(first.stdout)
    assert run(tmp_path, "--proposers", "hakken").stderr == ""
    only = run(tmp_path, "--proposers", "sobol", "hakken", "--cached", "sobol")
    assert only.stderr == ""
    assert "sobol" not in only.stdout


def _without_seconds(text: str) -> list[str]:
    """Leave out the last column of the table of means: CPU seconds."""
    return [line.rsplit("|", 2)[0] if "(0 to " in line else line for line in text.splitlines()]


def test_no_sweep_begins_after_its_minutes(tmp_path: Path) -> None:
    done = run(tmp_path, "--proposers", "hakken", "--minutes", "0")
    assert done.stderr == ""
    assert not (tmp_path / "cache.jsonl").exists()


def test_two_writers_share_a_cache_and_a_torn_line_costs_itself_alone(benchmark: Any, tmp_path: Path) -> None:
    cache = benchmark("search_cache").Cache
    path = tmp_path / "cache.jsonl"
    one, two = cache(path), cache(path)
    one.put("a", {"regret": [1 / 3]})
    two.put("b", 2)
    path.write_text(path.read_text() + '{"key": "c", "con')
    cache(path).put("d", 4)
    again = cache(path)
    assert [again.get(key) for key in "abcd"] == [{"regret": [0.333333333]}, 2, None, 4]
    assert one.get("a") == again.get("a")
    nowhere = cache(None)
    nowhere.put("a", 1)
    assert nowhere.get("a") == 1


def test_trials_ask_when_they_start_and_as_many_run_as_there_are_slots(benchmark: Any) -> None:
    simulation: ModuleType = benchmark("search_simulation")
    case = simulation.Case("training9", "random", slots=3, seed=4, trials=9)
    run = simulation.simulate(case)
    assert run.known == [0, 0, 0, 1, 2, 3, 4, 5, 6]
    assert run.times == sorted(run.times)
    problem = simulation.problem_of("training9", 4)
    durations = [problem.duration({}, number) for number in range(9)]
    assert run.times[0] == min(durations[:3])
    assert run.busy == pytest.approx(sum(durations) / (3 * run.times[-1]))
    assert simulation.Run.from_stored(run.stored) == run


def test_the_objectives_stay_what_they_were_before_anything_was_tuned(benchmark: Any) -> None:
    objectives: ModuleType = benchmark("search_objectives")
    for group, names in (("development", DEVELOPMENT), ("held-out", HELD_OUT), ("made-up", MADE_UP)):
        assert set(objectives.chosen([group])) == set(names)
    assert objectives.chosen(["shekel4", "gallagher4"]) == ["gallagher4", "shekel4"]


@pytest.mark.parametrize("name", [*DEVELOPMENT, *HELD_OUT, *MADE_UP])
def test_no_point_is_better_than_the_best(benchmark: Any, name: str) -> None:
    objective = benchmark("search_objectives").OBJECTIVES[name]
    if not objective.there:
        pytest.skip(f"needs {objective.needs}: pip install '.[benchmark]'")
    problem, again, other = objective.problem(3), objective.problem(3), objective.problem(4)
    points = [propose(problem.space, [], number=number, seed=1, sampler="random") for number in range(100)]
    sign = 1.0 if problem.maximise else -1.0
    assert max(sign * problem.value(point) for point in points) < sign * problem.best
    measured = [problem.measure(point, 5) for point in points]
    assert [again.measure(point, 5) for point in points] == measured
    assert [other.measure(point, 5) for point in points] != measured


LOWEST = (0.1, 0.35, 0.62, 0.4, 0.9, 0.25)


def _bowl(benchmark: Any) -> Any:
    lowest = np.array(LOWEST)
    return benchmark("search_functions").Function(lambda u: 2.0 + float(((u - lowest) ** 2).sum()), lowest, 2.0)


def _at_best(space: Any, real: Mapping[str, float], regret: Any) -> float:
    """Return the lowest regret over all choices and integers with the reals given."""
    free = [dimension for dimension in space.dimensions if dimension.kind != "real"]
    grid = np.stack(np.meshgrid(*[np.arange(dimension.count) for dimension in free]), axis=-1).reshape(-1, len(free))
    points = [
        {dimension.name: dimension.values()[int(at)] for dimension, at in zip(free, row, strict=True)} for row in grid
    ]
    return min(regret({**real, **point}) for point in points)


def test_the_best_of_a_mixed_function_can_be_reached_and_is_at_one_place_of_each_axis(benchmark: Any) -> None:
    problem = benchmark("search_functions").problem_of("bowl", _bowl(benchmark), 5, form="mixed")
    kinds = [dimension.kind for dimension in problem.space.dimensions]
    assert kinds == ["real", "real", "integer", "integer", "categorical", "categorical"]
    real = {"x0": LOWEST[0], "x1": LOWEST[1]}
    assert _at_best(problem.space, real, problem.regret) == pytest.approx(0, abs=1e-12)
    away = {"x0": LOWEST[0], "x1": LOWEST[1] + 0.1}
    assert _at_best(problem.space, away, problem.regret) == pytest.approx(0.01)


def test_one_way_of_a_conditional_function_leads_to_the_best(benchmark: Any) -> None:
    problem = benchmark("search_functions").problem_of("bowl", _bowl(benchmark), 5, form="conditional")
    shared = {f"x{axis}": LOWEST[axis] for axis in range(4)}
    apart = {**shared, "way": "apart", "first": LOWEST[4], "second": LOWEST[5]}
    together, neither = {**shared, "way": "together", "both": LOWEST[4]}, {**shared, "way": "neither"}
    for point in (apart, together, neither):
        problem.space.check(point)
    assert problem.regret(apart) == 0
    assert problem.regret(together) == pytest.approx(0.17**2)
    assert problem.regret(neither) == pytest.approx(2 * 0.17**2)


def test_a_logarithm_is_of_the_regret_and_noise_is_a_share_of_the_spread(benchmark: Any) -> None:
    functions: ModuleType = benchmark("search_functions")
    bowl, best = _bowl(benchmark), {f"x{axis}": place for axis, place in enumerate(LOWEST)}
    problem = functions.problem_of("bowl", bowl, 5, log=True)
    floor = 10**problem.best
    assert problem.regret(best) == 0
    assert problem.regret({**best, "x0": LOWEST[0] + 0.5}) == pytest.approx(np.log10((0.25 + floor) / floor))
    noisy = functions.problem_of("bowl", bowl, 5, noise=0.5)
    errors = [noisy.measure(best, number) - noisy.value(best) for number in range(1024)]
    random = np.random.default_rng(0).random((4000, 6))
    assert np.std(errors) == pytest.approx(0.5 * np.std(bowl.at(random)), rel=0.1)


def test_turned_axes_move_the_best_with_them(benchmark: Any) -> None:
    functions: ModuleType = benchmark("search_functions")
    bowl = _bowl(benchmark)
    moved = functions.turned(bowl, 1)
    assert moved.value(moved.lowest) == pytest.approx(2.0)
    assert not np.allclose(moved.lowest, bowl.lowest)
    changed = {round(min(place, 1 - place), 9) for place in moved.lowest}
    assert changed == {round(min(place, 1 - place), 9) for place in LOWEST}


def test_a_part_of_a_function_has_its_best_anywhere_but_where_the_domain_ends(benchmark: Any) -> None:
    functions: ModuleType = benchmark("search_functions")
    bowl = _bowl(benchmark)
    parts = [functions.placed(bowl, seed) for seed in range(40)]
    assert all(part.value(part.lowest) == pytest.approx(2.0) for part in parts)
    places = np.array([part.lowest for part in parts])
    assert places.min() >= 0.0
    assert places.max() <= 1.0
    assert np.all(places.std(axis=0) > 0.04)


def _sweeps(benchmark: Any, finals: Mapping[tuple[str, str], list[list[float]]], slots: int = 8) -> list[Any]:
    """Return sweeps of the given regrets: (objective, proposer), then seeds, then results."""
    simulation = benchmark("search_simulation")
    return [
        simulation.Run(
            regrets,
            [1.0] * len(regrets),
            [0] * len(regrets),
            [0.5] * len(regrets),
            0.9,
            simulation.Case(objective, proposer, slots, seed, len(regrets)),
            "",
        )
        for (objective, proposer), seeds in finals.items()
        for seed, regrets in enumerate(seeds)
    ]


FINALS: dict[tuple[str, str], list[list[float]]] = {
    ("one", "random"): [[6.0, 3.0], [4.0, 1.0]],  # unit 2
    ("two", "random"): [[30.0, 10.0], [30.0, 10.0]],  # unit 10
    ("one", "hakken"): [[2.0, 1.0], [8.0, 0.0]],  # in units after two results: 0.5, 0
    ("two", "hakken"): [[10.0, 10.0], [20.0, 20.0], [1.0, 1.0]],  # 1, 2, 0.1
    ("one", "optuna-tpe"): [[4.0, 4.0], [0.0, 0.0]],  # 2, 0
    ("two", "optuna-tpe"): [[10.0, 20.0], [10.0, 5.0]],  # 2, 0.5
}


def test_means_medians_worst_sweeps_and_wins_by_hand(benchmark: Any) -> None:
    statistics: ModuleType = benchmark("search_statistics")
    results = statistics.Results.of(_sweeps(benchmark, FINALS), 2)
    assert results.scales == {"one": 2.0, "two": 10.0}
    assert results.checkpoints == [2]
    assert results.mean("random", 2).value == pytest.approx(1)
    assert results.mean("hakken", 2).value == pytest.approx((0.5 / 2 + 3.1 / 3) / 2)  # seeds, then objectives
    assert results.mean("hakken", 1).value == pytest.approx((10 / 2 / 2 + 31 / 10 / 3) / 2)
    assert results.level("hakken", 2) == results.mean("hakken", 2).value
    assert results.median("hakken", 2) == pytest.approx(0.5)
    assert results.worst("hakken", 2) == statistics.Worst(2.0, "two", 1)
    # Medians of random search: 1 on both objectives; equal is not above.
    assert results.above_chance("hakken", 2) == (1, 5)
    assert results.above_chance("optuna-tpe", 2) == (2, 4)
    # Of the sweeps that both have: (0.5, 2), (0, 0) and (1, 2), (2, 0.5).
    assert results.wins("hakken", "optuna-tpe", 2) == statistics.Wins(2, 1, 4)
    assert results.ratio("hakken", "optuna-tpe", 2).value == pytest.approx((0.25 + 1.5) / (1.0 + 1.25))
    assert results.ratio("hakken", "smac", 2) is None
    only = results.of_objectives(["two"])
    assert only.objectives == ["two"]
    assert only.mean("hakken", 2).value == pytest.approx(3.1 / 3)


def test_the_unit_is_of_the_first_ten_seeds_and_thrice_the_trials_are_thrice_the_results(benchmark: Any) -> None:
    statistics: ModuleType = benchmark("search_statistics")
    seeds = [[1.0, 2.0]] * 10 + [[1.0, 50.0]]
    thrice = [[9.0, 8.0, 7.0, 6.0, 5.0, 4.0]]
    results = statistics.Results.of(_sweeps(benchmark, {("one", "random"): seeds, ("one", "random-3x"): thrice}), 2)
    assert results.scales == {"one": 2.0}
    assert results.regrets("one", "random-3x", 1) == {0: 3.5}
    assert results.regrets("one", "random-3x", 2) == {0: 2.0}
    found = statistics.Results.of(_sweeps(benchmark, {("one", "random"): [[0.0]], ("one", "hakken"): [[3.0]]}), 1)
    assert found.regrets("one", "hakken", 1) == {0: 3.0}


def test_the_bootstrap_draws_objectives_and_seeds(benchmark: Any) -> None:
    bootstrap, estimate = (getattr(benchmark("search_statistics"), name) for name in ("bootstrap", "Estimate"))
    alone = np.array([[3.0, 2.0]])
    assert bootstrap([alone]) == [estimate(3, 3, 3), estimate(2, 2, 2), estimate(1.5, 1.5, 1.5)]
    # Two objectives of one seed: a resample has one of them twice with probability 1/4, so both are in the interval.
    assert bootstrap([np.array([[1.0]]), np.array([[5.0]])]) == [estimate(3, 1, 5)]
    # The same for two seeds of one objective.
    assert bootstrap([np.array([[1.0], [5.0]])]) == [estimate(3, 1, 5)]
    # Both levels: the first objective twice (1/4), and of its four draws none (1/16) or one (4/16) is the 5: 1 has a
    # probability of 1/64, 2 or less one of 5/64, and the interval begins at 5/100.
    both = bootstrap([np.array([[1.0], [5.0]]), np.array([[11.0], [15.0]])])
    assert both == [estimate(8, 2, 14)]
    # Seeds of two proposers are drawn together: where one is always twice the other, the ratio is certain.
    pairs = np.array([[2.0, 1.0], [8.0, 4.0], [6.0, 3.0]])
    assert bootstrap([pairs, pairs[:1]])[-1] == estimate(2, 2, 2)
    # An objective with few seeds weighs as much as one with many.
    assert bootstrap([np.ones((9, 1)), np.full((1, 1), 3.0)])[0].value == 2
    zero = np.zeros((2, 2))
    assert bootstrap([zero])[-1] == estimate(1, 1, 1)


def test_verdicts_by_hand(benchmark: Any) -> None:
    statistics, goals, ask = (benchmark(f"search_{name}") for name in ("statistics", "goals", "ask"))
    seeds = [[2.0] * 50] * 2
    finals = {("one", "random"): seeds, ("one", "hakken"): [[1.0] * 20 + [0.5] * 30] * 2}
    finals |= {("one", "optuna-tpe"): [[1.0] * 50] * 2, ("one", "optuna-gp"): [[0.6] * 50]}
    runs = _sweeps(benchmark, finals)
    alone = _sweeps(benchmark, {("one", "hakken"): [[0.25] * 50] * 2}, slots=1)
    assert [str(goal) for goal in goals.goals(statistics.Results.of([*runs, *alone], 50))] == [
        "- MISSED: mean regret after 50 results at N = 8 over that of optuna-gp at most 0.75: 0.83 [0.83, 0.83]",
        "- met: mean regret after 50 results at N = 8 over that of optuna-tpe at most 0.5: 0.50 [0.50, 0.50]",
        "- MISSED: mean regret after 20 results at N = 8 over that of optuna-tpe at most 0.75: 1.00 [1.00, 1.00]",
        "- met: sweeps above random search's median after 50 results: at most one in a hundred: 0 of 2",
        "- MISSED: mean regret at N = 8 over that at N = 1 at most 1.5: 2.00 [2.00, 2.00]",
    ]
    none = goals.goals(statistics.Results.of(_sweeps(benchmark, {("one", "random"): seeds}), 50))
    assert [goal.met for goal in none] == [None] * 5
    asks = [ask.Ask("hakken", 50, 0.1), ask.Ask("hakken", 500, 0.36), ask.Ask("optuna-gp", 50, 9.0)]
    assert [goal.met for goal in goals.cost_goals(asks)] == [True, False]
    assert [goal.met for goal in goals.cost_goals([])] == [None, None]


def test_tables_say_what_is_missing_and_who_wins(benchmark: Any) -> None:
    statistics, table = benchmark("search_statistics"), benchmark("search_table")
    results = statistics.Results.of(_sweeps(benchmark, FINALS), 2)
    lines = table.report(results, "development", {"smac": ("smac",)}).splitlines()
    assert lines[0] == "## development: 2 objectives, N = 8"
    assert "| smac | not installed (smac) |  |  |" in lines
    assert next(line for line in lines if line.startswith("| hakken | 5 (0 to 2) | 0.64 [")).endswith("| 0.5 |")
    assert "| hakken | 2 (two, 1) |" in lines
    assert "| hakken | 1 of 5 |" in lines
    assert next(line for line in lines if line.startswith("| hakken / optuna-tpe | 0.78 [")).endswith(
        ", 2 of 4 (1 equal) |"
    )
    assert "| two | 1 | 1 | 1.2 |" in lines


def test_smac_proposes_points_of_the_space_and_the_same_again(benchmark: Any) -> None:
    pytest.importorskip("smac", reason="needs smac: pip install '.[benchmark]'")
    problem = benchmark("search_objectives").OBJECTIVES["training17"].problem(0)
    point = benchmark("search_smac").smac_point
    points = [propose(problem.space, [], number=number, seed=0, sampler="random") for number in range(16)]
    known = [
        Trial(number, parameters, "complete", problem.value(parameters)) for number, parameters in enumerate(points)
    ]
    running = [Trial(number, known[number].parameters, "running") for number in (3, 9)]
    trials = [*known[:3], *known[4:9], *known[10:], *running]
    asked = {"number": 16, "seed": 2, "maximise": True}
    first = point(problem.space, trials, **asked)
    problem.space.check(first)
    assert point(problem.space, trials, **asked) == first
    assert point(problem.space, trials, **{**asked, "number": 17}) != first
    designed = [point(problem.space, [], **{**asked, "number": number}) for number in (0, 1)]
    assert designed[0] != designed[1]


def test_a_comment_leaves_a_version_as_it_is_and_code_does_not(benchmark: Any, tmp_path: Path) -> None:
    peers = benchmark("search_peers")

    def version(name: str, text: str) -> str:
        path = tmp_path / f"{name}.py"
        path.write_text(text)
        return str(peers.Peer(propose, (path,), (), 0).version)

    plain = version("plain", "def f(x):\n    return x + 1\n")
    assert version("commented", 'def f(x):\n    """Add one."""\n    return x + 1  # more\n') == plain
    assert version("changed", "def f(x):\n    return x + 2\n") != plain
    ours = {path.name for path in peers.PEERS["hakken"].sources}
    assert {"proposer.py", "bayesian.py", "cube.py"} <= ours
    assert not {"ledger.py", "optuna_samplers.py"} & ours


def test_a_related_source_ranks_points_as_the_target_does_and_an_unrelated_one_otherwise(benchmark: Any) -> None:
    warm: ModuleType = benchmark("search_warm_start")
    objectives: ModuleType = benchmark("search_objectives")
    target = objectives.OBJECTIVES["training9"].problem(3)
    points = [propose(target.space, [], number=number, seed=0, sampler="sobol") for number in range(64)]
    near, far = (warm.source("training9", relation, 3) for relation in warm.RELATIONS)
    values = [[problem.value(point) for point in points] for problem in (target, near, far)]
    assert spearmanr(values[0], values[1]).statistic > 0.9
    assert abs(spearmanr(values[0], values[2]).statistic) < 0.6
    assert near.measure(points[0], 0) - near.value(points[0]) != target.measure(points[0], 0) - values[0][0]


def test_ratios_of_warm_starts_by_hand(benchmark: Any) -> None:
    warm: ModuleType = benchmark("search_warm_start")
    runs = [{"cold": [0.4] * 50, "first": [0.1] * 50}, {"cold": [0.1] * 50, "first": [0.4] * 10 + [0.0] * 40}]
    assert warm.ratios(runs, "first", 10)[0] == pytest.approx(1.0)
    # after 50: 0.1 / 0.4, and a thousandth of the cold start's mean 0.2 over 0.1
    assert warm.ratios(runs, "first", 50)[0] == pytest.approx((0.25 * 0.002) ** 0.5)
