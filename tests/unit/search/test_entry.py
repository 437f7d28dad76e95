from __future__ import annotations

import pytest

from hakken.search import Trial
from hakken.search.entry import Entry, Proposal, duration, known_to


def proposal(number: int, x: float, known: tuple[int, ...] = (), pending: tuple[int, ...] = ()) -> Proposal:
    return Proposal(number, {"x": x}, 10 - number, known, pending, "2026-01-01T00:00:00.000+00:00", "node7")


ENTRIES = {
    1: Entry(1, proposal(1, 0.1), {"state": "complete", "objective": 0.5}),
    2: Entry(2, proposal(2, 0.2), {"state": "complete", "objective": 0.75}),
    3: Entry(3, proposal(3, 0.3), None),
    4: Entry(4, None, {"state": "failed", "objective": None, "parameters": {"x": 0.4}}),
}


def test_an_entry_as_the_proposer_sees_it() -> None:
    assert [entry.trial for entry in ENTRIES.values()] == [
        Trial(1, {"x": 0.1}, "complete", 0.5),
        Trial(2, {"x": 0.2}, "complete", 0.75),
        Trial(3, {"x": 0.3}, "running"),
        Trial(4, {"x": 0.4}, "failed"),
    ]
    assert Entry(5, None, {"state": "complete", "objective": 1.0}).trial is None
    assert [entry.number for entry in ENTRIES.values() if entry.pending] == [3]
    asked = [entry.asked.number for entry in ENTRIES.values() if entry.asked is not None]
    assert asked == [9, 8, 7, 4], "places in the order of asking; trial 4 has no proposal that says its own"


def test_what_a_proposal_knew_is_told_as_it_was_then() -> None:
    """Trial 2 has finished since, and was running when trial 5 was proposed."""
    asked = proposal(5, 0.5, known=(1, 4), pending=(2, 3))
    assert set_of(known_to(asked, ENTRIES)) == {(9, "complete"), (4, "failed"), (8, "running"), (7, "running")}
    assert known_to(asked, ENTRIES)[0] == Trial(9, {"x": 0.1}, "complete", 0.5)


def test_what_is_gone_is_left_out() -> None:
    assert set_of(known_to(proposal(5, 0.5, known=(1, 3, 8), pending=(9,)), ENTRIES)) == {(9, "complete")}


def set_of(trials: tuple[Trial, ...]) -> set[tuple[int, str]]:
    return {(trial.number, trial.state) for trial in trials}


@pytest.mark.parametrize(
    ("record", "seconds"),
    [
        ({}, None),
        ({"seconds": None, "start": None, "end": None}, None),
        ({"seconds": 12.5}, 12.5),
        ({"start": "2026-01-01T00:00:00+00:00", "end": "2026-01-01T01:00:00.500+00:00"}, 3600.5),
        ({"seconds": 90, "start": "2026-01-01T00:00:00+00:00", "end": "2026-01-01T00:01:00+00:00"}, 90.0),
        ({"seconds": 30, "start": "2026-01-01T00:00:00+00:00", "end": "2026-01-01T00:01:00+00:00"}, 60.0),
    ],
)
def test_how_long_a_trial_took(record: dict[str, object], seconds: float | None) -> None:
    assert duration(record) == seconds
