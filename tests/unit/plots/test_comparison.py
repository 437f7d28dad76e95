"""Compared sweeps as they are drawn: courses, strips of slots, the table between them."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import pytest
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

from hakken.plots.comparison import ComparisonInput, colours_of, draw_comparison
from hakken.plots.style import GREY
from hakken.search.comparison import TimedSweep, groups_of
from hakken.search.course import TimedTrial

from .helpers import ORIGIN, SWEEPS, comparison, sweep


def draw(sweeps: Sequence[TimedSweep], default: float | None = None) -> Figure:
    return draw_comparison(ComparisonInput(tuple(sweeps), default, (), "Objective", ORIGIN))


def words(figure: Figure) -> list[str]:
    return [text.get_text() for text in figure.texts]


def test_there_is_a_strip_for_every_sweep_below_the_two_courses() -> None:
    figure = comparison()
    assert len(figure.axes) == 2 + len(SWEEPS)
    tops = [axes.get_position().y1 for axes in figure.axes[2:]]
    assert all(top < axes.get_position().y0 for axes in figure.axes[:2] for top in tops)
    assert words(figure).count("80 s, 100 % busy") == 2


def test_strips_of_one_group_share_a_clock_and_never_overlap() -> None:
    figure = draw([sweep(1, repeat) for repeat in range(6)])
    boxes = [axes.get_position() for axes in figure.axes[2:]]
    assert len({axes.get_xlim() for axes in figure.axes[2:]}) == 1
    assert not any(one.overlaps(other) for one, other in itertools.combinations(boxes, 2))
    assert all(box.x0 >= 0 and box.x1 <= 1 for box in boxes)


def test_the_table_says_when_all_reach_what_all_reach() -> None:
    # Random search ends at 0.5, after 40 s; N = 1 has 0.475 on average after 60 s and 0.525 after 80 s, N = 2 in half.
    rows = words(comparison())
    start = rows.index("0.500 reached after")
    sign = "\N{MULTIPLICATION SIGN}"
    assert rows[start + 1 : start + 10] == [
        *("N = 1", "80 s", f"1.0 {sign}"),
        *("N = 2", "40 s", f"2.0 {sign}"),
        *("random", "40 s", ""),
    ]
    assert "untuned default 0.300" in rows


def test_curves_are_drawn_from_where_every_repeat_has_a_value() -> None:
    left, right = comparison().axes[:2]
    means = [tuple(line.get_ydata()) for line in left.lines if len(line.get_xdata()) == 4]
    assert means == [pytest.approx(mean) for mean in ((0.225, 0.225, 0.425, 0.525),) * 2 + ((0.2, 0.2, 0.4, 0.5),)]
    times = [tuple(line.get_xdata()) for line in right.lines if len(line.get_xdata()) == 4]
    assert times == [(20, 40, 60, 80), (10, 20, 30, 40), (10, 20, 30, 40)]


def test_colours_darken_with_the_slots_and_blind_samplers_are_grey() -> None:
    groups = groups_of([*(sweep(slots, 0) for slots in (1, 2, 4, 8)), sweep(8, 0, "random")])
    *learning, blind = colours_of(groups)
    luminance = [
        sum(weight * value for weight, value in zip((0.3, 0.6, 0.1), to_rgb(c), strict=True)) for c in learning
    ]
    assert all(lighter > darker + 0.05 for lighter, darker in itertools.pairwise(luminance))
    assert blind == GREY


@pytest.mark.parametrize(
    "trials",
    [(), (TimedTrial(0, "failed", None, 0.0, 1.0),), (TimedTrial(0, "complete", 0.5, 0.0, 0.1),)],
    ids=["none", "failed", "one"],
)
def test_sweeps_with_little_to_show_are_drawn(trials: tuple[TimedTrial, ...]) -> None:
    figure = draw([TimedSweep("n1-r0", "bayesian", 1, 0, 0.0, trials)])
    figure.canvas.draw()
    assert len(figure.axes) == 3


@pytest.mark.parametrize("span", [30, 300, 3000, 50_000, 2_000_000])
def test_the_time_axis_has_some_labels_and_none_runs_into_another(span: float) -> None:
    trials = tuple(
        TimedTrial(number, "complete", 0.1 * number, 0.0, span * 200 ** (number / 4 - 1)) for number in range(5)
    )
    figure = draw([TimedSweep("n1-r0", "bayesian", 1, 0, 0.0, trials)])
    figure.canvas.draw()
    boxes = [label.get_window_extent() for label in figure.axes[1].get_xticklabels() if label.get_text()]
    assert len(boxes) >= 3
    assert all(left.x1 < right.x0 for left, right in itertools.pairwise(boxes))


def test_repeats_that_need_several_lines_are_spread_evenly() -> None:
    figure = draw([sweep(1, repeat) for repeat in range(5)])
    rows = [round(axes.get_position().y0, 3) for axes in figure.axes[2:]]
    assert [rows.count(row) for row in sorted(set(rows), reverse=True)] == [3, 2]
