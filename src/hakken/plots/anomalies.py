"""Cases and where they are abnormal: a slice through the highest score, and the score of each voxel over it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from numpy.typing import NDArray

from hakken.plots.style import GREY, INK, TWO_COLUMNS, VERMILLION, Origin, new_figure, place, style, write

PAIRS = 3  # cases in a row, each with two pictures
TILE = 1.12
GAP = 0.03
STEP = (TWO_COLUMNS - 0.16) / PAIRS
CAPTION = 0.3
HEADING = 0.24
OUTLINE = "#FF3DF5"
PATCH = "#00E5FF"
COLOURS = "inferno"


@dataclass(frozen=True, eq=False)
class CaseInput:
    """One case: slice and scores (rows, columns), size in mm, lesions, a patch and what stands below.

    ``window`` are the grey values of black and white; ``lesions`` (rows, columns) is true inside a lesion; ``patch`` is
    left, top, width and height of the patch around the highest score, in mm from the upper left corner, or None.
    """

    abnormal: bool
    image: NDArray[np.floating[Any]]
    scores: NDArray[np.floating[Any]]
    lesions: NDArray[np.bool_]
    width_mm: float
    height_mm: float
    window: tuple[float, float]
    patch: tuple[float, float, float, float] | None
    caption: tuple[str, str]


@dataclass(frozen=True, eq=False)
class AnomaliesInput:
    """Cases in the order to draw them, how many abnormal and normal ones there are, and a line on what is shown.

    ``highest`` is the score at the upper end of the colours.
    """

    cases: tuple[CaseInput, ...]
    totals: tuple[int, int]
    highest: float
    reading: tuple[str, ...]
    origin: Origin


def draw_anomalies(given: AnomaliesInput) -> Figure:
    """Draw a block of abnormal cases and one of normal cases, with one scale of colours for all."""
    blocks = [[case for case in given.cases if case.abnormal is abnormal] for abnormal in (True, False)]
    rows = [math.ceil(len(cases) / PAIRS) for cases in blocks]
    height = 0.62 + sum(HEADING + (count * (TILE + CAPTION) if count else 0.1) for count in rows)
    with style():
        figure = new_figure(TWO_COLUMNS, height, given.origin)
        top = height - 0.05
        heads = ("Abnormal cases", "Normal cases")
        for title, cases, total, count in zip(heads, blocks, given.totals, rows, strict=True):
            words = f"{title}: {len(cases)} of {total}, highest scores first"
            write(figure, 0.1, top - 0.15, words, fontsize=7.5, weight="bold")
            top -= HEADING
            _block(figure, top, cases, given.highest)
            top -= count * (TILE + CAPTION) if count else 0.1
        for line, text in enumerate(given.reading):
            write(figure, 0.1, 0.38 - 0.1 * line, text, fontsize=5.8, color=GREY)
        _scale(figure, given.highest)
    return figure


def _block(figure: Figure, top: float, cases: Sequence[CaseInput], highest: float) -> None:
    """Draw cases row by row below ``top`` inches."""
    for number, case in enumerate(cases):
        row, column = divmod(number, PAIRS)
        left, bottom = 0.1 + STEP * column, top - row * (TILE + CAPTION) - TILE
        plain, covered = (place(figure, left + shift, bottom, TILE, TILE) for shift in (0, TILE + GAP))
        _slice(plain, case)
        _slice(covered, case)
        _scores(covered, case, highest)
        _marks(plain, case)
        for line, text in enumerate(case.caption):
            colour = VERMILLION if line and text.endswith("wrongly") else INK
            write(figure, left, bottom - 0.1 - 0.095 * line, text, fontsize=5.8, color=colour)


def _slice(axes: Axes, case: CaseInput) -> None:
    low, high = case.window
    extent = (0.0, case.width_mm, case.height_mm, 0.0)
    axes.imshow(case.image, extent=extent, vmin=low, vmax=high, interpolation="bilinear", aspect="equal")
    axes.set_xlim(0, case.width_mm)
    axes.set_ylim(case.height_mm, 0)
    axes.set_axis_off()
    axes.set_anchor("W")


def _scores(axes: Axes, case: CaseInput, highest: float) -> None:
    """Lay the scores over a slice, the more opaque the higher."""
    strength = np.clip(case.scores / highest, 0, 1)
    extent = (0.0, case.width_mm, case.height_mm, 0.0)
    opacity = np.clip(1.6 * strength, 0, 1)
    axes.imshow(strength, extent=extent, cmap=COLOURS, vmin=0, vmax=1, alpha=opacity, aspect="equal")


def _marks(axes: Axes, case: CaseInput) -> None:
    """Outline the lesions and the patch."""
    if case.patch is not None:
        left, top, width, height = case.patch
        axes.add_patch(Rectangle((left, top), width, height, fill=False, ec=PATCH, lw=0.9))
    if case.lesions.any():
        rows, columns = case.lesions.shape
        x, y = (np.arange(columns) + 0.5) * case.width_mm / columns, (np.arange(rows) + 0.5) * case.height_mm / rows
        axes.contour(x, y, case.lesions, levels=[0.5], colors=[OUTLINE], linewidths=0.8)


def _scale(figure: Figure, highest: float) -> None:
    """Draw the bar of colours in the lower right."""
    axes = place(figure, TWO_COLUMNS - 1.5, 0.44, 1.3, 0.06)
    bar = figure.colorbar(ScalarMappable(Normalize(0, highest), COLOURS), cax=axes, orientation="horizontal")
    bar.set_ticks([0, highest], labels=["0", f"{highest:.2g}"])
    bar.outline.set_linewidth(0.4)
    axes.tick_params(labelsize=5.5, length=1.5, pad=1)
    write(figure, TWO_COLUMNS - 1.55, 0.45, "score of a voxel", fontsize=5.8, ha="right")
