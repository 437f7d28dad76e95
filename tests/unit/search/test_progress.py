"""A sweep of 8 trials, 2 at once, planned at second 0; each number is worked out by hand."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from hakken.search.entry import Entry, Proposal
from hakken.search.progress import Best, Progress, Running, Twins, progress_of


def moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")


def finished(number: int, start: float, end: float, objective: float | None, **more: Any) -> Entry:
    record = {"state": "complete", "objective": objective, "start": moment(start), "end": moment(end), **more}
    return Entry(number, proposal(number, start), record)


def running(number: int, since: float | None, seen: float, host: str = "node9") -> Entry:
    return Entry(number, proposal(number, since or 0.0), None, host, None if since is None else moment(since), seen)


def proposal(number: int, at: float, trials: int | None = 8, slots: int | None = 2) -> Proposal:
    return Proposal(number, {"x": number / 10}, 0, (), (), moment(at), "node7", trials, slots)


ENTRIES = (
    finished(0, 0, 100, 0.5),
    finished(1, 0, 50, None, state="failed", reason="out of memory"),
    finished(2, 50, 200, 0.75),
    finished(3, 100, 200, 0.75),
    finished(4, 200, 300, 0.9, state="pruned"),
    running(5, 200, 390),
    running(6, 300, 400),
)


@pytest.fixture
def progress() -> Progress:
    return progress_of(ENTRIES, {5}, {3: [{"objective": 0.8}], 2: []}, now=420.0)


def test_states_and_reasons(progress: Progress) -> None:
    assert progress.states == {"complete": 3, "failed": 1, "pruned": 1, "running": 1, "silent": 1}
    assert (progress.finished, progress.trials, progress.slots) == (5, 8, 2)
    assert progress.reasons == {"out of memory": 1}


def test_who_runs_where_and_how_long(progress: Progress) -> None:
    assert progress.running == (Running(6, "node9", seconds=100.0, unseen=20.0),)
    assert progress.silent == (Running(5, "node9", seconds=190.0, unseen=30.0),)


def test_the_best_is_complete_and_the_first_of_equals(progress: Progress) -> None:
    assert progress.best == Best(2, 0.75, {"x": 0.2})
    lowest = progress_of(ENTRIES, (), {}, now=420.0, maximise=False)
    assert lowest.best == Best(0, 0.5, {"x": 0.0})


def test_the_use_of_the_slots(progress: Progress) -> None:
    """From 0 to 400: 100 + 50 + 150 + 100 + 100 + 190 + 100 of 2 x 400 slot-seconds."""
    assert progress.utilisation == pytest.approx(790 / 800)


def test_what_is_left(progress: Progress) -> None:
    """Five finished in 500 s; trial 6 has run for 100 s, and 5 and 7 are to come again or yet: 2 x 100 s on 2 slots."""
    assert progress.mean_seconds == 100.0
    assert progress.remaining_seconds == 100.0


def test_what_runs_is_counted_with_what_it_still_needs() -> None:
    """The mean is 100 s; trial 1 has run for 40 s and still needs 60 s, trials 2 to 7 are to come: 660 s on 2 slots."""
    entries = (finished(0, 0, 100, 0.5), running(1, 100, 140))
    assert progress_of(entries, (), {}, now=140.0).remaining_seconds == 330.0


def test_one_trial_cannot_be_shared_by_slots() -> None:
    entries = (*(finished(number, 0, 100, 0.5) for number in range(7)), running(7, 100, 130))
    assert progress_of(entries, (), {}, now=130.0).remaining_seconds == 70.0


def test_a_finished_sweep() -> None:
    progress = progress_of([finished(number, 0, 100, 0.5) for number in range(8)], (), {}, now=500.0)
    assert (progress.remaining_seconds, progress.utilisation) == (0.0, 4.0)


def test_twins(progress: Progress) -> None:
    assert progress.twins == (Twins(3, 0.75, (0.8,)),)


def test_a_trial_that_nobody_has_runs_for_no_time() -> None:
    progress = progress_of([running(0, None, 100.0)], (), {}, now=160.0)
    assert progress.running == (Running(0, "node9", None, 60.0),)


def test_the_newest_plan_counts() -> None:
    older, newer = proposal(0, 10, trials=50, slots=8), proposal(1, 20, trials=80, slots=4)
    unplanned = proposal(2, 30, trials=None, slots=None)
    progress = progress_of([Entry(each.number, each, None) for each in (newer, unplanned, older)], (), {}, now=40.0)
    assert (progress.trials, progress.slots) == (80, 4)


def test_what_cannot_be_known_yet() -> None:
    nothing = progress_of((), (), {}, now=0.0)
    assert (nothing.trials, nothing.slots, nothing.best, nothing.mean_seconds) == (None, None, None, None)
    assert (nothing.utilisation, nothing.remaining_seconds, nothing.finished) == (None, None, 0)
    begun = progress_of([running(0, 0, 60)], (), {}, now=60.0)
    assert (begun.trials, begun.utilisation, begun.remaining_seconds) == (8, 0.5, None)
