"""Trainings with several numbers of processes as they are drawn."""

from __future__ import annotations

from hakken.plots.scaling import ScalingInput, draw_scaling
from hakken.plots.style import Origin
from hakken.training.scaling import Scaled


def training(processes: int, seconds: float) -> Scaled:
    times, scores = (seconds / 2, seconds), (0.3, 0.4)
    return Scaled(processes, processes, 1, 1, "cpu", "node1", 1, 480, times, scores)


def drawn(published: dict[int, float]) -> tuple[set[str], list[list[float]]]:
    """The words of the figure, and the lines of its panel of speeds, as y values."""
    origin = Origin("A study", "tiny", "phantom", None, phantom=True)
    given = ScalingInput((training(1, 24.0), training(2, 15.0)), published, "Report", "Objective", ("A note.",), origin)
    figure = draw_scaling(given)
    words = {text.get_text() for text in figure.texts}
    for axes in figure.axes:
        legend = axes.get_legend()
        words |= {text.get_text() for text in axes.texts} | {text.get_text() for text in legend.get_texts()}
    return words, [list(map(float, line.get_ydata())) for line in figure.axes[1].get_lines()]


def test_speed_efficiency_score_and_time_stand_side_by_side() -> None:
    words, lines = drawn({})
    assert {"1.60 \N{MULTIPLICATION SIGN}", "80%", "0.400", "15.0 s", "32.0", "A note."} <= words
    assert lines[0] == [1.0, 1.6]
    assert "published, not measured here" not in words


def test_published_speeds_are_marked_as_such() -> None:
    words, lines = drawn({64: 1.0, 240: 3.54})
    assert {"published, not measured here", "3.54 \N{MULTIPLICATION SIGN}"} <= words
    assert [1.0, 3.54] in lines
    assert [1.0, 3.75] in lines  # what 240 processes could be at most beside 64
