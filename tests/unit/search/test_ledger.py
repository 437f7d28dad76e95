from __future__ import annotations

import json
import os
import re
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hakken.core import publish
from hakken.core.errors import HakkenError
from hakken.search import Trial
from hakken.search.ledger import Ledger, Planned, generations
from hakken.search.settings import Settings, versions

SPACE = {"x": {"type": "real", "low": 0, "high": 1}}
DETAILS = {"seed": 7, "space": {"x": {"low": 0, "high": 1}}, "slots": 2}
SETTINGS = Settings(SPACE, seed=7)


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


def test_a_result_needs_a_final_state(ledger: Ledger) -> None:
    with pytest.raises(HakkenError, match="trial 1: a result cannot have the state `running`; known: complete, failed"):
        ledger.publish(1, {"state": "running", "objective": 0.5})


def test_the_same_sweep_goes_on(ledger: Ledger) -> None:
    ledger.join("abc", DETAILS, SETTINGS)
    ledger.join("abc", {**DETAILS, "slots": 8}, SETTINGS)
    assert json.loads((ledger.folder / "sweep.json").read_text()) == {"context": "abc", "details": DETAILS}


def test_another_sweep_names_what_differs(ledger: Ledger) -> None:
    ledger.join("abc", DETAILS, SETTINGS)
    changed = {"seed": 7, "space": {"x": {"low": 0, "high": 2}}, "slots": 2, "sampler": "sobol"}
    message = (
        f"{ledger.folder}: this sweep was begun with other settings: `sampler` (absent, now sobol), "
        "`space.x.high` (1, now 2); its trials cannot be mixed with new ones. Nothing is lost: undo the change to go "
        "on, or move the folder away to begin anew"
    )
    with pytest.raises(HakkenError, match=re.escape(message)):
        ledger.join("def", changed, SETTINGS)
    assert json.loads((ledger.folder / "sweep.json").read_text())["context"] == "abc"


def test_what_proposals_depend_on_is_kept(ledger: Ledger) -> None:
    assert ledger.settings() is None
    assert ledger.versions() == {}
    ledger.join("abc", DETAILS, SETTINGS)
    assert ledger.settings() == SETTINGS
    assert ledger.versions() == versions()
    content = json.loads((ledger.folder / "settings.json").read_text())
    assert content == {"settings": SETTINGS.to_json(), "versions": versions()}


def test_other_settings_are_refused_even_for_the_same_study(ledger: Ledger) -> None:
    ledger.join("abc", DETAILS, SETTINGS)
    message = "begun with other settings: `first` ([], now [{'x': 0.5}]), `sampler` (bayesian, now sobol); its trials"
    with pytest.raises(HakkenError, match=re.escape(message)):
        ledger.join("abc", DETAILS, Settings(SPACE, seed=7, sampler="sobol", first=({"x": 0.5},)))
    assert ledger.settings() == SETTINGS


def test_a_sweep_whose_beginning_was_killed_halfway_begins_anew(ledger: Ledger) -> None:
    ledger.join("abc", DETAILS, SETTINGS)
    (ledger.folder / "settings.json").unlink()
    ledger.join("abc", DETAILS, SETTINGS)
    assert ledger.settings() == SETTINGS


def test_temporary_and_torn_files_are_not_read(ledger: Ledger) -> None:
    ledger.proposal(1, 0, lambda trials: {"x": 0.5})
    (ledger.folder / ".tmp-0123-trial-0001.json").write_text('{"state": "complete", "objective": 1}')
    (ledger.folder / "trial-0001.json").write_text('{"state": "compl')
    (ledger.folder / "proposal-0002.json").write_text("")
    (ledger.folder / "notes.txt").write_text("mine")
    os.utime(ledger.folder / "trial-0001.json", (1.0, 1.0))  # whoever wrote it is long dead
    assert ledger.snapshot() == (Trial(1, {"x": 0.5}, "running"),)
    assert ledger.publish(1, result(0.25))["objective"] == 0.25
    assert ledger.snapshot() == (Trial(1, {"x": 0.5}, "complete", 0.25),)


def test_leftovers_of_killed_writers_are_cleared_after_a_day(ledger: Ledger) -> None:
    ledger.join("abc", {}, SETTINGS)
    old, new = ledger.folder / ".tmp-1-trial-0001.json", ledger.folder / ".tmp-2-trial-0001.json"
    for path in (old, new):
        path.write_text("{")
    os.utime(old, (1.0, 1.0))
    ledger.join("abc", {}, SETTINGS)
    assert (old.exists(), new.exists()) == (False, True)


def test_a_twin_does_not_get_the_lease(ledger: Ledger) -> None:
    with ledger.lease(1) as first, ledger.lease(1) as twin, ledger.lease(2) as other:
        assert (first.held, twin.held, other.held) == (True, False, True)


def test_a_proposal_keeps_the_plan_of_its_time(ledger: Ledger) -> None:
    assert ledger.proposal(1, 0, lambda trials: {"x": 0.5}).trials is None
    planned = ledger.proposal(2, 0, lambda trials: {"x": 0.5}, Planned(trials=50, slots=8))
    assert (planned.trials, planned.slots) == (50, 8)
    assert ledger.stored_proposal(2) == planned
    path = ledger.folder / "proposal-0002.json"
    older = {key: value for key, value in json.loads(path.read_text()).items() if key not in ("trials", "slots")}
    path.write_text(json.dumps(older))
    stored = ledger.stored_proposal(2)
    assert stored is not None
    assert (stored.parameters, stored.trials, stored.slots) == ({"x": 0.5}, None, None)


class TestSilence:
    """Trial 1 is pending; trial 2 took 100 s, so silence is counted from 300 s on."""

    @pytest.fixture
    def aged(self, ledger: Ledger) -> Callable[[float, str], None]:
        ledger.proposal(1, 0, lambda trials: {"x": 0.25})

        def age(seconds: float, name: str = "proposal-0001.json") -> None:
            moment = time.time() - seconds
            os.utime(ledger.folder / name, (moment, moment))

        return age

    def finish(self, ledger: Ledger, **more: Any) -> None:
        ledger.proposal(2, 0, lambda trials: {"x": 0.75})
        ledger.publish(2, result(0.5, **more))

    def pending(self, ledger: Ledger) -> list[int]:
        return [trial.number for trial in ledger.snapshot() if trial.pending]

    @pytest.mark.parametrize(("silence", "pending"), [(290, [1]), (310, [])])
    def test_counts_from_three_times_the_longest_finished_trial(
        self, silence: float, pending: list[int], ledger: Ledger, aged: Callable[..., None]
    ) -> None:
        self.finish(ledger, seconds=100.0)
        ledger.publish(3, result(0.5, seconds=1.0, parameters={"x": 0.1}))
        aged(silence)
        assert self.pending(ledger) == pending

    @pytest.mark.parametrize(("silence", "pending"), [(290, [1]), (310, [])])
    def test_the_length_may_stand_in_start_and_end(
        self, silence: float, pending: list[int], ledger: Ledger, aged: Callable[..., None]
    ) -> None:
        self.finish(ledger, seconds=2.0, start="2026-01-01T00:00:00.000+00:00", end="2026-01-01T00:01:40.000+00:00")
        aged(silence)
        assert self.pending(ledger) == pending

    def test_a_lease_that_is_touched_is_a_sign_of_life(self, ledger: Ledger, aged: Callable[..., None]) -> None:
        self.finish(ledger, seconds=100.0)
        aged(1e6)
        with ledger.lease(1):
            assert self.pending(ledger) == [1]
            aged(310, "trial-0001.lease")
            assert self.pending(ledger) == []
            aged(290, "trial-0001.lease")
            assert self.pending(ledger) == [1]

    def test_never_counts_before_a_trial_has_finished(self, ledger: Ledger, aged: Callable[..., None]) -> None:
        aged(1e9)
        assert self.pending(ledger) == [1]

    def test_never_counts_before_a_lease_is_stale(self, ledger: Ledger, aged: Callable[..., None]) -> None:
        self.finish(ledger, seconds=0.001)
        patient = Ledger(ledger.folder, stale_after=60)
        aged(50)
        assert self.pending(patient) == [1]
        aged(70)
        assert self.pending(patient) == []

    def test_is_told_by_the_clock_of_the_file_system(
        self, ledger: Ledger, aged: Callable[..., None], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        self.finish(ledger, seconds=100.0)
        aged(290)
        monkeypatch.setattr(time, "time", lambda: 4e9)  # this node's clock is decades ahead
        assert self.pending(ledger) == [1]

    def test_in_a_folder_that_is_read_only_this_machine_s_clock_is_asked(
        self, ledger: Ledger, aged: Callable[..., None], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def refuse(_: Path) -> float:
            raise HakkenError("read-only")

        self.finish(ledger, seconds=100.0)
        aged(310)
        monkeypatch.setattr(publish, "server_time", refuse)
        assert self.pending(ledger) == []

    def test_the_proposal_says_what_was_passed_and_a_late_result_counts(
        self, ledger: Ledger, aged: Callable[..., None]
    ) -> None:
        self.finish(ledger, seconds=100.0)
        aged(310)
        passed: list[Trial] = []

        def ask(trials: tuple[Trial, ...]) -> dict[str, Any]:
            passed.extend(trials)
            return {"x": 1.0}

        proposal = ledger.proposal(3, 0, ask)
        assert (proposal.known, proposal.pending) == ((2,), ())
        assert [trial.number for trial in passed] == [2]
        assert ledger.publish(1, result(0.875))["objective"] == 0.875
        assert ledger.snapshot()[0] == Trial(1, {"x": 0.25}, "complete", 0.875)


def test_an_entry_says_who_trains_and_since_when(ledger: Ledger) -> None:
    ledger.proposal(1, 0, lambda trials: {"x": 0.5})
    (waiting,) = ledger.entries()
    assert (waiting.pending, waiting.since) == (True, None)
    before = datetime.now(UTC).replace(microsecond=0)
    with ledger.lease(1):
        (running,) = ledger.entries()
    assert running.host == os.uname().nodename
    assert running.since is not None
    assert before <= datetime.fromisoformat(running.since) <= datetime.now(UTC)
    assert running.seen is not None
    assert abs(time.time() - running.seen) < 60
    ledger.publish(1, result(0.5))
    (finished,) = ledger.entries()
    assert (finished.pending, finished.host, finished.since, finished.seen) == (False, None, None, None)


def test_the_newest_ledger_is_the_one_to_which_something_was_published_last(tmp_path: Path) -> None:
    older, newer = (Ledger(tmp_path / "search" / "ledger" / name) for name in ("bbbb", "aaaa"))
    for seconds, ledger in ((200, older), (100, newer)):
        ledger.join("abc", {}, SETTINGS)
        for path in ledger.folder.glob("*.json"):
            os.utime(path, (time.time() - seconds,) * 2)
    (tmp_path / "search" / "ledger" / "notes").mkdir()
    folders = [ledger.folder.name for ledger in generations(tmp_path / "search")]
    assert folders == ["aaaa", "bbbb"]
    older.publish(1, result(0.5))
    assert [ledger.folder.name for ledger in generations(tmp_path / "search" / "ledger")] == ["bbbb", "aaaa"]
    assert generations(newer.folder) == (Ledger(newer.folder),)
    assert generations(tmp_path) == generations(tmp_path / "nowhere") == ()
