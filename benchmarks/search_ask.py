"""What one proposal costs: CPU seconds of one thread after n results, with seven trials running."""

from __future__ import annotations

import hashlib
import json
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from search_objectives import OBJECTIVES
from search_peers import PEERS
from search_simulation import store, warm_up

from hakken.search import Trial, propose

KNOWN = (10, 50, 150, 500)
OBJECTIVE, RUNNING = "training9", 7
REPEATS, ENOUGH = 5, 20.0  # proposals that are timed; CPU seconds after which no other one is


@dataclass(frozen=True)
class Ask:
    """The median CPU ``seconds`` of a proposal by ``sampler`` after ``known`` results."""

    sampler: str
    known: int
    seconds: float


def measure_ask(sampler: str, known: int, folder: Path | None) -> Ask:
    """Time proposals on the conditional space of nine parameters after random trials, or read what was timed."""
    digest = hashlib.sha256(f"{PEERS[sampler].version}/{REPEATS}".encode()).hexdigest()[:12]
    path = folder and folder / f"ask.{sampler}.{known}.{digest}.json"
    if path and path.is_file():
        return Ask(**json.loads(path.read_text()))
    warm_up(sampler)
    problem = OBJECTIVES[OBJECTIVE].problem(0)
    points = [propose(problem.space, [], number=number, seed=0, sampler="random") for number in range(known + RUNNING)]
    trials = [Trial(number, point, "complete", problem.measure(point, number)) for number, point in enumerate(points)]
    trials[known:] = [Trial(trial.number, trial.parameters, "running") for trial in trials[known:]]
    seconds: list[float] = []
    while len(seconds) < REPEATS and sum(seconds) < ENOUGH:
        begin = time.process_time()
        number = len(trials) + len(seconds)
        PEERS[sampler].propose(problem.space, trials, number=number, seed=0, maximise=problem.maximise)
        seconds.append(time.process_time() - begin)
    ask = Ask(sampler, known, float(np.median(seconds)))
    if path:
        store(path, asdict(ask))
    return ask
