"""The numbers beside a curve, in the right half of a figure: a small table, the operating point in words, notes."""

from __future__ import annotations

import textwrap

from matplotlib.figure import Figure

from hakken.plots.style import GREY, INK, write

Table = tuple[tuple[str, ...], ...]

COLUMNS = (4.78, 5.68, 6.47)
"""Where the columns begin, in inches."""

WIDTH = 46
"""How many letters fit into a line of the text below the table."""


LEAST = 3.7
"""Inches of a figure whose text is short."""

TOP, STEP, LINE = 0.4, 0.13, 0.12  # the first line below the upper edge, a line of the table, a line of text
FOOT = 0.35


def height_of(table: Table, operating: str, notes: tuple[str, ...], width: int = WIDTH) -> float:
    """Return how high a figure is that holds these numbers."""
    inches = sum(STEP * _lines(cells) + 0.08 for cells in table)
    inches += sum(
        LINE * len(textwrap.wrap(text, width + 4 * (text != operating))) + 0.05 for text in (operating, *notes)
    )
    return max(LEAST, TOP + inches + 0.04 + FOOT)


def write_numbers(
    figure: Figure,
    table: Table,
    operating: str,
    notes: tuple[str, ...],
    *,
    columns: tuple[float, ...] = COLUMNS,
    width: int = WIDTH,
) -> None:
    """Write the ``table`` (heading row first), the sentence on the ``operating`` point and the ``notes``."""
    top = float(figure.get_size_inches()[1]) - TOP
    for row, cells in enumerate(table):
        weight = "bold" if row == 0 else "normal"
        for column, text in zip(columns, cells, strict=False):
            for line, part in enumerate(text.split("\n")):
                write(figure, column, top - STEP * line, part, fontsize=6.4, weight=weight)
        top -= STEP * _lines(cells) + 0.08
    top -= 0.04
    for text, size, color in ((operating, 6.4, INK), *((note, 6.0, GREY) for note in notes)):
        for part in textwrap.wrap(text, width if size > 6 else width + 4):
            write(figure, columns[0], top, part, fontsize=size, color=color)
            top -= LINE
        top -= 0.05


def _lines(cells: tuple[str, ...]) -> int:
    return max(text.count("\n") + 1 for text in cells)
