"""One sweep in virtual time, and a cache of finished ones that survives a kill."""

from __future__ import annotations

import hashlib
import heapq
import json
import os
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from functools import cache, partial
from pathlib import Path

import numpy as np
from search_objectives import OBJECTIVES, Problem
from search_peers import PEERS

from hakken.core.seeds import derive_seed
from hakken.search import Trial, cube
from hakken.search.trial import Value


@dataclass(frozen=True)
class Case:
    """Which sweep: ``trials`` trainings, ``slots`` at once."""

    objective: str
    sampler: str
    slots: int
    seed: int
    trials: int


@dataclass(frozen=True)
class Course:
    """What a sweep of n trials gave, in the order in which they finished or asked.

    ``regret`` (n) of the trial with the best measured value so far, ``times`` (n) at which trials finished, in virtual
    seconds, ``known`` (n) results when trial i asked and ``asking`` (n) CPU seconds of its proposal, and the share of
    the slots' time that was ``busy``.
    """

    regret: list[float]
    times: list[float]
    known: list[int]
    asking: list[float]
    busy: float


@dataclass(frozen=True)
class Run(Course):
    """The course of a ``case``, by one ``version`` of its sampler."""

    case: Case
    version: str


@cache
def warm_up(sampler: str) -> None:
    """Let a sampler import and compile what it needs, so that this is not counted as the time of a proposal."""
    simulate(Case("ellipsoid5-log", sampler, slots=2, seed=0, trials=14))


def simulate(case: Case) -> Run:
    """Run one sweep of a sampler on an objective."""
    problem, peer = OBJECTIVES[case.objective].problem(case.seed), PEERS[case.sampler]
    ask = partial(peer.propose, seed=case.seed, maximise=problem.maximise)
    course, _ = sweep(problem, ask, case.slots, case.trials)
    return Run(**vars(course), case=case, version=peer.version)


def sweep(
    problem: Problem, propose: Callable[..., dict[str, Value]], slots: int, count: int
) -> tuple[Course, list[Trial]]:
    """Run ``count`` trials: a trial asks when it starts, and starts when a slot is free.

    ``propose`` is called with the space, the trials so far and the ``number``. Returns the course and the trials.
    """
    trials: dict[int, Trial] = {}
    running: list[tuple[float, int]] = []
    course = Course([], [], [], [], 0.0)

    def finish() -> float:
        now, number = heapq.heappop(running)
        parameters = trials[number].parameters
        value = problem.measure(parameters, number)
        trials[number] = Trial(number, parameters, "failed" if value is None else "complete", value)
        course.times.append(now)
        course.regret.append(_regret(problem, trials))
        return now

    occupied = 0.0
    for number in range(count):
        now = finish() if len(running) == slots else 0.0
        begin = time.process_time()
        parameters = propose(problem.space, list(trials.values()), number=number)
        course.asking.append(time.process_time() - begin)
        course.known.append(len(course.times))
        trials[number] = Trial(number, parameters, "running")
        duration = problem.duration(parameters, number)
        occupied += duration
        heapq.heappush(running, (now + duration, number))
    while running:
        finish()
    return replace(course, busy=occupied / (slots * course.times[-1])), list(trials.values())


def _regret(problem: Problem, trials: dict[int, Trial]) -> float:
    """Return the regret of the trial with the best measured value, of the first trial where all failed."""
    sign = 1.0 if problem.maximise else -1.0
    measured = [trial for trial in trials.values() if trial.measured]
    best = max(measured, key=lambda trial: (sign * (trial.value or 0.0), -trial.number), default=trials[0])
    return problem.regret(best.parameters)


def fingerprint(case: Case) -> str:
    """Return a digest of what the sweep depends on: the sampler's version and what the problem answers."""
    problem = OBJECTIVES[case.objective].problem(case.seed)
    answers = [_answers(problem, number) for number in range(8)]
    content = [asdict(case), PEERS[case.sampler].version, answers]
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()[:12]


def _answers(problem: Problem, number: int) -> list[str]:
    u = np.random.default_rng(derive_seed(0, "random", number)).random((1, len(problem.space.dimensions)))
    parameters = cube.decode(problem.space, cube.snap(problem.space, u), 0)
    measured = problem.measure(parameters, number)
    numbers = (problem.best, problem.value(parameters), measured, problem.duration(parameters, number))
    return ["failed" if answer is None else f"{answer:.6g}" for answer in numbers]


def cached(case: Case, folder: Path | None) -> Run:
    """Return the stored sweep where there is one of the same code, else run it and store it."""
    path = _path(case, folder) if folder else None
    if path and path.is_file():
        content = json.loads(path.read_text())
        return Run(**{**content, "case": Case(**content["case"])})
    warm_up(case.sampler)
    run = simulate(case)
    if path:
        store(path, asdict(run))
    return run


def is_cached(case: Case, folder: Path | None) -> bool:
    """Whether there is a stored sweep of the same code."""
    return folder is not None and _path(case, folder).is_file()


def _path(case: Case, folder: Path) -> Path:
    name = f"{case.objective}.{case.sampler}.n{case.slots}.t{case.trials}.s{case.seed}"
    return folder / f"{name}.{fingerprint(case)}.json"


def store(path: Path, content: object) -> None:
    """Write ``content`` as JSON in one step."""
    partial = path.with_suffix(f".{os.getpid()}")
    partial.write_text(json.dumps(_rounded(content)) + "\n")
    partial.replace(path)


def _rounded(content: object) -> object:
    """Return the content with numbers of nine digits."""
    if isinstance(content, dict):
        return {key: _rounded(value) for key, value in content.items()}
    if isinstance(content, list):
        return [_rounded(value) for value in content]
    return float(np.format_float_scientific(content, 8)) if isinstance(content, float) else content
