"""The numbers beside a curve, in the right half of a figure: a small table, the operating point in words, notes."""

from __future__ import annotations

import textwrap

from matplotlib.figure import Figure

from hakken.plots.style import GREY, INK, write

COLUMNS = (4.78, 5.68, 6.47)
"""Where the columns begin, in inches."""

WIDTH = 46
"""How many letters fit into a line of the text below the table."""


def write_numbers(
    figure: Figure,
    table: tuple[tuple[str, ...], ...],
    operating: str,
    notes: tuple[str, ...],
    *,
    columns: tuple[float, ...] = COLUMNS,
    width: int = WIDTH,
) -> None:
    """Write the ``table`` (heading row first), the sentence on the ``operating`` point and the ``notes``."""
    top = 3.3
    for row, cells in enumerate(table):
        weight = "bold" if row == 0 else "normal"
        for column, text in zip(columns, cells, strict=False):
            for line, part in enumerate(text.split("\n")):
                write(figure, column, top - 0.13 * line, part, fontsize=6.4, weight=weight)
        top -= 0.13 * max(text.count("\n") + 1 for text in cells) + 0.08
    top -= 0.04
    for text, size, color in ((operating, 6.4, INK), *((note, 6.0, GREY) for note in notes)):
        for part in textwrap.wrap(text, width if size > 6 else width + 4):
            write(figure, columns[0], top, part, fontsize=size, color=color)
            top -= 0.12
        top -= 0.05
