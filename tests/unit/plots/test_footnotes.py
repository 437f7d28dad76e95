"""What warns of the numbers of a figure stands below it, with the sign that its numbers have."""

from __future__ import annotations

import pytest
from matplotlib.figure import Figure

from hakken.plots.footnotes import MOST, write_footnotes
from hakken.plots.style import style, write


def lines(figure: Figure) -> list[str]:
    return [text.get_text() for text in figure.texts if text.get_position()[1] < 0]


@pytest.mark.parametrize(("cell", "sign"), [("0.52 [0.40, 0.60] *", "*"), ("0.52 [0.40, 0.60]", "Note:")])
def test_an_asterisk_below_has_one_above(cell: str, sign: str) -> None:
    with style():
        figure = Figure((6, 3))
        write(figure, 1, 1, cell)
        assert write_footnotes(figure, ["few patients"]) > 0
    assert lines(figure) == [f"{sign} few patients"]


def test_without_warnings_a_figure_stays_as_it_is() -> None:
    figure = Figure((6, 3))
    assert write_footnotes(figure, []) == 0
    assert not figure.texts


def test_of_many_lines_the_last_says_how_many_more_there_are() -> None:
    with style():
        figure = Figure((6, 3))
        write_footnotes(figure, [f"line {number}" for number in range(MOST + 3)])
    assert len(lines(figure)) == MOST
    assert lines(figure)[-1] == "Note: … 4 more lines in the JSON file of the figure"
