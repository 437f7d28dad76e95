"""Does a search that starts from a finished one of a related study get there sooner? And is an unrelated one harmless?

    python benchmarks/search_warm_start.py --seeds 10 --output warm_start.md

The source is searched first, with hakken, 50 trials and 8 at once. Then the target, three times: cold, with the three
best points of the source first (`warm_start: {mode: first}`), and with the source's model as a prior (`mode: prior`).
Related sources are the same made-up training with its optimum moved by 5 % of each axis and other noise, and the table
of the same networks on another dataset. Unrelated are another seed of the made-up training, and the table turned
upside down, so that the source recommends the worst: nothing can be less related. Virtual time, as in `search.py`.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import replace
from functools import partial
from multiprocessing import get_context
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
from search_objectives import OBJECTIVES, TRAININGS
from search_problem import Problem
from search_simulation import sweep
from search_tables import fcnet
from search_training import training

from hakken.search import Trial, propose

SLOTS, TRIALS, TOP = 8, 50, 3
MODES = ("cold", "first", "prior")
EARLY, LATE = 10, 50  # trials after which the regrets are compared
GOALS = {("related", EARLY): 0.6, ("unrelated", LATE): 1.5}
DRIFT = 0.05
FLOOR = 1e-3  # of the cold start's mean regret after `EARLY` trials: what lies below counts as that

Regrets = dict[str, list[float]]  # mode: regret (TRIALS) of the best measured trial so far


def source(target: str, relation: str, seed: int) -> Problem:
    """Return the problem that was searched before the ``target``."""
    if target in TRAININGS:
        space = TRAININGS[target]
        return training(target, space, seed, DRIFT) if relation == "related" else training(target, space, seed + 500)
    if relation == "related":
        return fcnet({"fcnet-protein": "parkinsons_telemonitoring", "fcnet-slice": "naval_propulsion"}[target], seed)
    problem = OBJECTIVES[target].problem(seed)
    return replace(problem, maximise=not problem.maximise)


TARGETS = ("training9", "training17", "fcnet-protein", "fcnet-slice")
RELATIONS = ("related", "unrelated")


def run(target: str, relation: str, seed: int) -> Regrets:
    """Search the source, then the target cold and from the source."""
    before, problem = source(target, relation, seed), OBJECTIVES[target].problem(seed)
    ask = partial(propose, seed=seed + 1000, maximise=before.maximise)
    _, trials = sweep(before, ask, SLOTS, TRIALS)
    sign = 1.0 if before.maximise else -1.0
    best = sorted((trial for trial in trials if trial.measured), key=lambda trial: -sign * (trial.value or 0.0))
    known = [_turned(trial, before.maximise is problem.maximise) for trial in trials]
    starts: dict[str, dict[str, object]] = {
        "cold": {},
        "first": {"first": [trial.parameters for trial in best[:TOP]]},
        "prior": {"prior": known},
    }
    asks = {mode: partial(propose, seed=seed, maximise=problem.maximise, **starts[mode]) for mode in MODES}
    return {mode: sweep(problem, asks[mode], SLOTS, TRIALS)[0].regret for mode in MODES}


def _turned(trial: Trial, same: bool) -> Trial:
    """Return the source's trial as one of a study that seeks the same as the target."""
    return trial if same or trial.value is None else replace(trial, value=-trial.value)


def ratios(runs: Sequence[Regrets], mode: str, trials: int) -> tuple[float, float]:
    """Return the geometric mean of the regret over that of the cold start, and the standard error of its logarithm."""
    floor = FLOOR * float(np.exp(np.mean([np.log(regrets["cold"][EARLY - 1] + 1e-12) for regrets in runs])))
    pairs = [[max(regrets[kind][trials - 1], floor) for kind in (mode, "cold")] for regrets in runs]
    logs = np.array([np.log(ours / cold) for ours, cold in pairs])
    return float(np.exp(logs.mean())), float(logs.std(ddof=1) / np.sqrt(len(logs))) if len(logs) > 1 else 0.0


def report(runs: dict[tuple[str, str], list[Regrets]]) -> str:
    """Return the ratios as a Markdown table, with the goals below."""
    lines = ["| source | objective | mode | after 10 | after 20 | after 50 |", "| --- | --- | --- | --- | --- | --- |"]
    verdicts = []
    for relation in RELATIONS:
        for mode in MODES[1:]:
            means: dict[int, list[float]] = {EARLY: [], 20: [], LATE: []}
            for target in TARGETS:
                found = {trials: ratios(runs[target, relation], mode, trials) for trials in means}
                cells = " | ".join(f"{value:.2f} ({error:.2f})" for value, error in found.values())
                lines.append(f"| {relation} | {target} | {mode} | {cells} |")
                for trials, (value, _) in found.items():
                    means[trials].append(value)
            overall = {trials: float(np.exp(np.mean(np.log(values)))) for trials, values in means.items()}
            cells = " | ".join(f"**{value:.2f}**" for value in overall.values())
            lines.append(f"| {relation} | geometric mean | {mode} | {cells} |")
            for (kind, trials), most in GOALS.items():
                if kind == relation:
                    verdict = "met" if overall[trials] <= most else "MISSED"
                    text = (
                        f"regret after {trials} trials from a source that is {relation}, mode {mode}, at most {most:g}"
                    )
                    verdicts.append(f"- {verdict}: {text} of that of a cold start: {overall[trials]:.2f}")
    return "\n".join([*lines, "", *verdicts])


def main() -> None:
    """Run all searches, then print or write the table."""
    line = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    line.add_argument("--seeds", type=int, default=10, help="how many")
    line.add_argument("--jobs", type=int, default=1, help="searches at once")
    line.add_argument("--output", type=Path, help="Markdown file; else it is printed")
    options = line.parse_args()
    wanted = [(target, relation, seed) for seed in range(options.seeds) for target in TARGETS for relation in RELATIONS]
    runs: dict[tuple[str, str], list[Regrets]] = {(target, relation): [] for target, relation, _ in wanted}
    with ProcessPoolExecutor(options.jobs, mp_context=get_context("spawn")) as pool:
        waiting = {pool.submit(run, *case): case for case in wanted}
        for count, done in enumerate(as_completed(waiting), start=1):
            target, relation, seed = waiting[done]
            runs[target, relation].append(done.result())
            print(f"{count}/{len(wanted)} {target}, {relation} source, seed {seed}", file=sys.stderr, flush=True)
    text = report(runs)
    if options.output:
        options.output.write_text(text + "\n")
    else:
        print(text)


if __name__ == "__main__":
    main()
