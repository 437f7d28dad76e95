"""The order of asking of a search with rungs: who has which segment, whoever asks at once, is killed or silent."""

from __future__ import annotations

import json
import os
import random
import tempfile
import threading
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as settings_of_test
from hypothesis import strategies as st

from hakken.core.errors import HakkenError
from hakken.runs.ask import decide_segment, settings_of
from hakken.runs.guard import science
from hakken.runs.table import run_named
from hakken.search.entry import Planned
from hakken.search.ledger import Ledger
from hakken.search.progress import RungProgress, progress_of
from hakken.search.rungs import Known, Rungs, Segment, decide
from hakken.search.segments import (
    BY_RUNG,
    as_known_to,
    ask,
    by_rung,
    known_of,
    missing_for,
    segments_of,
)
from hakken.search.settings import Settings
from hakken.search.trial import Value

from ..miniature import study
from .rung_search import numbered

RUNGS = Rungs.of(["1/9", "1/3"])
PLANNED = Planned(10, 2)


def decided(job: int) -> Any:
    """Decide as the search does, trainings being numbered."""

    def choose(known: Sequence[Known]) -> tuple[Segment, dict[str, Value]]:
        return decide(RUNGS, known, job=job, budget=10, propose=numbered)

    return choose


def asked(book: Ledger, job: int, planned: Planned = PLANNED) -> Segment | None:
    """Ask for the next segment of a job."""
    proposal = ask(book, RUNGS, job, decided(job), planned)
    return None if proposal is None else proposal.segment


def publish(book: Ledger, number: int, state: str = "paused", seconds: float = 9.0, **objectives: float) -> None:
    """Publish the result of a segment, with its objectives at `r1`, `r2` and `end`."""
    found = {{"r1": 1, "r2": 2, "end": 3}[name]: value for name, value in objectives.items()}
    last = found[max(found)] if found else None
    proposal = book.stored_proposal(number)
    assert proposal is not None
    record = {"state": state, "objective": last, BY_RUNG: by_rung(RUNGS, found), "seconds": seconds, "reason": "x"}
    book.publish(number, record | {"parameters": proposal.parameters})


def test_every_decision_is_a_file_with_what_was_known(tmp_path: Path) -> None:
    book = Ledger(tmp_path)
    assert asked(book, 3) == Segment(3, 0, 0, 1)
    assert asked(book, 4) == Segment(4, 1, 0, 1)
    publish(book, 0, r1=0.5)
    assert asked(book, 3) == Segment(3, 2, 0, 1)
    content = json.loads((tmp_path / "proposal-0002.json").read_text())
    kept = {key: content[key] for key in ("number", "place", "known", "pending", "parameters", "trials", "slots")}
    assert kept == {
        **{"number": 2, "place": 2, "known": [0], "pending": [1], "parameters": {"x": 2}},
        **{"trials": 10, "slots": 2},
    }
    assert content["segment"] == {**{"job": 3, "training": 2, "since": 0, "until": 1, "agreement": [], "whole": False}}


def test_a_job_that_asks_again_gets_what_it_has_not_finished(tmp_path: Path) -> None:
    book = Ledger(tmp_path)
    first = asked(book, 0)
    assert asked(Ledger(tmp_path), 0) == first
    assert len(book.log()) == 1
    publish(book, 0, "failed")
    assert asked(book, 0) == Segment(0, 1, 0, 1), "what failed is spent, and the job goes on with the rest"


def test_a_job_whose_budget_is_spent_asks_for_nothing(tmp_path: Path) -> None:
    book = Ledger(tmp_path)
    for number in range(9):
        asked(book, 0)
        publish(book, number, r1=-float(number))
        if number == 2:
            assert asked(book, 1) == Segment(1, 0, 1, 2), "training 0 of job 0 goes on in job 1"
            break
    segments = [segment for segment, _ in segments_of(book.log())]
    assert RUNGS.spent(segments, 0) == RUNGS.stops[2]


def test_a_job_ends_when_it_has_spent_one(tmp_path: Path) -> None:
    book = Ledger(tmp_path)
    number = 0
    while asked(book, 0) is not None:
        publish(book, number, "failed")
        number += 1
    assert number == 9
    assert asked(book, 0) is None


def test_jobs_that_ask_at_once_never_get_the_same(tmp_path: Path) -> None:
    """Without waiting for each other: the next number is created by one of them alone."""
    book = Ledger(tmp_path, patience=0.0)
    found: list[Segment | None] = []
    ready = threading.Barrier(6)

    def go(job: int) -> None:
        ready.wait()
        found.append(asked(book, job))

    threads = [threading.Thread(target=go, args=(job,)) for job in (0, 0, 1, 1, 2, 3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    log = [segment for segment, _ in segments_of(book.log())]
    assert sorted(segment.job for segment in log) == [0, 1, 2, 3], "twins of a job have one segment together"
    assert sorted(segment.training for segment in log) == [0, 1, 2, 3]
    assert {segment for segment in found if segment is not None} == set(log)


def test_another_who_has_asked_meanwhile_is_taken_into_account(tmp_path: Path) -> None:
    book, calls = Ledger(tmp_path), []

    def late(known: Sequence[Known]) -> tuple[Segment, dict[str, Value]]:
        calls.append(len(known))
        if len(calls) == 1:  # one that has lost its lease, or cannot see it
            other = decide(RUNGS, known, job=8, budget=10, propose=numbered)
            proposal = ask(Ledger(tmp_path, patience=0.0), RUNGS, 8, lambda _: other, PLANNED)
            assert proposal is not None
        return decide(RUNGS, known, job=9, budget=10, propose=numbered)

    proposal = ask(book, RUNGS, 9, late, PLANNED)
    assert proposal is not None
    assert (proposal.number, proposal.segment) == (1, Segment(9, 1, 0, 1))
    assert calls == [0, 1], "it has decided again"


def test_the_log_ends_where_nobody_has_asked(tmp_path: Path) -> None:
    book = Ledger(tmp_path)
    for job in range(3):
        asked(book, job)
    (tmp_path / "proposal-0001.json").unlink()
    assert [entry.number for entry in book.log()] == [0]
    with pytest.raises(HakkenError, match=r"proposal-0001\.json is missing or damaged, and later ones rest on it"):
        asked(book, 5)
    assert not (tmp_path / "proposal-0001.json").exists()


def test_what_was_known_is_what_the_file_says_whatever_has_come_since(tmp_path: Path) -> None:
    book = Ledger(tmp_path)
    asked(book, 0)
    asked(book, 1)
    publish(book, 0, r1=0.5)
    asked(book, 0)
    publish(book, 1, r1=0.7)
    publish(book, 2, r1=0.1)
    entries = book.log()
    proposal = entries[2].proposal
    assert proposal is not None
    then = as_known_to(RUNGS, proposal, entries[::-1])
    assert [(one.state, dict(one.objectives or {})) for one in then] == [("paused", {1: 0.5}), ("running", {})]
    assert [one.silent for one in then] == [False, False]
    silent = as_known_to(RUNGS, replace(proposal, pending=()), entries)
    assert [one.silent for one in silent] == [False, True]
    now = known_of(RUNGS, entries)
    assert [one.state for one in now] == ["paused"] * 3


@settings_of_test(max_examples=5, deadline=None)
@given(st.integers(0, 2**32))
def test_a_ledger_replays_in_whatever_order_its_files_are_read(seed: int) -> None:
    chance = random.Random(seed)
    with tempfile.TemporaryDirectory() as folder:
        book, running = Ledger(Path(folder)), list[int]()
        for _ in range(40):
            if running and chance.random() < 0.5:
                publish_by_chance(book, running.pop(chance.randrange(len(running))), chance)
            else:
                job = chance.randrange(6)
                before = len(book.log())
                asked(book, job, Planned(6, 3))
                running += range(before, len(book.log()))
        entries = list(book.log())
    for entry in list(entries):
        chance.shuffle(entries)
        proposal = entry.proposal
        assert proposal is not None
        assert proposal.segment is not None
        known = as_known_to(RUNGS, proposal, entries)
        again = decide(RUNGS, known, job=proposal.segment.job, budget=10, propose=numbered)
        assert again == (proposal.segment, proposal.parameters)


def publish_by_chance(book: Ledger, number: int, chance: random.Random) -> None:
    proposal = book.stored_proposal(number)
    assert proposal is not None
    assert proposal.segment is not None
    until = proposal.segment.until
    names = ("r1", "r2", "end")[:until]
    if chance.random() < 0.2:
        publish(book, number, "failed")
    else:
        publish(book, number, "complete" if until == 3 else "paused", **{name: chance.random() for name in names})


def test_a_decision_whose_files_are_gone_cannot_be_replayed(tmp_path: Path) -> None:
    book = Ledger(tmp_path)
    asked(book, 0)
    publish(book, 0, r1=0.5)
    asked(book, 0)
    proposal = book.stored_proposal(1)
    assert proposal is not None
    assert missing_for(proposal, book.log()) == []
    (tmp_path / "trial-0000.json").unlink()
    assert missing_for(proposal, book.entries()) == [0]
    (tmp_path / "proposal-0000.json").unlink()
    assert missing_for(proposal, book.entries()) == [0]


def test_what_is_silent_keeps_nobody_away_but_stays_its_job_s(tmp_path: Path) -> None:
    book = Ledger(tmp_path, stale_after=1.0)
    asked(book, 0)
    asked(book, 1)
    publish(book, 1, seconds=1.0, r1=0.5)
    os.utime(tmp_path / "proposal-0000.json", (1, 1))
    asked(book, 1)
    proposal = book.stored_proposal(2)
    assert proposal is not None
    assert (proposal.known, proposal.pending) == ((1,), ())
    alone = Ledger(tmp_path / "alone", stale_after=1.0)
    ask(alone, RUNGS, 0, decided(0), Planned(10, 1))
    ask(alone, RUNGS, 1, decided(1), Planned(10, 1))
    publish(alone, 1, seconds=1.0, r1=0.5)
    os.utime(tmp_path / "alone" / "proposal-0000.json", (1, 1))
    ask(alone, RUNGS, 1, decided(1), Planned(10, 1))
    second = alone.stored_proposal(2)
    assert second is not None
    assert second.pending == (0,), "with one slot nothing is left to the clock"
    assert asked(book, 0) == Segment(0, 0, 0, 1), "the job itself goes on with it"


def test_the_progress_counts_trainings_and_what_they_cost(tmp_path: Path) -> None:
    book = Ledger(tmp_path)
    for number, value in enumerate((0.1, 0.9, 0.5)):
        asked(book, 0)
        publish(book, number, r1=value)
    assert asked(book, 1) == Segment(1, 1, 1, 2)
    publish(book, 3, seconds=18.0, r1=0.9, r2=0.95)
    asked(book, 1)
    found = progress_of(book.log(), (), {}, now=0.0, rungs=RUNGS)
    assert {state: count for state, count in found.states.items() if count} == {"paused": 3, "running": 1}
    assert found.rungs == RungProgress(pytest.approx(5 / 9), promoted=1, agreement=(), switched_off=False)
    assert found.mean_seconds == pytest.approx(45 / (5 / 9)), "of a full training"
    assert found.remaining_seconds == pytest.approx(81 * (10 - 5 / 9) / 2)
    assert [running.number for running in found.running] == [3], "the training, not the segment"


def test_a_search_with_rungs_knows_what_is_never_paused() -> None:
    chosen = study(search={"rungs": ["1/9", "1/3"], "trials": 3}, training={"steps": 18})
    found = settings_of(chosen, run_named(chosen, "search"))
    assert found.rungs == {"shares": ["1/9", "1/3"], "unpaused": {"learning_rate": 0.02}}
    assert settings_of(chosen, run_named(chosen, "default")).rungs == {}
    first, parameters = decide_segment(found, (), 0, 3)
    assert (first.until, parameters) == (3, {"learning_rate": 0.02})
    later = study(search={"rungs": ["1/9", "1/3"], "trials": 3, "default_first": False}, training={"steps": 18})
    assert settings_of(later, run_named(later, "search")).rungs["unpaused"] is None
    assert science(chosen)["search"]["rungs"] == ["1/9", "1/3"]
    assert "rungs" not in study().model_dump(mode="json")["search"], "what is written of others stays as it was"


def test_without_rungs_nothing_of_them_is_written(tmp_path: Path) -> None:
    settings = Settings({"x": {"type": "real", "low": 0, "high": 1}}, 3)
    assert set(settings.to_json()) == {
        *("space", "seed", "sampler", "startup", "maximise", "first", "prior", "defaults", "method")
    }
    assert Settings.from_json(settings.to_json()).stops is None
    with_rungs = replace(settings, rungs={"shares": ["1/3"], "unpaused": {"x": 0.5}})
    read = Settings.from_json(json.loads(json.dumps(with_rungs.to_json())))
    assert read == with_rungs
    assert read.stops == Rungs.of(["1/3"], {"x": 0.5})
    book = Ledger(tmp_path)
    book.proposal(0, lambda trials, place: {"x": 0.5}, Planned(1, 1))
    assert set(json.loads((tmp_path / "proposal-0000.json").read_text())) == {
        *("number", "parameters", "place", "known", "pending", "proposed_at", "host", "trials", "slots")
    }
