from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hakken.search.course import (
    Steps,
    TimedTrial,
    assign_slots,
    average,
    best_so_far,
    by_time,
    by_trials,
    duration,
    finishing_order,
    utilisation,
)


def trial(number: int, start: float, end: float, objective: float | None = 0.5, state: str = "complete") -> TimedTrial:
    return TimedTrial(number, state, objective, start, end)


FIRST = (  # finishes as 1, 0, 2, 3
    trial(0, 100, 104, 0.3),
    trial(1, 100, 102, None, "failed"),
    trial(2, 102, 106, 0.2),
    trial(3, 104, 110, 0.6),
)
SECOND = (trial(0, 50, 51, 0.1), trial(1, 51, 55, 0.5), trial(2, 55, 56, 0.9, "pruned"), trial(3, 56, 64, 0.7))


def test_what_costs_less_than_a_full_training_counts_so_much() -> None:
    segments = [TimedTrial(number, "paused", 0.1, 0, number + 1, 1 / 9) for number in range(3)]
    last = TimedTrial(3, "complete", 0.7, 3, 9, 2 / 3)
    assert by_trials([*segments, last]).at.tolist() == pytest.approx([1 / 9, 2 / 9, 1 / 3, 1])
    assert by_trials(FIRST).at.tolist() == [1, 2, 3, 4]


def test_the_best_so_far_never_falls_and_skips_failed_and_pruned_trials() -> None:
    assert best_so_far(finishing_order(FIRST)) == pytest.approx([np.nan, 0.3, 0.3, 0.6], nan_ok=True)
    assert best_so_far(finishing_order(SECOND)) == [0.1, 0.5, 0.5, 0.7]
    assert best_so_far([]) == []


def test_trials_that_end_together_count_by_number() -> None:
    assert [one.number for one in finishing_order([trial(2, 0, 5), trial(1, 1, 5), trial(0, 2, 6)])] == [1, 2, 0]


def test_a_step_holds_from_its_place_on() -> None:
    steps = Steps(np.array([2.0, 4.0]), np.array([0.3, 0.6]))
    assert steps(np.array([1.9, 2.0, 3.9, 4.0, 99.0])) == pytest.approx([np.nan, 0.3, 0.3, 0.6, 0.6], nan_ok=True)


def test_the_clock_of_a_course_starts_with_its_first_trial() -> None:
    assert by_time(FIRST).at.tolist() == [2, 4, 6, 10]
    assert by_time(SECOND).at.tolist() == [1, 5, 6, 14]
    assert by_trials(SECOND).at.tolist() == [1, 2, 3, 4]


def test_the_average_over_trials_by_hand() -> None:
    # After 1 finished trial the first repeat has no value yet; then 0.3|0.5, 0.3|0.5, 0.6|0.7.
    found = average([by_trials(FIRST), by_trials(SECOND)])
    assert found.at.tolist() == [2, 3, 4]
    assert found.mean == pytest.approx([0.4, 0.4, 0.65])
    assert found.low == pytest.approx([0.3, 0.3, 0.6])
    assert found.high == pytest.approx([0.5, 0.5, 0.7])


def test_the_average_over_time_by_hand() -> None:
    # Steps: the first repeat 0.3 at 4 s and 0.6 at 10 s; the second 0.1 at 1 s, 0.5 at 5 s and 0.7 at 14 s.
    found = average([by_time(FIRST), by_time(SECOND)])
    assert found.at.tolist() == [4, 5, 6, 10, 14]
    assert found.mean == pytest.approx([0.2, 0.4, 0.4, 0.55, 0.65])
    assert found.low == pytest.approx([0.1, 0.3, 0.3, 0.5, 0.6])
    assert found.high == pytest.approx([0.3, 0.5, 0.5, 0.6, 0.7])


def test_a_level_is_reached_where_the_mean_first_has_it() -> None:
    found = average([by_time(FIRST), by_time(SECOND)])
    assert found.reaches(0.4) == 5
    assert found.reaches(0.55) == 10
    assert found.reaches(0.66) is None


def test_without_a_value_in_every_repeat_there_is_no_average() -> None:
    failed = by_time([trial(0, 0, 1, None, "failed")])
    assert len(average([by_time(FIRST), failed]).at) == 0
    assert len(average([by_time(())]).at) == 0
    assert len(average([]).at) == 0


@st.composite
def sweeps(draw: st.DrawFn) -> tuple[TimedTrial, ...]:
    count = draw(st.integers(1, 8))
    seconds = st.integers(0, 50)
    drawn = [(draw(seconds), draw(seconds), draw(st.none() | st.floats(0, 1))) for _ in range(count)]
    return tuple(
        trial(number, start, start + length, value, "failed" if value is None else "complete")
        for number, (start, length, value) in enumerate(drawn)
    )


@given(st.lists(sweeps(), min_size=1, max_size=3))
def test_an_average_never_falls_and_lies_within_its_band(repeats: list[tuple[TimedTrial, ...]]) -> None:
    for course in (by_time, by_trials):
        found = average([course(repeat) for repeat in repeats])
        assert np.all(np.diff(found.mean) >= -1e-12)
        assert np.all(np.diff(found.at) > 0)
        assert np.all(found.low <= found.mean + 1e-12)
        assert np.all(found.mean <= found.high + 1e-12)


@given(sweeps(), st.integers(1, 4))
def test_bars_of_one_slot_never_overlap(trials: tuple[TimedTrial, ...], slots: int) -> None:
    taken = assign_slots(trials, slots)
    assert set(taken) == {one.number for one in trials}
    for slot in set(taken.values()):
        bars = sorted((one.start, one.end) for one in trials if taken[one.number] == slot)
        assert all(before[1] <= after[0] for before, after in itertools.pairwise(bars))


def test_a_free_slot_takes_the_next_trial() -> None:
    trials = [trial(0, 0, 10), trial(1, 0, 4), trial(2, 4, 12), trial(3, 10, 12)]
    assert assign_slots(trials, 2) == {0: 0, 1: 1, 2: 1, 3: 0}


def test_more_trials_at_once_than_slots_open_another_row() -> None:
    assert assign_slots([trial(0, 0, 10), trial(1, 1, 10), trial(2, 2, 10)], 2) == {0: 0, 1: 1, 2: 2}


def test_utilisation_is_the_share_of_slot_seconds_in_use() -> None:
    assert utilisation([trial(0, 5, 15), trial(1, 5, 10)], 2) == pytest.approx(15 / 20)
    assert utilisation([trial(0, 5, 5)], 1) is None
    assert utilisation([], 2) is None


def test_the_duration_runs_from_the_first_start_to_the_last_end() -> None:
    assert duration(FIRST) == 10
    assert duration(()) == 0
