"""Cases with the outlines of what is true and of what was found, from the worst to the best."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from hakken.plots.style import GREY, INK, TWO_COLUMNS, Origin, new_figure, place, style, write

ACROSS = 4
GAP = 0.06
TILE = (TWO_COLUMNS - 0.2 - GAP * (ACROSS - 1)) / ACROSS
CAPTION = 0.16
TRUTH, LARGEST, SMALLEST = "#FFFFFF", "#00E5FF", "#FF3DF5"


@dataclass(frozen=True, eq=False)
class Outline:
    """One case: picture (rows, columns) or (rows, columns, 3) of values 0 to 1, its size in mm, masks and caption.

    ``smallest`` is None where there is one size alone.
    """

    picture: NDArray[np.floating[Any]]
    width_mm: float
    height_mm: float
    truth: NDArray[np.bool_]
    largest: NDArray[np.bool_]
    smallest: NDArray[np.bool_] | None
    caption: str


@dataclass(frozen=True, eq=False)
class SegmentationsInput:
    """Cases in the order to draw them, the names of the largest and the smallest size, and a line on what is shown."""

    cases: tuple[Outline, ...]
    names: tuple[str, str | None]
    reading: str
    origin: Origin


def draw_segmentations(given: SegmentationsInput) -> Figure:
    """Draw the cases in rows of four."""
    aspect = max((case.height_mm / case.width_mm for case in given.cases), default=1.0)
    tall = TILE * min(aspect, 1.4)
    rows = math.ceil(len(given.cases) / ACROSS)
    height = 0.6 + rows * (tall + CAPTION)
    with style():
        figure = new_figure(TWO_COLUMNS, height, given.origin)
        for number, case in enumerate(given.cases):
            row, column = divmod(number, ACROSS)
            left, bottom = 0.1 + column * (TILE + GAP), height - 0.05 - row * (tall + CAPTION) - tall
            _case(place(figure, left, bottom, TILE, tall), case)
            write(figure, left, bottom - 0.105, case.caption, fontsize=5.8, color=INK)
        _legend(figure, given)
        write(figure, 0.1, 0.22, given.reading, fontsize=5.8, color=GREY)
    return figure


def _case(axes: Axes, case: Outline) -> None:
    extent = (0.0, case.width_mm, case.height_mm, 0.0)
    axes.imshow(case.picture, extent=extent, vmin=0, vmax=1, interpolation="bilinear", aspect="equal")
    rows, columns = case.truth.shape
    x, y = (np.arange(columns) + 0.5) * case.width_mm / columns, (np.arange(rows) + 0.5) * case.height_mm / rows
    for mask, colour, width in ((case.truth, TRUTH, 1.6), (case.smallest, SMALLEST, 0.8), (case.largest, LARGEST, 0.8)):
        if mask is not None and mask.any() and min(mask.shape) > 1:
            axes.contour(x, y, mask, levels=[0.5], colors=[colour], linewidths=[width])
    axes.set_xlim(0, case.width_mm)
    axes.set_ylim(case.height_mm, 0)
    axes.set_axis_off()


def _legend(figure: Figure, given: SegmentationsInput) -> None:
    entries = [("truth", TRUTH), (given.names[0], LARGEST), *([(given.names[1], SMALLEST)] if given.names[1] else [])]
    handles = [Line2D([], [], color=colour, lw=1.6) for _, colour in entries]
    wide, high = figure.get_size_inches()
    legend = figure.legend(
        handles,
        [str(name) for name, _ in entries],
        loc="lower left",
        bbox_to_anchor=(0.1 / wide, 0.31 / high),
        fontsize=6,
        ncols=3,
        handlelength=1.4,
        facecolor="#8A8A8A",
        edgecolor="none",
        labelcolor="white",
        borderpad=0.3,
    )
    legend.get_frame().set_alpha(1)
