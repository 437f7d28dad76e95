"""Rows of panels with lines over levels: how a measure of each quantity changes, for several models."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from hakken.plots.style import (
    BLACK,
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    PURPLE,
    SKY,
    TWO_COLUMNS,
    VERMILLION,
    Origin,
    new_figure,
    place,
    style,
    write,
)

COLOURS = (BLUE, ORANGE, GREEN, PURPLE, SKY, VERMILLION, BLACK, GREY)
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
LEFT, RIGHT, BETWEEN = 0.62, 1.35, 0.42
TALL, ABOVE, BELOW = 1.05, 0.32, 0.36


@dataclass(frozen=True)
class LineInput:
    """One line: what it is, its value at each level and the ends of the intervals; None where there is none."""

    label: str
    values: tuple[float | None, ...]
    low: tuple[float | None, ...]
    high: tuple[float | None, ...]


@dataclass(frozen=True)
class PanelInput:
    """One panel: its title, and its lines; ``within`` are the values that are sure to be shown, None where all are."""

    title: str
    lines: tuple[LineInput, ...]
    within: tuple[float, float] | None = None


@dataclass(frozen=True)
class RowInput:
    """Panels that share axes and legend; ``straight`` is the value where nothing is wrong, None where there is none."""

    heading: str
    y_label: str
    x_label: str
    levels: tuple[str, ...]
    panels: tuple[PanelInput, ...]
    straight: float | None = None


def draw_levels(rows: Sequence[RowInput], notes: Sequence[str], origin: Origin) -> Figure:
    """Draw the rows from top to bottom and the notes below them."""
    foot = 0.34 + 0.13 * len(notes)
    height = foot + len(rows) * (ABOVE + TALL + BELOW) + 0.05
    with style():
        figure = new_figure(TWO_COLUMNS, height, origin)
        top = height - 0.05
        for row in rows:
            _row(figure, row, top - ABOVE - TALL)
            top -= ABOVE + TALL + BELOW
        for number, line in enumerate(reversed(notes)):
            write(figure, 0.1, 0.28 + 0.13 * number, line, fontsize=6, color=GREY)
    return figure


def _row(figure: Figure, row: RowInput, bottom: float) -> None:
    count = len(row.panels)
    wide = (TWO_COLUMNS - LEFT - RIGHT - BETWEEN * (count - 1)) / count
    for number, panel in enumerate(row.panels):
        axes = place(figure, LEFT + number * (wide + BETWEEN), bottom, wide, TALL)
        _panel(axes, row, panel)
        if number == 0:
            axes.set_ylabel(row.y_label)
    write(figure, 0.1, bottom + TALL + 0.19, row.heading, fontsize=7.5, weight="bold")
    left = TWO_COLUMNS - RIGHT + 0.12
    for number, line in enumerate(row.panels[0].lines):
        y = bottom + TALL - 0.1 - 0.145 * number
        look = {"color": COLOURS[number % len(COLOURS)], "fontsize": 6.5}
        write(figure, left, y, _glyph(number), **look)
        write(figure, left + 0.13, y, line.label, fontsize=6.5)


def _glyph(number: int) -> str:
    return {"o": "●", "s": "■", "^": "▲", "D": "◆", "v": "▼"}.get(MARKERS[number % len(MARKERS)], "✚")


def _panel(axes: Axes, row: RowInput, panel: PanelInput) -> None:
    places = np.arange(len(row.levels), dtype=float)
    step = 0.5 / max(len(panel.lines), 1)
    if row.straight is not None:
        axes.axhline(row.straight, color=GREY, linewidth=0.6, linestyle=(0, (3, 2)))
    for number, line in enumerate(panel.lines):
        x = places + (number - (len(panel.lines) - 1) / 2) * step
        values = _floats(line.values)
        colour, marker = COLOURS[number % len(COLOURS)], MARKERS[number % len(MARKERS)]
        axes.vlines(x, _floats(line.low), _floats(line.high), color=colour, linewidth=0.8)
        axes.plot(x, values, marker=marker, ms=3, mec="white", mew=0.4, color=colour, linewidth=0.8)
    if panel.within is not None:
        axes.set_ylim(*panel.within)
    axes.set_title(panel.title, fontsize=7)
    axes.set_xticks(places, row.levels)
    axes.set_xlim(-0.5, len(places) - 0.5)
    axes.set_xlabel(row.x_label, labelpad=1.5)
    axes.grid(axis="y", color="#EEEEEE", linewidth=0.6)


def _floats(values: Sequence[float | None]) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    return np.array([np.nan if value is None else value for value in values], float)
