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
from dataclasses import dataclass, field
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import pytest

from hakken.cli import main
from hakken.search import Trial, publish
from hakken.search.ledger import Ledger, Planned
from hakken.search.settings import Settings
from hakken.training.proposal import propose_trial

FORK = multiprocessing.get_context("fork")
STALE = 6.0
# 256 points, so that proposers who do not see each other would soon meet in one
SPACE = {name: {"type": "integer", "low": 1, "high": 16} for name in ("batch_size", "dense_units")}
SETTINGS = Settings(SPACE, seed=3, sampler="random")


def train(ledger: Ledger, number: int, trials: int, chance: random.Random) -> None:
    """One job of the sweep: ask, train a few milliseconds, publish."""
    planned = Planned(trials, 4)
    proposal = ledger.proposal(number, number, lambda others: propose_trial(SETTINGS, others, number), planned)
    seconds = chance.uniform(0.001, 0.005)
    time.sleep(seconds)
    outcome = {"state": "complete", "objective": chance.random(), "reason": None, "seconds": seconds}
    mine = outcome | {"parameters": proposal.parameters, "writer": f"{os.getpid()} {time.time_ns()}"}
    told = ledger.publish(number, mine)
    with (ledger.folder.parent / "told.txt").open("a") as stream:
        stream.write(f"{number} {told['writer']}\n")


def write(ledger: Ledger, share: list[int], released: Any, trials: int) -> None:
    """Train what is not yet published of a share of the trials, as a scheduler that retries its jobs.

    One in five asks for no lease, as an orphan that has lost it, and trains beside a living twin.
    """
    chance = random.Random(os.getpid())
    while waiting := [number for number in share if ledger.result(number) is None]:
        number = waiting[0]
        if number >= released.value:
            time.sleep(0.002)
        elif chance.random() < 0.2:
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
    kills: int = 0
    seen: dict[int, Trial] = field(default_factory=dict)
    running: dict[int, BaseProcess] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.released = FORK.RawValue("i", 2 * self.writers)

    def start(self, writer: int) -> BaseProcess:
        share = list(range(writer, self.trials, self.writers))
        process = FORK.Process(target=write, args=(self.ledger, share, self.released, self.trials))
        process.start()
        return process

    def kill_one(self) -> None:
        """Kill a writer; the next one of its share starts before or after its end."""
        writer = self.chance.randrange(self.writers)
        victim, beside = self.running[writer], self.chance.random() < 0.5
        if beside:
            self.running[writer] = self.start(writer)
            time.sleep(self.chance.uniform(0, 0.2))
        victim.kill()
        victim.join()
        self.kills += victim.exitcode == -signal.SIGKILL
        if not beside:
            self.running[writer] = self.start(writer)

    def look(self) -> None:
        """Make sure that nothing that was ever seen has changed or gone."""
        now = {trial.number: trial for trial in self.ledger.snapshot()}
        for number, before in self.seen.items():
            assert now[number].parameters == before.parameters
            assert before.pending or now[number] == before
        self.seen |= now

    def sweep(self, kills: int) -> None:
        """Run the whole sweep; trials are set free as kills go on, so that no kill comes after the last trial."""
        self.running = {writer: self.start(writer) for writer in range(self.writers)}
        while self.kills < kills:
            time.sleep(self.chance.uniform(0, 0.03))
            self.kill_one()
            self.look()
            self.released.value = max(2 * self.writers, self.trials * self.kills // kills)
        for process in self.running.values():
            process.join(120)
            assert process.exitcode == 0
        self.look()


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
    for path in ledger.folder.glob("[!.]*.json"):
        assert json.loads(path.read_text()), path
    for line in (ledger.folder.parent / "told.txt").read_text().splitlines():
        number, _, writer = line.partition(" ")
        counted = ledger.result(int(number))
        assert counted is not None
        assert counted["writer"] == writer
    assert main(["search", "replay", str(ledger.folder)]) == 0
    everything = f"{trials} of {trials} proposals are the same when recomputed, 0 differ, 0 cannot be replayed\n"
    assert capsys.readouterr().out == everything


def run(folder: Path, writers: int, trials: int, kills: int, seed: int) -> Supervisor:
    ledger = Ledger(folder / "sweep" / "ledger", stale_after=STALE)
    ledger.join("kill", {}, SETTINGS)
    supervisor = Supervisor(ledger, writers, trials, random.Random(seed))
    supervisor.sweep(kills)
    return supervisor


def test_kills_at_any_instant_lose_and_double_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    supervisor = run(tmp_path, writers=4, trials=20, kills=30, seed=1)
    assert supervisor.kills == 30
    check(supervisor, capsys)


@pytest.mark.slow
@pytest.mark.parametrize("links", [True, False], ids=["links", "no links"])
def test_two_hundred_kills(
    links: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise OSError(errno.EOPNOTSUPP, "no links here")

    if not links:
        monkeypatch.setattr(os, "link", refuse)
        monkeypatch.setattr(publish, "TORN_SECONDS", 1.0)
    begin = time.monotonic()
    supervisor = run(tmp_path, writers=8, trials=100, kills=200, seed=2)
    check(supervisor, capsys)
    ledger = supervisor.ledger
    halves = [path for path in ledger.folder.glob(f"{publish.TEMPORARY}*") if publish.read(path) is None]
    left = len(list(ledger.folder.glob(f"{publish.TEMPORARY}*")))
    later = sum(len(ledger.later_results(number)) for number in range(100))
    with capsys.disabled():
        print(
            f"\n8 writers, 100 trials, {supervisor.kills} kills in {time.monotonic() - begin:.0f} s: all trials once, "
            f"{later} later results of twins kept, {left} temporary files left ({len(halves)} of them half-written)"
        )
