from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from scipy.stats import spearmanr

from hakken.search import propose

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    script = [sys.executable, str(BENCHMARKS / "search.py"), "--objectives", "branin", "--trials", "6", "--seeds", "2"]
    command = [*script, "--cache", str(folder / "cache"), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True)


def test_the_comparison_runs_and_finished_sweeps_are_not_run_again(tmp_path: Path) -> None:
    first = run(tmp_path, "--samplers", "hakken")
    assert first.stderr.splitlines()[-1].startswith("4/4 branin hakken N=8 seed 1: regret ")
    assert "| objective | N | random | hakken |" in first.stdout
    assert "- open: regret at N = 8 over that of optuna-tpe at most 0.4, none above 1: not measured" in first.stdout
    stored = sorted((tmp_path / "cache").iterdir())
    assert len(stored) == 4
    content = json.loads(stored[0].read_text())
    assert content["case"] == {"objective": "branin", "sampler": "hakken", "slots": 8, "seed": 0, "trials": 6}
    assert [len(content[key]) for key in ("regret", "times", "known", "asking")] == [6, 6, 6, 6]
    second = run(tmp_path, "--samplers", "hakken", "--output", str(tmp_path / "table.md"))
    assert second.stderr == ""
    assert (tmp_path / "table.md").read_text() == first.stdout


def test_trials_ask_when_they_start_and_as_many_run_as_there_are_slots(benchmark: Any) -> None:
    simulation: ModuleType = benchmark("search_simulation")
    objectives: ModuleType = benchmark("search_objectives")
    case = simulation.Case("hartmann6", "random", slots=3, seed=4, trials=9)
    run = simulation.simulate(case)
    assert run.known == [0, 0, 0, 1, 2, 3, 4, 5, 6]
    assert run.times == sorted(run.times)
    problem = objectives.OBJECTIVES["hartmann6"].problem(4)
    durations = [problem.duration({}, number) for number in range(9)]
    assert run.times[0] == min(durations[:3])
    assert run.busy == pytest.approx(sum(durations) / (3 * run.times[-1]))
    assert all(later <= earlier for earlier, later in zip(run.regret, run.regret[1:], strict=False))


@pytest.mark.parametrize(
    "name", ["branin", "hartmann6", "training9", "training17", "camel", "hartmann3", "dev9", "dev17"]
)
def test_no_point_is_better_than_the_best(benchmark: Any, name: str) -> None:
    problem = benchmark("search_objectives").OBJECTIVES[name].problem(3)
    points = [propose(problem.space, [], number=number, seed=1, sampler="random") for number in range(200)]
    assert max(problem.value(point) for point in points) < problem.best
    again = benchmark("search_objectives").OBJECTIVES[name].problem(3)
    assert [again.measure(point, 5) for point in points[:5]] == [problem.measure(point, 5) for point in points[:5]]
    other = benchmark("search_objectives").OBJECTIVES[name].problem(4)
    assert [other.value(point) for point in points[:5]] != [problem.value(point) for point in points[:5]]


def test_the_best_of_a_function_is_where_it_is_said_to_be(benchmark: Any) -> None:
    objectives = benchmark("search_objectives")
    shift = np.random.default_rng(objectives.derive_seed(7, "hartmann6")).uniform(-0.1, 0.1, 6)
    optimum = np.array([0.20169, 0.150011, 0.476874, 0.275332, 0.311652, 0.6573]) + shift
    problem = objectives.OBJECTIVES["hartmann6"].problem(7)
    assert problem.regret({f"x{place}": float(x) for place, x in enumerate(optimum)}) < 1e-6


def test_ratios_and_verdicts_by_hand(benchmark: Any) -> None:
    simulation, table, goals = (benchmark(f"search_{name}") for name in ("simulation", "table", "goals"))

    def sweep(sampler: str, seed: int, regret: float) -> Any:
        case = simulation.Case("branin", sampler, 8, seed, 1)
        return simulation.Run([regret], [1.0], [0], [0.0], 0.9, case, "")

    finals = {"random": (1.0, 1.0), "hakken": (1e-6, 0.004), "optuna-tpe": (0.002, 0.004), "optuna-gp": (0.002,)}
    runs = [sweep(sampler, seed, regret) for sampler, found in finals.items() for seed, regret in enumerate(found)]
    results = table.Results.of(runs)
    assert results.floors == {"branin": pytest.approx(1e-3)}
    assert results.regret("branin", "hakken", 8) == pytest.approx(2e-3)  # (1e-3, the floor, x 4e-3) ** (1 / 2)
    assert results.ratios("optuna-tpe")["branin"].value == pytest.approx(0.5**0.5)  # 1 / 2 and 1
    assert results.ratios("optuna-gp")["branin"].value == pytest.approx(0.5)  # only the seed that both have
    asks = [benchmark("search_ask").Ask(sampler, 50, cost) for sampler, cost in (("hakken", 0.15), ("optuna-gp", 0.8))]
    verdicts = {goal.text: goal.met for goal in goals.goals(results, asks)}
    assert verdicts["regret at N = 8 over that of optuna-tpe at most 0.4, none above 1"] is False
    assert verdicts["regret at N = 8 over that of optuna-gp at most 0.75, none above 1.15"] is True
    assert (
        verdicts["CPU seconds of a proposal over those of optuna-gp at most 0.2, after 10 and after 50 results"] is True
    )
    assert verdicts["CPU seconds of a proposal after 50 results at most 0.2"] is True
    assert verdicts["regret at N = 8 over that of botorch-qlognei at most 0.75, none above 1.15"] is None


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
