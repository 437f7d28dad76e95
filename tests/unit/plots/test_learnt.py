"""What a search learnt as it is drawn: bars, pictures of parameters, marks of borders."""

from __future__ import annotations

from typing import Any

import pytest
from matplotlib.figure import Figure

from hakken.plots.learnt import TILES, LearntInput, ParameterInput, draw_learnt

from .helpers import ORIGIN, learnt


def parameter(name: str = "dropout", **more: Any) -> ParameterInput:
    given: dict[str, Any] = {
        "values": (0.1, 0.4), "objectives": (0.2, 0.6), "complete": (True, True), "best": 0.4, "bounds": (0.0, 0.7),
    }  # fmt: skip
    return ParameterInput(name, **(given | more))


def draw(*parameters: ParameterInput, reading: str = "") -> Figure:
    return draw_learnt(LearntInput(parameters, reading, 0.6, "Objective", ORIGIN))


def words(figure: Figure) -> str:
    inside = [text.get_text() for axes in figure.axes for text in (*axes.texts, axes.title)]
    return " ".join([*(text.get_text() for text in figure.texts), *inside])


def test_shares_are_told_and_borders_are_marked_in_both_places() -> None:
    written = words(learnt())
    assert "learning rate ▲" in written
    assert "best at the highest searched" in written
    assert "80 %" in written
    assert "40 %" in written
    assert "Trust it. Bars: share of the variance" in written


def test_a_condition_stands_in_the_picture_of_its_parameter() -> None:
    assert "only with layers 2" in words(learnt())


def test_pruned_trainings_are_hollow_and_explained() -> None:
    figure = draw(parameter(complete=(True, False)))
    dots, rings = (line for line in figure.axes[1].lines if line.get_markersize() == 3)
    assert (list(dots.get_xdata()), list(rings.get_xdata())) == ([0.1], [0.4])
    assert rings.get_markerfacecolor() == "white"
    assert "hollow: pruned" in words(figure)
    assert "hollow" not in words(draw(parameter()))


def test_without_a_model_only_the_trainings_are_drawn() -> None:
    figure = draw(parameter(), reading="4 trainings")
    assert "%" not in words(figure)
    assert "4 trainings" in words(figure)
    assert "Bars" not in words(figure)


def test_the_most_important_parameters_have_pictures_and_all_have_a_row() -> None:
    figure = draw(*(parameter(f"p{number}") for number in range(TILES + 3)))
    assert len(figure.axes) == 1 + TILES
    assert all(f"p{number}" in words(figure) for number in range(TILES + 3))


def test_no_words_leave_the_page() -> None:
    figure = learnt()
    figure.canvas.draw()
    for text in figure.texts:
        box = text.get_window_extent()
        assert box.x0 >= 0
        assert box.x1 <= figure.bbox.x1


@pytest.mark.parametrize(
    ("bounds", "labels"), [((8, 256), ["8", "45", "256"]), ((0.5, 10), ["0.5", "2.2", "10"])], ids=str
)
def test_a_short_logarithmic_axis_names_its_ends_and_its_middle(bounds: tuple[float, float], labels: list[str]) -> None:
    figure = draw(parameter(values=(8.0, 9.0), best=8.0, bounds=bounds, log=True))
    assert [tick.get_text() for tick in figure.axes[1].get_xticklabels()] == labels


def test_a_study_without_parameters_is_drawn() -> None:
    assert len(draw().axes) == 1
