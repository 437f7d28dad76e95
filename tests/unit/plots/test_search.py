"""The course of a search as it is drawn."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from hakken.plots.search import Counts, SearchInput, draw_search
from hakken.plots.style import BLUE, SKY, VERMILLION
from hakken.search.course import TimedTrial

from .helpers import ORIGIN


def bar(number: int, start: float, end: float) -> TimedTrial:
    return TimedTrial(number, "complete", 0.5, start, end)


def draw(trials: Sequence[TimedTrial], slots: int = 2) -> Figure:
    return draw_search(SearchInput(tuple(trials), slots, None, "Objective", ORIGIN))


def words(figure: Figure) -> set[str]:
    return {text.get_text() for axes in figure.axes for text in axes.texts}


@pytest.mark.parametrize(
    "trials",
    [(), (TimedTrial(0, "failed", None, 0.0, 1.0),), (bar(0, 0, 1),)],
    ids=["none", "only failed", "one"],
)
def test_short_searches_are_drawn(trials: tuple[TimedTrial, ...]) -> None:
    assert len(draw(trials).axes) == 2


@pytest.mark.parametrize(("seconds", "unit"), [(60, "(s)"), (3600, "(min)"), (50_000, "(h)"), (400_000, "(d)")])
def test_the_time_axis_has_a_fitting_unit(seconds: float, unit: str) -> None:
    assert unit in draw([bar(0, 0, seconds)], 1).axes[1].get_xlabel()


def test_every_state_has_a_look_and_a_count_of_its_own() -> None:
    trials = (
        TimedTrial(0, "complete", 0.4, 0, 4),
        TimedTrial(1, "pruned", 0.9, 0, 2),
        TimedTrial(2, "failed", None, 2, 3),
        TimedTrial(3, "complete", 0.6, 4, 8),
    )
    figure = draw(trials)
    _, *bars = (patch for patch in figure.axes[1].patches if isinstance(patch, Rectangle))
    assert [to_hex(one.get_facecolor()) for one in bars] == [SKY.lower(), "#ffffff", VERMILLION.lower(), BLUE.lower()]
    assert {"1 pruned\n(hollow)", "1 failed", "best 0.600", "trial 3"} <= words(figure)


def test_with_rungs_it_shows_what_paused_what_went_on_and_what_was_spent() -> None:
    segments = (
        TimedTrial(0, "complete", 0.5, 0, 9, 1.0),
        TimedTrial(1, "paused", 0.2, 9, 10, 1 / 9),
        TimedTrial(2, "paused", 0.3, 10, 12, 2 / 9),
        TimedTrial(3, "complete", 0.6, 12, 18, 2 / 3),
        TimedTrial(4, "paused", 0.1, 12, 13, 1 / 9),
    )
    given = SearchInput(segments, 2, None, "Objective", ORIGIN, trainings=(0, 1, 1, 1, 2))
    assert given.counts == Counts(trainings=3, paused=1, promoted=2, spent=2.1)
    figure = draw_search(given)
    assert figure.axes[0].get_xlabel() == "Budget spent, in full trainings"
    assert {"1 paused\n(hollow),\n2 promoted", "best 0.600", "trial 1"} <= words(figure)
    assert "3 trainings,\n2.1 full spent\n2 at once\nslots 53 % busy" in words(figure)
    joined = [line for line in figure.axes[0].lines if len(line.get_xdata()) == 2 and line.get_linewidth() == 0.6]  # type: ignore[arg-type]
    assert [list(line.get_ydata()) for line in joined] == [[0.2, 0.3], [0.3, 0.6]]  # type: ignore[arg-type]


def test_the_strip_says_how_many_ran_at_once_and_how_busy_they_were() -> None:
    assert "2 trials\n2 at once\nslots 75 % busy" in words(draw([bar(0, 0, 10), bar(1, 0, 5)]))


def test_the_best_mean_over_seeds_is_named() -> None:
    trials = (TimedTrial(0, "complete", 0.4, 0, 4), TimedTrial(1, "complete", 0.6, 4, 8))
    figure = draw_search(SearchInput(trials, 1, None, "Objective", ORIGIN, confirmed={0: (0.4, 0.5), 1: (0.6, 0.1)}))
    assert {"best 0.600", "best mean over\nseeds 0.450"} <= words(figure)
    (diamonds,) = [line.get_ydata() for line in figure.axes[0].lines if line.get_marker() == "D"][:1]
    assert list(diamonds) == [0.45]
