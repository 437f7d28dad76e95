"""Slots as strips of bars, and the units of time."""

from __future__ import annotations

import pytest
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from hakken.plots.slots import coarsest_unit, draw_slots, rows_of, time_text, unit_of
from hakken.search.course import TimedTrial

TRIALS = (
    TimedTrial(0, "complete", 0.4, 100, 110),
    TimedTrial(1, "failed", None, 100, 104),
    TimedTrial(2, "complete", 0.6, 104, 120),
    TimedTrial(3, "complete", 0.5, 110, 118),
)


def bars(**options: float) -> list[tuple[float, float, float]]:
    """Left, width and row of every bar."""
    axes = Figure().add_subplot()
    draw_slots(axes, TRIALS, 2, 40, **options)  # type: ignore[arg-type]
    drawn = [patch for patch in axes.patches if isinstance(patch, Rectangle) and patch.get_height() == 0.8]
    return [(bar.get_x(), bar.get_width(), round(bar.get_y() + 0.4)) for bar in drawn]


def test_each_trial_is_a_bar_in_the_row_of_its_slot() -> None:
    assert bars() == [(0, 10, 0), (0, 4, 1), (4, 16, 1), (10, 8, 0)]


def test_the_axis_counts_in_its_unit() -> None:
    assert bars(unit=2) == [(0, 5, 0), (0, 2, 1), (2, 8, 1), (5, 4, 0)]


def test_a_strip_ends_with_its_sweep_and_the_axis_with_the_span() -> None:
    axes = Figure().add_subplot()
    draw_slots(axes, TRIALS, 2, 40)
    ground = next(patch for patch in axes.patches if isinstance(patch, Rectangle) and patch.get_height() != 0.8)
    assert (ground.get_x(), ground.get_width()) == (0, 20)
    assert axes.get_xlim() == (0, 40)


def test_numbers_stand_in_the_bars_that_have_room_for_them() -> None:
    axes = Figure().add_subplot()
    draw_slots(axes, TRIALS, 2, 200, numbered=True)
    assert [text.get_text() for text in axes.texts] == ["0", "2", "3"]


def test_trials_beyond_the_slots_have_rows_of_their_own() -> None:
    assert rows_of(TRIALS, 2) == 2
    assert rows_of(TRIALS, 1) == 2
    assert rows_of((), 4) == 4


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (9.4, "9.4 s"),
        (9.96, "10 s"),
        (300, "300 s"),
        (301, "5.0 min"),
        (7200, "120 min"),
        (1e4, "2.8 h"),
        (2e5, "2.3 d"),
    ],
)
def test_a_duration_is_told_in_the_unit_in_which_it_reads_well(seconds: float, text: str) -> None:
    assert time_text(seconds) == text


def test_units_change_with_the_span() -> None:
    assert [unit_of(span)[1] for span in (300, 301, 7200, 7201, 172_800, 172_801)] == ["s", "min", "min", "h", "h", "d"]


def test_the_coarsest_unit_counts_the_shortest_time_as_one_or_more() -> None:
    units = [coarsest_unit(shortest)[1] for shortest in (0, 0.5, 59, 60, 3599, 3600, 86_400)]
    assert units == ["s", "s", "s", "min", "min", "h", "d"]


def test_bars_of_fine_rows_have_no_edges_that_would_cover_them() -> None:
    def edges(inches: float) -> set[float]:
        axes = Figure(figsize=(1, inches), dpi=100).add_axes((0, 0, 1, 1))
        draw_slots(axes, TRIALS, 2, 40)
        return {patch.get_linewidth() for patch in axes.patches if isinstance(patch, Rectangle)}

    assert max(edges(0.06)) == 0.5
    assert max(edges(0.05)) == 0
