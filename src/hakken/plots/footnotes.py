"""What warns of the numbers of a figure, below it: every figure is drawn without, and made longer by as many lines."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

from matplotlib.figure import Figure
from matplotlib.text import Text

from hakken.plots.style import GREY, write

LINE = 0.11
MARGIN = 0.06
LETTERS = 22.5
"""Letters of the footnotes in an inch."""

MOST = 12
"""Lines that stand below a figure; of more its JSON file tells."""


def write_footnotes(figure: Figure, warnings: Sequence[str]) -> float:
    """Write ``warnings`` below the lower edge of a figure, and return by how many inches that makes it longer.

    Each begins with an asterisk where a number in the figure has one that points there, otherwise with `Note:`. Call
    it within ``style()``.
    """
    sign = "*" if any("*" in text.get_text() for text in figure.findobj(Text)) else "Note:"
    wide = float(figure.get_size_inches()[0])
    wrapped = [
        part
        for warning in warnings
        for part in textwrap.wrap(f"{sign} {warning}", int(LETTERS * (wide - 0.2)), subsequent_indent="   ")
    ]
    if len(wrapped) > MOST:
        wrapped = [
            *wrapped[: MOST - 1],
            f"{sign} … {len(wrapped) - MOST + 1} more lines in the JSON file of the figure",
        ]
    for number, line in enumerate(wrapped, start=1):
        write(figure, 0.08, -LINE * number, line, fontsize=5.8, color=GREY)
    return LINE * len(wrapped) + MARGIN if wrapped else 0.0
