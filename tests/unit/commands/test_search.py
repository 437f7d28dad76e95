"""A sweep as it is watched, replayed and exported from its ledger."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from hakken.cli import main
from hakken.commands import search
from hakken.runs.ask import propose_trial
from hakken.search.ledger import Ledger, Planned
from hakken.search.settings import Settings

SWEEP = "results/brain/tiny/sweeps/search"
SPACE = {
    "learning_rate": {"type": "real", "low": 1e-4, "high": 1e-1, "scale": "log"},
    "dense_layers": {"type": "integer", "low": 0, "high": 1},
    "dense_units": {"type": "integer", "low": 8, "high": 64, "when": {"dense_layers": 1}},
    "batch_norm": {"type": "categorical", "choices": [True, False]},
}
FIRST = ({"learning_rate": 0.03125, "dense_layers": 1, "dense_units": 16, "batch_norm": True},)
SETTINGS = Settings(SPACE, seed=3, sampler="random", first=FIRST)


@pytest.fixture
def book(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Ledger:
    """A ledger of a sweep that has begun, in a project."""
    monkeypatch.chdir(tmp_path)
    return begin(Ledger(Path(SWEEP) / "ledger" / "aaaa"))


def begin(book: Ledger) -> Ledger:
    book.join("abc", {"seed": 3}, SETTINGS)
    return book


def propose(book: Ledger, *numbers: int) -> None:
    for number in numbers:
        book.proposal(number, lambda others, place: propose_trial(SETTINGS, others, place), Planned(50, 8))


def finish(book: Ledger, number: int, objective: float | None = 0.5, minutes: float = 10, **more: Any) -> None:
    start = datetime(2026, 1, 1, tzinfo=UTC)
    record = {
        "state": "complete",
        "objective": objective,
        "start": start.isoformat(timespec="milliseconds"),
        "end": (start + timedelta(minutes=minutes)).isoformat(timespec="milliseconds"),
        "seconds": 60 * minutes,
        "gpu_seconds": 0.0,
        "host": "node7",
        "reason": None,
    }
    proposal = book.stored_proposal(number)
    assert proposal is not None
    told = {"parameters": proposal.parameters, "known": proposal.known, "pending": proposal.pending}
    book.publish(number, record | told | more)


def fail(book: Ledger, number: int, reason: str, **more: Any) -> None:
    finish(book, number, None, state="failed", reason=reason, **more)


def age(path: Path, seconds: float) -> None:
    os.utime(path, (time.time() - seconds,) * 2)


def shown(capsys: pytest.CaptureFixture[str], *words: str, status: int = 0) -> str:
    assert main(["search", *words]) == status
    return capsys.readouterr().out


class TestStatus:
    def test_of_a_sweep_in_the_middle(self, book: Ledger, capsys: pytest.CaptureFixture[str]) -> None:
        propose(book, 0, 1, 2, 3, 4, 5, 6)
        finish(book, 0, 0.875)
        finish(book, 1, 0.75, minutes=20)
        finish(book, 1, 0.8, minutes=30)
        fail(book, 2, "out of memory", minutes=5)
        fail(book, 3, "out of memory", minutes=5)
        age(book.folder / "proposal-0005.json", 2 * 86_400 + 7_300)
        age(book.folder / "proposal-0004.json", 1000)
        with book.lease(4):
            began = datetime.now(UTC) - timedelta(seconds=950)
            rewrite(book.folder / "trial-0004.lease", since=began.isoformat(), host="node9")
            age(book.folder / "trial-0004.lease", 200)
            lines = shown(capsys, "status", SWEEP).splitlines()
        assert lines[0] == SWEEP
        assert lines[1] == "trials    4 of 50 finished (2 complete, 2 failed), 2 running, 1 silent, 43 to come"
        assert lines[2] == "failed    2 out of memory"
        assert lines[3] == (
            "best      0.8750, trial 0: learning_rate 0.03125, dense_layers 1, dense_units 16, batch_norm true"
        )
        assert lines[4] == "running   trial 4 on node9 for 12 min, last seen 3 min ago"
        assert re.fullmatch(r" {10}trial 6: no process has it, last seen \d s ago", lines[5])
        assert lines[6] == (
            "silent    trial 5: no process has it, last seen 2 d 2 h ago; counts no longer, its result would"
        )
        assert re.fullmatch(r"slots {5}\d+ % of 8 in use since the first trial began", lines[7])
        assert re.fullmatch(r"left {6}about \d+ min, at 10 min a trial", lines[8])
        assert lines[9:] == ["twins     trial 1: 0.7500 counts, later 0.8000"]

    def test_of_a_sweep_that_has_just_begun(self, book: Ledger, capsys: pytest.CaptureFixture[str]) -> None:
        assert shown(capsys, "status", SWEEP) == f"{SWEEP}\ntrials    0 finished\n"

    def test_of_a_finished_sweep(self, book: Ledger, capsys: pytest.CaptureFixture[str]) -> None:
        book.proposal(0, lambda others, place: propose_trial(SETTINGS, others, place), Planned(1, 1))
        finish(book, 0, 0.5)
        assert shown(capsys, "status", SWEEP).splitlines()[1:] == [
            "trials    1 of 1 finished (1 complete)",
            "best      0.5000, trial 0: learning_rate 0.03125, dense_layers 1, dense_units 16, batch_norm true",
            "slots     100 % of 1 in use since the first trial began",
        ]

    def test_as_json(self, book: Ledger, capsys: pytest.CaptureFixture[str]) -> None:
        propose(book, 0, 1)
        finish(book, 0, 0.875)
        content = json.loads(shown(capsys, "status", SWEEP, "--json"))
        assert content["ledger"] == str(book.folder)
        assert content["states"] == {"complete": 1, "failed": 0, "pruned": 0, "running": 1, "silent": 0}
        assert content["best"] == {"number": 0, "objective": 0.875, "parameters": FIRST[0]}
        assert (content["trials"], content["slots"], content["mean_seconds"]) == (50, 8, 600.0)
        assert content["running"][0]["number"] == 1

    def test_shows_the_newest_ledger_and_names_the_others(
        self, book: Ledger, capsys: pytest.CaptureFixture[str]
    ) -> None:
        propose(book, 0)
        for path in book.folder.glob("*.json"):
            age(path, 100)
        newer = begin(Ledger(book.folder.with_name("bbbb")))
        propose(newer, 0, 1)
        lines = shown(capsys, "status", SWEEP).splitlines()
        assert lines[1] == "ledger    bbbb, the newest; others, of other code or data: aaaa"
        assert lines[2] == "trials    0 of 50 finished, 2 running, 48 to come"
        older = shown(capsys, "status", str(book.folder)).splitlines()
        assert older[1] == "trials    0 of 50 finished, 1 running, 49 to come"
        assert shown(capsys, "status", f"{SWEEP}/ledger").splitlines()[1:] == lines[1:]

    def test_leaves_the_ledger_as_it_was(self, book: Ledger, capsys: pytest.CaptureFixture[str]) -> None:
        propose(book, 0, 1)
        finish(book, 0)
        before = {path: path.read_bytes() for path in book.folder.iterdir()}
        shown(capsys, "status", SWEEP)
        assert {path: path.read_bytes() for path in book.folder.iterdir()} == before


def rewrite(path: Path, **changes: Any) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


class TestReplay:
    def test_of_proposals_as_they_were_made(self, book: Ledger, capsys: pytest.CaptureFixture[str]) -> None:
        propose(book, 0, 1, 2)
        finish(book, 1)
        propose(book, 3)
        finish(book, 2, 0.75)  # pending when 3 was proposed
        said = shown(capsys, "replay", SWEEP)
        assert said == "4 of 4 proposals are the same when recomputed, 0 differ, 0 cannot be replayed\n"

    def test_names_what_differs_and_the_versions(self, book: Ledger, capsys: pytest.CaptureFixture[str]) -> None:
        propose(book, 0, 1)
        parameters = json.loads((book.folder / "proposal-0001.json").read_text())["parameters"]
        made, other = parameters["batch_norm"], not parameters["batch_norm"]
        rewrite(book.folder / "proposal-0001.json", parameters=parameters | {"batch_norm": other}, host="node7")
        said = shown(capsys, "replay", SWEEP, status=1).splitlines()
        assert said == [
            f"trial 1, proposed on node7: `batch_norm` ({other}, now {made})",
            "1 of 2 proposals are the same when recomputed, 1 differ, 0 cannot be replayed",
            "all library versions are those recorded",
        ]
        recorded = json.loads((book.folder / "settings.json").read_text())["versions"]
        rewrite(book.folder / "settings.json", versions=recorded | {"numpy": "1.0", "python": "3.9"})
        last = shown(capsys, "replay", SWEEP, status=1).splitlines()[-1]
        assert re.fullmatch(r"versions differ: `numpy` \(1\.0, now \S+\), `python` \(3\.9, now \S+\)", last)

    def test_names_proposals_whose_known_trials_are_gone(
        self, book: Ledger, capsys: pytest.CaptureFixture[str]
    ) -> None:
        propose(book, 0, 1)
        finish(book, 0)
        propose(book, 2)
        (book.folder / "trial-0000.json").unlink()
        (book.folder / "proposal-0001.json").unlink()
        assert shown(capsys, "replay", SWEEP, status=1).splitlines() == [
            "trial 2: cannot be replayed, files of trial 0, 1 are missing",
            "1 of 2 proposals are the same when recomputed, 0 differ, 1 cannot be replayed",
        ]

    def test_needs_the_settings(self, book: Ledger, capsys: pytest.CaptureFixture[str]) -> None:
        (book.folder / "settings.json").unlink()
        assert main(["search", "replay", SWEEP]) == 2
        assert capsys.readouterr().err == (
            f"hakken search: {book.folder}: settings.json is missing, so its proposals cannot be recomputed\n"
        )


class TestExport:
    def test_prints_a_row_for_each_trial(self, book: Ledger, capsys: pytest.CaptureFixture[str]) -> None:
        propose(book, 0, 1, 2, 3)
        finish(book, 0, 0.875)
        finish(book, 0, 0.9)
        fail(book, 1, "out of memory")
        age(book.folder / "proposal-0003.json", 1e6)
        rows = list(csv.DictReader(io.StringIO(shown(capsys, "export", SWEEP))))
        assert [row["state"] for row in rows] == ["complete", "failed", "running", "silent"]
        assert list(rows[0])[-4:] == list(SPACE)
        assert rows[0] == {
            "number": "0",
            "place": "0",
            "state": "complete",
            "objective": "0.875",
            "reason": "",
            "start": "2026-01-01T00:00:00.000+00:00",
            "end": "2026-01-01T00:10:00.000+00:00",
            "seconds": "600",
            "gpu_seconds": "0.0",
            "waited_share": "",
            "validation_share": "",
            "host": "node7",
            "jobs": "",
            "known": "0",
            "pending": "0",
            "later_results": "1",
            "learning_rate": "0.03125",
            "dense_layers": "1",
            "dense_units": "16",
            "batch_norm": "true",
        }
        assert [row["pending"] for row in rows] == ["0", "1", "2", "3"]
        assert (rows[1]["reason"], rows[1]["objective"]) == ("out of memory", "")
        for row in rows:
            assert (row["dense_units"] == "") == (row["dense_layers"] == "0")

    def test_writes_a_file(self, book: Ledger, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        propose(book, 0)
        finish(book, 0)
        printed = shown(capsys, "export", SWEEP)
        assert shown(capsys, "export", SWEEP, "--output", "new/trials.csv") == "1 trials written to new/trials.csv\n"
        assert (tmp_path / "new" / "trials.csv").read_text() == printed

    def test_of_a_sweep_with_nothing_to_search(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        book = Ledger(tmp_path / "default" / "ledger" / "aaaa")
        settings = Settings({}, 3, "random", first=({"kernel": 5},))
        book.join("abc", {}, settings)
        book.proposal(0, lambda others, place: propose_trial(settings, others, place))
        text = shown(capsys, "export", str(tmp_path / "default"))
        assert [text.splitlines()[0].split(",")[-1], text.splitlines()[1].split(",")[-1]] == ["kernel", "5"]


class TestWhatIsNoSweep:
    def test_the_nearest_sweep_is_named(self, book: Ledger, capsys: pytest.CaptureFixture[str]) -> None:
        begin(Ledger(Path("results/brain/tiny/sweeps/default/ledger/aaaa")))
        assert main(["search", "status", "results/brain/tiny/sweeps/serach"]) == 2
        assert capsys.readouterr().err == (
            f"hakken search: results/brain/tiny/sweeps/serach: no such folder; did you mean `{SWEEP}`?; "
            f"there are results/brain/tiny/sweeps/default, {SWEEP}\n"
        )

    def test_a_folder_without_a_ledger(self, book: Ledger, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["search", "export", "results/brain/tiny"]) == 2
        assert capsys.readouterr().err == (
            "hakken search: results/brain/tiny: no trial of a sweep has begun in it; did you mean "
            f"`{SWEEP}`?; there are {SWEEP}\n"
        )

    def test_outside_a_project(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        monkeypatch.chdir(tmp_path)
        assert main(["search", "replay", SWEEP]) == 2
        assert capsys.readouterr().err == (
            f"hakken search: {SWEEP}: no such folder, and no sweep has begun in `results`; "
            "is this the project's folder?\n"
        )


@pytest.mark.parametrize("action", ["status", "replay", "export"])
def test_each_action_has_its_help_with_an_example(action: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["search", action, "--help"])
    assert caught.value.code == 0
    assert f"example:\n  hakken search {action} {search.EXAMPLE_SWEEP}" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.4, "0 s"),
        (45.2, "45 s"),
        (60, "1 min"),
        (719, "11 min"),
        (3_600, "1 h 0 min"),
        (18_600, "5 h 10 min"),
        (183_600, "2 d 3 h"),
    ],
)
def test_times_in_words(seconds: float, words: str) -> None:
    assert search.in_words(seconds) == words
