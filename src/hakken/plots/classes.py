"""Confusion matrices of a study, side by side, with their numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from numpy.typing import NDArray

from hakken.core.names import spoken
from hakken.plots.style import BLUE, GREY, INK, TWO_COLUMNS, Origin, new_figure, place, style, write

SIDE, LEFT, GAP = 2.35, 0.95, 0.95
DARK = 0.6
"""Share from which the writing in a cell is white."""


@dataclass(frozen=True, eq=False)
class MatrixInput:
    """A title, the classes, the matrix (k, k) of counts, rows being the truth, and lines of numbers above it."""

    title: str
    classes: tuple[str, ...]
    matrix: NDArray[np.int64]
    words: tuple[str, ...]


def draw_matrices(panels: Sequence[MatrixInput], note: str, origin: Origin) -> Figure:
    """Draw up to two matrices; ``note`` says which model it is and what it started from."""
    with style():
        figure = new_figure(TWO_COLUMNS, 4.3, origin)
        for number, panel in enumerate(panels):
            left = LEFT + number * (SIDE + GAP)
            _panel(place(figure, left, 1.05, SIDE, SIDE), panel)
            write(figure, left, 3.98, panel.title, fontsize=7.5, weight="bold")
            for line, words in enumerate(panel.words):
                write(figure, left, 3.80 - 0.15 * line, words, fontsize=6.5)
        write(figure, 0.08, 0.24, f"{note}  ·  shade: share of the true class", fontsize=6, color=GREY)
    return figure


def _panel(axes: Axes, panel: MatrixInput) -> None:
    shares = panel.matrix / panel.matrix.sum(axis=1, keepdims=True).clip(1)
    axes.imshow(shares, cmap=LinearSegmentedColormap.from_list("share", ["#FFFFFF", BLUE]), vmin=0, vmax=1)
    for row, column in np.ndindex(panel.matrix.shape):
        colour = "white" if shares[row, column] > DARK else INK
        axes.text(column, row, str(panel.matrix[row, column]), ha="center", va="center", fontsize=7, color=colour)
    names = [spoken(name) for name in panel.classes]
    axes.set_xticks(range(len(names)), names, rotation=30, ha="right")
    axes.set_yticks(range(len(names)), names)
    axes.tick_params(length=0)
    for spine in axes.spines.values():
        spine.set_visible(True)
    axes.set_xlabel("Called")
    axes.set_ylabel("Truth")
