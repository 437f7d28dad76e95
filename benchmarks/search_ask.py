"""What one proposal costs: CPU seconds of one thread after n results, with seven trials running."""

from __future__ import annotations

import hashlib
import time
from dataclasses import dataclass

import numpy as np
from search_peers import PEERS
from search_simulation import problem_of, warm_up

from hakken.search import Trial, propose

KNOWN = (10, 50, 150, 500)
OBJECTIVE, RUNNING = "training9", 7
REPEATS, ENOUGH = 5, 20.0  # proposals that are timed; CPU seconds after which no other one is


@dataclass(frozen=True)
class Ask:
    """The median CPU ``seconds`` of a proposal by ``proposer`` after ``known`` results."""

    proposer: str
    known: int
    seconds: float


def ask_key(proposer: str, known: int) -> str:
    """Return under what the cost is stored: it changes with the proposer's version."""
    digest = hashlib.sha256(f"{PEERS[proposer].version}/{REPEATS}".encode()).hexdigest()[:12]
    return f"ask {proposer} {known} {digest}"


def measure_ask(proposer: str, known: int) -> Ask:
    """Time proposals on the conditional space of nine parameters after random trials."""
    warm_up(proposer)
    problem = problem_of(OBJECTIVE, 0)
    points = [propose(problem.space, [], number=number, seed=0, sampler="random") for number in range(known + RUNNING)]
    trials = [Trial(number, point, "complete", problem.measure(point, number)) for number, point in enumerate(points)]
    trials[known:] = [Trial(trial.number, trial.parameters, "running") for trial in trials[known:]]
    seconds: list[float] = []
    while len(seconds) < REPEATS and sum(seconds) < ENOUGH:
        begin = time.process_time()
        number = len(trials) + len(seconds)
        PEERS[proposer].propose(problem.space, trials, number=number, seed=0, maximise=problem.maximise)
        seconds.append(time.process_time() - begin)
    return Ask(proposer, known, float(np.median(seconds)))
