from __future__ import annotations

import json
import multiprocessing
import os
import random
import re
import signal
import threading
import time
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hakken.errors import HakkenError
from hakken.search import Trial
from hakken.search.ledger import Ledger, differences, plain

FORK = multiprocessing.get_context("fork")
DETAILS = {"seed": 7, "space": {"x": {"low": 0, "high": 1}}, "slots": 2}


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return Ledger(tmp_path / "ledger", stale_after=0.6, patience=5)


def result(objective: float | None = 0.5, **more: Any) -> dict[str, Any]:
    return {"state": "complete", "objective": objective, **more}


def test_an_empty_ledger(ledger: Ledger) -> None:
    assert ledger.snapshot() == ()
    assert ledger.result(1) is None
    assert ledger.stored_proposal(1) is None
    assert not ledger.folder.exists()


def test_the_life_of_a_trial(ledger: Ledger) -> None:
    proposal = ledger.proposal(7, seed=11, propose=lambda trials: {"x": 0.25})
    assert (proposal.number, proposal.parameters, proposal.seed) == (7, {"x": 0.25}, 11)
    assert ledger.snapshot() == (Trial(7, {"x": 0.25}, "running"),)
    record = ledger.publish(7, result(0.75, note="fine"))
    assert record == {"state": "complete", "objective": 0.75, "note": "fine", "number": 7}
    assert ledger.result(7) == record
    assert ledger.snapshot() == (Trial(7, {"x": 0.25}, "complete", 0.75),)
    assert json.loads((ledger.folder / "trial-0007.json").read_text()) == record


def test_a_retry_trains_the_same_point(ledger: Ledger) -> None:
    first = ledger.proposal(1, 11, lambda trials: {"x": 0.25})
    again = ledger.proposal(1, 99, lambda trials: pytest.fail("asked again"))
    assert again == first == ledger.stored_proposal(1)


def test_a_proposal_knows_who_has_finished_and_who_runs(ledger: Ledger) -> None:
    for number in (3, 1, 2):
        ledger.proposal(number, 0, lambda trials: {"x": 0.5})
    ledger.publish(2, result())
    ledger.publish(3, {"state": "failed", "objective": None, "reason": "out of memory"})
    seen: list[tuple[Trial, ...]] = []

    def ask(trials: tuple[Trial, ...]) -> dict[str, Any]:
        seen.append(trials)
        return {"x": 1.0}

    proposal = ledger.proposal(4, 0, ask)
    assert (proposal.known, proposal.pending) == ((2, 3), (1,))
    assert [trial.state for trial in seen[0]] == ["running", "complete", "failed"]


def test_a_proposal_does_not_see_its_own_number(ledger: Ledger) -> None:
    ledger.publish(4, result(parameters={"x": 0.0}))
    assert ledger.snapshot() == (Trial(4, {"x": 0.0}, "complete", 0.5),)
    assert ledger.proposal(4, 0, lambda trials: {"seen": len(trials)}).parameters == {"seen": 0}


def test_a_twin_that_publishes_first_wins(ledger: Ledger) -> None:
    def slow(_: tuple[Trial, ...]) -> dict[str, Any]:
        twin = Ledger(ledger.folder, patience=0)
        assert twin.proposal(1, 0, lambda trials: {"x": "twin"}).parameters == {"x": "twin"}
        return {"x": "slow"}

    assert ledger.proposal(1, 0, slow).parameters == {"x": "twin"}


def test_two_starters_see_each_other(ledger: Ledger) -> None:
    def start(number: int) -> None:
        def ask(trials: tuple[Trial, ...]) -> dict[str, Any]:
            time.sleep(0.1)
            return {"x": len(trials)}

        ledger.proposal(number, 0, ask)

    threads = [threading.Thread(target=start, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(trial.parameters["x"] for trial in ledger.snapshot()) == [0, 1, 2, 3]


def test_the_first_result_counts_and_others_are_kept(ledger: Ledger) -> None:
    ledger.proposal(1, 0, lambda trials: {"x": 0.5})
    first = ledger.publish(1, result(0.5))
    assert ledger.publish(1, result(0.9)) == first
    assert ledger.publish(1, result(0.1)) == first
    assert ledger.publish(1, result(0.5)) == first  # the very same result once more is no second one
    assert [record["objective"] for record in ledger.later_results(1)] == [0.9, 0.1]
    assert ledger.snapshot() == (Trial(1, {"x": 0.5}, "complete", 0.5),)


@pytest.mark.parametrize("objective", [float("nan"), float("inf"), np.float32("nan"), None])
def test_a_result_without_a_finite_objective_failed(ledger: Ledger, objective: float | None) -> None:
    record = ledger.publish(1, result(objective, parameters={"x": 1}))
    assert (record["state"], record["objective"]) == ("failed", None)
    assert record["reason"] == "diverged: the objective is not finite"
    assert ledger.snapshot() == (Trial(1, {"x": 1}, "failed"),)


def test_numpy_values_become_plain_ones(ledger: Ledger) -> None:
    record = ledger.publish(1, result(np.float32(0.5), curve=np.array([1.0, np.nan]), count=np.int64(3), ok=np.True_))
    assert record == {"state": "complete", "objective": 0.5, "curve": [1.0, None], "count": 3, "ok": True, "number": 1}
    assert [type(record[key]) for key in ("objective", "count", "ok")] == [float, int, bool]
    assert ledger.result(1) == record
    assert plain({"a": (Path("x"), {1: None})}) == {"a": ["x", {"1": None}]}


def test_a_result_needs_a_final_state(ledger: Ledger) -> None:
    with pytest.raises(HakkenError, match="trial 1: a result cannot have the state `running`; known: complete, failed"):
        ledger.publish(1, {"state": "running", "objective": 0.5})


def test_the_same_sweep_goes_on(ledger: Ledger) -> None:
    ledger.join("abc", DETAILS)
    ledger.join("abc", {**DETAILS, "slots": 8})
    assert json.loads((ledger.folder / "sweep.json").read_text()) == {"context": "abc", "details": DETAILS}


def test_another_sweep_names_what_differs(ledger: Ledger) -> None:
    ledger.join("abc", DETAILS)
    changed = {"seed": 7, "space": {"x": {"low": 0, "high": 2}}, "slots": 2, "sampler": "sobol"}
    message = (
        f"{ledger.folder}: this sweep was begun with other settings: `sampler` (absent, now sobol), "
        "`space.x.high` (1, now 2); its trials cannot be mixed with new ones. Nothing is lost: undo the change to go "
        "on, or move the folder away to begin anew"
    )
    with pytest.raises(HakkenError, match=re.escape(message)):
        ledger.join("def", changed)
    assert json.loads((ledger.folder / "sweep.json").read_text())["context"] == "abc"


def test_differences_of_equal_details_are_none() -> None:
    assert differences(DETAILS, json.loads(json.dumps(DETAILS))) == []
    assert differences({"a": "x" * 50}, {"a": 1}) == [f"`a` ({'x' * 37}..., now 1)"]


def test_temporary_and_torn_files_are_not_read(ledger: Ledger) -> None:
    ledger.proposal(1, 0, lambda trials: {"x": 0.5})
    (ledger.folder / ".tmp-0123-trial-0001.json").write_text('{"state": "complete", "objective": 1}')
    (ledger.folder / "trial-0001.json").write_text('{"state": "compl')
    (ledger.folder / "proposal-0002.json").write_text("")
    (ledger.folder / "notes.txt").write_text("mine")
    assert ledger.snapshot() == (Trial(1, {"x": 0.5}, "running"),)
    assert ledger.publish(1, result(0.25))["objective"] == 0.25
    assert ledger.snapshot() == (Trial(1, {"x": 0.5}, "complete", 0.25),)


def test_leftovers_of_killed_writers_are_cleared_after_a_day(ledger: Ledger) -> None:
    ledger.join("abc", {})
    old, new = ledger.folder / ".tmp-1-trial-0001.json", ledger.folder / ".tmp-2-trial-0001.json"
    for path in (old, new):
        path.write_text("{")
    os.utime(old, (1.0, 1.0))
    ledger.join("abc", {})
    assert (old.exists(), new.exists()) == (False, True)


def test_a_twin_does_not_get_the_lease(ledger: Ledger) -> None:
    with ledger.lease(1) as first, ledger.lease(1) as twin, ledger.lease(2) as other:
        assert (first.held, twin.held, other.held) == (True, False, True)


def work(folder: Path, worker: int, numbers: list[int], acknowledged: Path) -> None:
    """Propose and publish every trial; note in ``acknowledged`` what was published for good."""
    ledger = Ledger(folder, stale_after=5, patience=5)
    for number in numbers:
        ledger.proposal(number, 0, lambda trials: {"worker": worker, "of": len(trials)})
        record = ledger.publish(number, {"state": "complete", "objective": random.random(), "padding": "x" * 5000})
        with acknowledged.open("a") as stream:
            stream.write(f"{number} {record['objective']!r}\n")


def test_kills_at_any_instant_lose_and_double_nothing(tmp_path: Path) -> None:
    trials, writers, kills = 24, 4, 40
    ledger = Ledger(tmp_path / "ledger")
    chance = random.Random(3)
    first: dict[int, Trial] = {}

    def start(worker: int) -> BaseProcess:
        numbers = chance.sample(range(trials), trials)
        arguments = (ledger.folder, worker, numbers, tmp_path / f"{worker}.txt")
        process = FORK.Process(target=work, args=arguments)
        process.start()
        return process

    def look() -> None:
        for trial in ledger.snapshot():
            seen = first.setdefault(trial.number, trial)
            assert seen.parameters == trial.parameters
            assert seen.pending or seen == trial
            first[trial.number] = trial

    running = [start(worker) for worker in range(writers)]
    while kills:
        time.sleep(chance.uniform(0.0, 0.05))
        victim = chance.randrange(writers)
        running[victim].kill()
        running[victim].join()
        kills -= running[victim].exitcode == -signal.SIGKILL
        look()
        running[victim] = start(victim)
    for process in running:
        process.join(60)
        assert process.exitcode == 0
    look()
    assert [trial.number for trial in ledger.snapshot()] == list(range(trials))
    assert all(trial.state == "complete" for trial in first.values())
    for worker in range(writers):
        for line in (tmp_path / f"{worker}.txt").read_text().splitlines():
            number, objective = line.split(" ")
            assert first[int(number)].value == float(objective)
