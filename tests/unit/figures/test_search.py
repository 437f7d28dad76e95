from __future__ import annotations

import math

import pytest

from hakken.figures.search import SearchInput, TrialBar, assign_slots, best_so_far, draw_search, utilisation

from .helpers import ORIGIN


def bar(number: int, start: float, end: float) -> TrialBar:
    return TrialBar(number, "complete", 0.5, start, end)


def test_the_best_so_far_never_falls_and_skips_failed_trials() -> None:
    best = best_so_far([None, 0.3, 0.1, None, 0.5])
    assert math.isnan(best[0])
    assert best[1:] == [0.3, 0.3, 0.3, 0.5]
    assert best_so_far([]) == []


def test_a_free_slot_takes_the_next_trial() -> None:
    trials = [bar(0, 0, 10), bar(1, 0, 4), bar(2, 4, 12), bar(3, 10, 12)]
    assert assign_slots(trials, 2) == {0: 0, 1: 1, 2: 1, 3: 0}


def test_more_trials_at_once_than_slots_open_another_row() -> None:
    assert assign_slots([bar(0, 0, 10), bar(1, 1, 10), bar(2, 2, 10)], 2) == {0: 0, 1: 1, 2: 2}


def test_utilisation_is_the_share_of_slot_seconds_in_use() -> None:
    assert utilisation([bar(0, 0, 10), bar(1, 0, 5)], 2) == pytest.approx(15 / 20)
    assert utilisation([], 2) is None


@pytest.mark.parametrize(
    "trials",
    [(), (TrialBar(0, "failed", None, 0.0, 1.0),), (bar(0, 0, 1),)],
    ids=["none", "only failed", "one"],
)
def test_short_searches_are_drawn(trials: tuple[TrialBar, ...]) -> None:
    figure = draw_search(SearchInput(trials, 2, None, "Objective", ORIGIN))
    assert len(figure.axes) == 2


@pytest.mark.parametrize(("seconds", "unit"), [(60, "(s)"), (3600, "(min)"), (50_000, "(h)"), (400_000, "(d)")])
def test_the_time_axis_has_a_fitting_unit(seconds: float, unit: str) -> None:
    figure = draw_search(SearchInput((bar(0, 0, seconds),), 1, None, "Objective", ORIGIN))
    assert unit in figure.axes[1].get_xlabel()
