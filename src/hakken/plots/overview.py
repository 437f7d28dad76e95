"""A contact sheet: the figures of several studies as small pictures, a row or more for each study."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from matplotlib.figure import Figure
from matplotlib.image import imread

from hakken.plots.style import GREY, INK, TWO_COLUMNS, style

COLUMNS = 3
TILE = TWO_COLUMNS / COLUMNS
HIGH = 0.68 * TILE  # most figures are wider than they are high
HEADING = 0.34
CAPTION = 0.16
MARGIN = 0.05


@dataclass(frozen=True)
class Row:
    """The figures of one study: heading, a line below it, and name and PNG file of each figure."""

    heading: str
    note: str
    figures: tuple[tuple[str, Path], ...]

    @property
    def lines(self) -> int:
        """Lines of pictures."""
        return math.ceil(len(self.figures) / COLUMNS)


def contact_sheet(rows: Sequence[Row]) -> Figure:
    """Return the figures of all rows on one sheet, each in a tile of its own with its proportions kept."""
    height = sum(HEADING + row.lines * (HIGH + CAPTION) for row in rows)
    with style():
        figure = Figure(figsize=(TWO_COLUMNS, height))
        top = height
        for row in rows:
            figure.text(MARGIN / TWO_COLUMNS, (top - 0.15) / height, row.heading, weight="bold", color=INK, fontsize=9)
            figure.text(MARGIN / TWO_COLUMNS, (top - 0.28) / height, row.note, color=GREY, fontsize=7)
            top -= HEADING
            for number, (name, path) in enumerate(row.figures):
                line, column = divmod(number, COLUMNS)
                lower = top - line * (HIGH + CAPTION) - HIGH
                _picture(figure, path, name, (column * TILE, lower), height)
            top -= row.lines * (HIGH + CAPTION)
    return figure


def _picture(figure: Figure, path: Path, name: str, corner: tuple[float, float], height: float) -> None:
    """Put one picture into the tile whose lower left ``corner`` is given in inches, its name below it."""
    left, lower = corner
    wide, high = TILE - 2 * MARGIN, HIGH - 2 * MARGIN
    axes = figure.add_axes(
        ((left + MARGIN) / TWO_COLUMNS, (lower + MARGIN) / height, wide / TWO_COLUMNS, high / height)
    )
    axes.imshow(imread(path), interpolation="antialiased")
    axes.set_axis_off()
    figure.text(
        (left + TILE / 2) / TWO_COLUMNS, (lower - CAPTION / 2) / height, name, ha="center", color=INK, fontsize=6.5
    )
