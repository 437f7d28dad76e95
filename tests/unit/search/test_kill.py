"""Writers that are killed at any instant lose nothing, double nothing, and leave every proposal replayable.

The long form, of minutes: python -m pytest -m slow -s tests/unit/search/test_kill.py
"""

from __future__ import annotations

import errno
import json
import multiprocessing
import os
import random
import signal
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from functools import partial
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import pytest

from hakken.cli import main
from hakken.core import publish
from hakken.runs.ask import decide_segment, propose_trial
from hakken.search import Trial
from hakken.search.ledger import Ledger, Planned, Proposal
from hakken.search.rungs import Rungs
from hakken.search.segments import BY_RUNG, by_rung, segments_of
from hakken.search.segments import ask as ask_segment
from hakken.search.settings import Settings
from hakken.search.trial import Value

FORK = multiprocessing.get_context("fork")
STALE = 6.0


def settings_of(trials: int) -> Settings:
    """Return a search over as many points as trials, half of them in a given order.

    Two that do not see each other propose the same point, and what a proposal did not know shows in its replay.
    """
    space = {"batch_size": {"type": "integer", "low": 1, "high": trials}}
    return Settings(space, 3, "random", first=tuple({"batch_size": size} for size in range(2, trials, 2)))


def ask(others: tuple[Trial, ...], place: int, trials: int) -> dict[str, Value]:
    time.sleep(0.005)  # as a model that is fitted
    return propose_trial(settings_of(trials), others, place)


def train(ledger: Ledger, number: int, trials: int, chance: random.Random) -> None:
    """One job of the sweep: ask, train some milliseconds, publish."""
    proposal = ledger.proposal(number, lambda others, place: ask(others, place, trials), Planned(trials, 4))
    seconds = chance.uniform(0.001, 0.02)
    time.sleep(seconds)
    outcome = {"state": "complete", "objective": chance.random(), "reason": None, "seconds": seconds}
    mine = outcome | {"parameters": proposal.parameters, "writer": f"{os.getpid()} {time.time_ns()}"}
    told = ledger.publish(number, mine)
    with (ledger.folder.parent / "told.txt").open("a") as stream:
        stream.write(f"{number} {told['writer']}\n")


def write(ledger: Ledger, share: list[int], released: Any, trials: int) -> None:
    """Train what is not yet published of a share of the trials, as a scheduler that retries its jobs.

    Every other one asks for no lease, as an orphan that has lost it, and trains beside a living twin.
    """
    chance = random.Random(os.getpid())
    while waiting := [number for number in share if ledger.result(number) is None]:
        number = waiting[0]
        if number >= released.value:
            time.sleep(0.002)
        elif chance.random() < 0.5:
            train(ledger, number, trials, chance)
        else:
            with ledger.lease(number) as lease:
                if lease.held and ledger.result(number) is None:
                    train(ledger, number, trials, chance)


@dataclass
class Supervisor:
    """Starts writers, kills them at random and starts others in their place."""

    ledger: Ledger
    writers: int
    trials: int
    chance: random.Random
    work: Callable[[Ledger, list[int], Any, int], None] = write
    kills: int = 0
    seen: dict[int, Trial] = field(default_factory=dict)
    running: dict[int, BaseProcess] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.released = FORK.RawValue("i", 2 * self.writers)

    def start(self, writer: int) -> None:
        """Start a writer; two at a time train the same share of the trials."""
        shares = self.writers // 2
        share = list(range(writer % shares, self.trials, shares))
        self.running[writer] = FORK.Process(target=self.work, args=(self.ledger, share, self.released, self.trials))
        self.running[writer].start()

    def kill_one(self) -> None:
        writer = self.chance.randrange(self.writers)
        victim = self.running[writer]
        victim.kill()
        victim.join()
        self.kills += victim.exitcode == -signal.SIGKILL
        self.start(writer)

    def look(self) -> None:
        """Make sure that nothing that was ever seen has changed or gone."""
        now = {trial.number: trial for trial in self.ledger.snapshot()}
        for number, before in self.seen.items():
            assert now[number].parameters == before.parameters
            assert before.pending or now[number] == before
        self.seen |= now

    def sweep(self, kills: int) -> None:
        """Run the whole sweep; trials are set free as kills go on, so that no kill comes after the last trial."""
        for writer in range(self.writers):
            self.start(writer)
        while self.kills < kills:
            time.sleep(self.chance.uniform(0, 0.03))
            self.kill_one()
            self.look()
            self.released.value = max(2 * self.writers, self.trials * self.kills // kills)
        for process in self.running.values():
            process.join(120)
            assert process.exitcode == 0
        self.look()


def check_told(ledger: Ledger) -> None:
    """Whoever was told a result was told the one that counts, and every file is whole."""
    for path in ledger.folder.glob("[!.]*.json"):
        assert json.loads(path.read_text()), path
    for line in (ledger.folder.parent / "told.txt").read_text().splitlines():
        number, _, writer = line.partition(" ")
        counted = ledger.result(int(number))
        assert counted is not None
        assert counted["writer"] == writer


def check(supervisor: Supervisor, capsys: pytest.CaptureFixture[str]) -> None:
    ledger, trials = supervisor.ledger, supervisor.trials
    entries = ledger.entries()
    assert [entry.number for entry in entries] == list(range(trials))
    points = set()
    for entry in entries:
        assert entry.proposal is not None
        assert entry.result is not None
        assert entry.result["parameters"] == entry.proposal.parameters
        points.add(tuple(entry.proposal.parameters.items()))
    assert len(points) == trials
    check_told(ledger)
    assert main(["search", "replay", str(ledger.folder)]) == 0
    everything = f"{trials} of {trials} proposals are the same when recomputed, 0 differ, 0 cannot be replayed\n"
    assert capsys.readouterr().out == everything


def run(folder: Path, writers: int, trials: int, kills: int, seed: int) -> Supervisor:
    ledger = Ledger(folder / "sweep" / "ledger", stale_after=STALE)
    ledger.join("kill", {}, settings_of(trials))
    supervisor = Supervisor(ledger, writers, trials, random.Random(seed))
    supervisor.sweep(kills)
    return supervisor


def test_kills_at_any_instant_lose_and_double_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    supervisor = run(tmp_path, writers=4, trials=20, kills=30, seed=1)
    assert supervisor.kills == 30
    check(supervisor, capsys)


RUNGS = Rungs.of(["1/9", "1/3"])


def settings_with_rungs() -> Settings:
    """Return a search of random points whose trainings pause."""
    space = {"batch_size": {"type": "integer", "low": 1, "high": 4000}}
    return Settings(space, 3, "random", rungs={"shares": ["1/9", "1/3"], "unpaused": None})


def train_segment(ledger: Ledger, proposal: Proposal, chance: random.Random) -> None:
    """Train a segment some milliseconds, publish; one in ten fails."""
    segment = proposal.segment
    assert segment is not None
    seconds = chance.uniform(0.001, 0.02)
    time.sleep(seconds)
    state = "failed" if chance.random() < 0.1 else "complete" if segment.until == RUNGS.end else "paused"
    found = {stop: chance.random() for stop in range(1, segment.until + 1)} if state != "failed" else {}
    outcome = {"state": state, "objective": found.get(segment.until), "reason": None, "seconds": seconds}
    outcome |= {BY_RUNG: by_rung(RUNGS, found), "segment": asdict(segment)}
    mine = outcome | {"parameters": proposal.parameters, "writer": f"{os.getpid()} {time.time_ns()}"}
    told = ledger.publish(proposal.number, mine)
    with (ledger.folder.parent / "told.txt").open("a") as stream:
        stream.write(f"{proposal.number} {told['writer']}\n")


def write_segments(ledger: Ledger, share: list[int], released: Any, jobs: int) -> None:
    """Work off a share of the jobs as a scheduler that retries them; every other segment without its lease."""
    chance, waiting = random.Random(os.getpid()), list(share)
    while waiting:
        job = waiting[0]
        if job >= released.value:
            time.sleep(0.002)
            continue
        decide = partial(decide_segment, settings_with_rungs(), job=job, budget=jobs)
        proposal = ask_segment(ledger, RUNGS, job, decide, Planned(jobs, 4))
        if proposal is None:
            waiting.pop(0)
        elif chance.random() < 0.5:
            train_segment(ledger, proposal, chance)
        else:
            with ledger.lease(proposal.number) as lease:
                if lease.held and ledger.result(proposal.number) is None:
                    train_segment(ledger, proposal, chance)


def run_with_rungs(folder: Path, writers: int, jobs: int, kills: int, seed: int) -> Supervisor:
    ledger = Ledger(folder / "sweep" / "ledger", stale_after=STALE)
    ledger.join("kill", {}, settings_with_rungs())
    supervisor = Supervisor(ledger, writers, jobs, random.Random(seed), write_segments)
    supervisor.sweep(kills)
    return supervisor


def check_segments(supervisor: Supervisor, capsys: pytest.CaptureFixture[str]) -> None:
    """Every job has spent its budget exactly, nothing is trained twice, and every decision is replayed."""
    ledger, jobs = supervisor.ledger, supervisor.trials
    log = ledger.log()
    segments = [segment for segment, _ in segments_of(log)]
    assert [entry.number for entry in ledger.entries()] == list(range(len(log))) == list(range(len(segments)))
    assert [RUNGS.spent(segments, job) for job in range(jobs)] == [1] * jobs
    claims = Counter((one.training, stop) for one in segments for stop in range(one.since, one.until))
    assert set(claims.values()) == {1}
    assert not any(entry.pending for entry in log)
    check_told(ledger)
    assert main(["search", "replay", str(ledger.folder)]) == 0
    same = f"{len(log)} of {len(log)} proposals are the same when recomputed, 0 differ, 0 cannot be replayed\n"
    assert capsys.readouterr().out == same


def test_kills_at_any_instant_lose_and_double_no_segment(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    supervisor = run_with_rungs(tmp_path, writers=4, jobs=12, kills=25, seed=1)
    assert supervisor.kills == 25
    check_segments(supervisor, capsys)


@pytest.fixture(params=[True, False], ids=["links", "no links"])
def file_system(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file system with hard links, and one that refuses them."""

    def refuse(*_: Any, **__: Any) -> None:
        raise OSError(errno.EOPNOTSUPP, "no links here")

    if not request.param:
        monkeypatch.setattr(os, "link", refuse)
        monkeypatch.setattr(publish, "TORN_SECONDS", 1.0)


@pytest.mark.slow
@pytest.mark.usefixtures("file_system")
def test_two_hundred_kills_of_jobs_with_rungs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    supervisor = run_with_rungs(tmp_path, writers=8, jobs=24, kills=200, seed=2)
    check_segments(supervisor, capsys)
    assert supervisor.kills == 200


@pytest.mark.slow
@pytest.mark.usefixtures("file_system")
def test_two_hundred_kills(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    begin = time.monotonic()
    supervisor = run(tmp_path, writers=8, trials=100, kills=200, seed=2)
    check(supervisor, capsys)
    ledger = supervisor.ledger
    left = list(ledger.folder.glob(f"{publish.TEMPORARY}*"))
    halves = sum(publish.read(path) is None for path in left)
    later = sum(len(ledger.later_results(number)) for number in range(100))
    with capsys.disabled():
        print(
            f"\n8 writers, 100 trials, {supervisor.kills} kills in {time.monotonic() - begin:.0f} s: all trials once, "
            f"{later} later results of twins kept, {len(left)} temporary files left ({halves} of them half-written)"
        )
    assert (supervisor.kills, later > 0) == (200, True)
