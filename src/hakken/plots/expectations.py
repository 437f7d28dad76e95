"""The figure of expectations: input, what is seen, what was expected, with which deviation, and how far off it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from numpy.typing import NDArray

from hakken.plots.style import GREY, TWO_COLUMNS, Origin, new_figure, place, style, write

Slice = NDArray[np.floating[Any]]
COLUMNS = 5
TILE, STEP, CAPTION = 1.36, 1.41, 0.22
TRUTH, CANDIDATE = "#FF3DF5", "#00B7C3"
HOT, DEVIATION, DISTANCE = "gray_r", "viridis", "inferno"


@dataclass(frozen=True, eq=False)
class Row:
    """One axial slice of a case: five pictures (rows, columns), lesions, and candidates x, y in mm from its corner.

    ``seen`` is in shares of its window; ``target``, ``mean`` and ``sigma`` are in the units of the target.
    """

    seen: Slice
    target: Slice
    mean: Slice
    sigma: Slice
    z: Slice
    lesions: NDArray[np.bool_]
    width_mm: float
    height_mm: float
    candidates: tuple[tuple[float, float], ...]
    caption: str


@dataclass(frozen=True, eq=False)
class ExpectationsInput:
    """Rows of slices, titles of the columns, and the values of target and mean, of sigma and of z at which colours end.

    ``threshold`` is the z from which on voxels belong to candidates.
    """

    rows: tuple[Row, ...]
    titles: tuple[str, str, str, str, str]
    highest: float
    highest_sigma: float
    threshold: float
    highest_z: float
    reading: tuple[str, ...]
    origin: Origin


def draw_expectations(given: ExpectationsInput) -> Figure:
    """Draw a row of five pictures for each slice, and the bars of their colours below."""
    tall = [TILE * row.height_mm / row.width_mm for row in given.rows]
    height = 0.78 + 0.12 * len(given.reading) + sum(tall) + CAPTION * len(tall)
    with style():
        figure = new_figure(TWO_COLUMNS, height, given.origin)
        top = height - 0.24
        for column, title in enumerate(given.titles):
            write(figure, 0.08 + STEP * column, height - 0.16, title, fontsize=7, weight="bold")
        for row, extent in zip(given.rows, tall, strict=True):
            _row(figure, top, extent, row, given)
            write(figure, 0.08, top - extent - 0.11, row.caption, fontsize=6)
            top -= extent + CAPTION
        _bars(figure, top - 0.08, given)
        for number, line in enumerate(given.reading):
            last = len(given.reading) - 1 - number
            write(figure, 0.08, 0.26 + 0.12 * last, line, fontsize=6, color=GREY)
    return figure


def _row(figure: Figure, top: float, extent: float, row: Row, given: ExpectationsInput) -> None:
    pictures: Sequence[tuple[Slice, str, tuple[float, float]]] = (
        (row.seen, "gray", (0, 1)),
        (row.target, HOT, (0, given.highest)),
        (row.mean, HOT, (0, given.highest)),
        (row.sigma, DEVIATION, (0, given.highest_sigma)),
        (np.maximum(row.z, 0), DISTANCE, (0, given.highest_z)),
    )
    for column, (picture, colours, (low, high)) in enumerate(pictures):
        axes = place(figure, 0.08 + STEP * column, top - extent, TILE, extent)
        box = (0.0, row.width_mm, row.height_mm, 0.0)
        axes.imshow(picture, extent=box, cmap=colours, vmin=low, vmax=high, aspect="equal")
        if column in {1, 4} and row.lesions.any():
            _outline(axes, row)
        if column == COLUMNS - 1:
            for x, y in row.candidates:
                axes.plot(x, y, "+", color=CANDIDATE, ms=5, mew=1.1)
        axes.set_xlim(0, row.width_mm)
        axes.set_ylim(row.height_mm, 0)
        axes.set_axis_off()


def _outline(axes: Axes, row: Row) -> None:
    rows, columns = row.lesions.shape
    x, y = (np.arange(columns) + 0.5) * row.width_mm / columns, (np.arange(rows) + 0.5) * row.height_mm / rows
    axes.contour(x, y, row.lesions, levels=[0.5], colors=[TRUTH], linewidths=0.8)


def _bars(figure: Figure, bottom: float, given: ExpectationsInput) -> None:
    """Draw the bars of colours below the columns that they belong to."""
    for column, colours, high, mark in (
        (1, HOT, given.highest, None),
        (2, HOT, given.highest, None),
        (3, DEVIATION, given.highest_sigma, None),
        (4, DISTANCE, given.highest_z, given.threshold),
    ):
        axes = place(figure, 0.08 + STEP * column + 0.1, bottom, TILE - 0.3, 0.05)
        bar = figure.colorbar(ScalarMappable(Normalize(0, high), colours), cax=axes, orientation="horizontal")
        ticks = [0.0, high] if mark is None else [0.0, mark, high]
        bar.set_ticks(ticks, labels=[f"{value:.2g}" for value in ticks])
        bar.outline.set_linewidth(0.4)
        axes.tick_params(labelsize=5.5, length=1.5, pad=1)
