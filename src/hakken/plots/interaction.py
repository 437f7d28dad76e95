"""The interaction plot: the mean response at the levels of one factor, a line for each level of another."""

from __future__ import annotations

import math
import textwrap
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from hakken.core.errors import HakkenError
from hakken.evaluation.intervals import SHOWN, Means
from hakken.plots.style import (
    BLUE,
    GREEN,
    GREY,
    INK,
    ONE_COLUMN,
    ORANGE,
    PURPLE,
    SKY,
    TWO_COLUMNS,
    VERMILLION,
    place,
    style,
    write,
)

Floats = NDArray[np.float64]

LOOKS: tuple[tuple[str, str, Any], ...] = (
    (BLUE, "o", "-"),
    (VERMILLION, "s", "-"),
    (GREEN, "^", "-"),
    (ORANGE, "D", "-"),
    (PURPLE, "v", "-"),
    (SKY, "P", "-"),
    (INK, "X", (0, (4, 1.5))),
    (GREY, "o", (0, (1, 1))),
)
"""Colour, marker and line of each level: told apart in grey as well."""

COLUMNS = 3
TALL = 2.1
LEFT, GAP, UNDER, BELOW, ABOVE = 0.68, 0.25, 0.5, 0.12, 0.1
LINE = 0.16
DODGE = 0.28
"""Share of the step between two levels over which the lines stand side by side."""

LONG = 7
"""Names of levels with more letters stand aslant where there are many."""


@dataclass(frozen=True, eq=False)
class InteractionInput:
    """Factors with their levels; means with intervals, an axis for each of the first three; what is drawn."""

    factors: tuple[tuple[str, tuple[str, ...]], ...]
    means: Means
    response: str
    intervals: str


def draw_interaction(given: InteractionInput) -> Figure:
    """Draw the levels of the last factor across, a line for each of the first, a panel for each of a third.

    Of two factors the second is drawn across and the first as lines; of three the first is lines, the second across,
    the third panels. Raises HakkenError where the lines are more than can be told apart.
    """
    shown = given.factors[:SHOWN]
    lines, across = (None, shown[0]) if len(shown) == 1 else (shown[0], shown[1])
    if lines is not None and len(lines[1]) > len(LOOKS):
        raise HakkenError(
            f"factor {lines[0]} has {len(lines[1])} levels: {len(LOOKS)} lines can be told apart; "
            "name another factor first in --factors"
        )
    panels = shown[2] if len(shown) == SHOWN else None
    count = len(panels[1]) if panels is not None else 1
    columns, rows = min(count, COLUMNS), math.ceil(count / COLUMNS)
    width = TWO_COLUMNS if count > 1 or len(across[1]) > LONG else ONE_COLUMN
    wide = (width - LEFT - 0.15 - GAP * (columns - 1)) / columns
    legend = _legend_rows(lines, width)
    words = textwrap.wrap(_words(given), 72 if width == ONE_COLUMN else 150)
    step = TALL + UNDER + (0.2 if panels is not None else 0)
    slant = 0.3 if _aslant(across[1], wide) else 0
    height = BELOW + 0.11 * len(words) + (step + slant) * rows + LINE * legend + ABOVE
    mean, half = (_three(array) for array in (given.means.mean, given.means.half))
    with style():
        figure = Figure(figsize=(width, height), layout=None)
        _legend(figure, lines, height, width)
        for number in range(count):
            row, column = divmod(number, columns)
            top = height - ABOVE - LINE * legend - (step + slant) * row - (0.2 if panels is not None else 0)
            axes = place(figure, LEFT + (wide + GAP) * column, top - TALL, wide, TALL)
            _panel(axes, mean[:, :, number], half[:, :, number], across, slant > 0)
            _limits(axes, mean, half)
            if panels is not None:
                axes.set_title(f"{panels[0]} = {panels[1][number]}", fontsize=7.5)
            if column == 0:
                axes.set_ylabel(given.response)
            axes.tick_params(labelleft=column == 0)
        for number, line in enumerate(reversed(words)):
            write(figure, 0.1, 0.08 + 0.11 * number, line, fontsize=6, color=GREY)
    return figure


def _three(values: Floats) -> Floats:
    """Return an array (lines, across, panels) of one of up to three axes; a single factor is drawn across."""
    if values.ndim == 1:
        return values[None, :, None]
    return values[:, :, None] if values.ndim == 2 else values


def _panel(axes: Axes, mean: Floats, half: Floats, across: tuple[str, tuple[str, ...]], aslant: bool) -> None:
    """Draw the lines (lines, across) of one panel, side by side so that no interval hides another."""
    places = np.arange(mean.shape[1])
    shifts = np.linspace(-DODGE / 2, DODGE / 2, len(mean)) if len(mean) > 1 else np.zeros(1)
    for values, ends, shift, (color, marker, line) in zip(mean, half, shifts, LOOKS, strict=False):
        axes.errorbar(
            places + shift,
            values,
            yerr=ends,
            color=color,
            marker=marker,
            linestyle=line,
            linewidth=1.2,
            markersize=4.2,
            markeredgecolor="white",
            markeredgewidth=0.5,
            elinewidth=0.9,
            capsize=1.8,
            zorder=3,
        )
    axes.set_xlim(-0.5, len(places) - 0.5)
    axes.set_xticks(places, across[1], rotation=30 if aslant else 0, ha="right" if aslant else "center")
    axes.set_xlabel(across[0])
    axes.grid(axis="y", color="#EEEEEE", linewidth=0.6)


def _limits(axes: Axes, mean: Floats, half: Floats) -> None:
    """Give all panels one scale, from the lowest to the highest end."""
    reach = np.where(np.isfinite(half), half, 0.0)
    low, high = np.nanmin(mean - reach), np.nanmax(mean + reach)
    margin = 0.06 * (high - low) or 0.5 * abs(high) or 1.0
    axes.set_ylim(low - margin, high + margin)


def _aslant(levels: tuple[str, ...], wide: float) -> bool:
    """Whether the names of the levels are too long to stand beside each other in so many inches."""
    return max(map(len, levels)) * 0.065 * len(levels) > wide


def _legend_rows(lines: tuple[str, tuple[str, ...]] | None, width: float) -> int:
    return 0 if lines is None else len(_packed(lines, width))


def _packed(lines: tuple[str, tuple[str, ...]], width: float) -> list[list[int]]:
    """Return the places of the levels in each row of the legend, as many as have room."""
    rows: list[list[int]] = [[]]
    left = _after_title(lines[0])
    for number, level in enumerate(lines[1]):
        need = _needs(level)
        if rows[-1] and left + need > width:
            rows.append([])
            left = _after_title(lines[0])
        rows[-1].append(number)
        left += need
    return rows


def _after_title(name: str) -> float:
    return 0.22 + 0.064 * len(name)


def _needs(level: str) -> float:
    return 0.46 + 0.058 * len(level)


def _legend(figure: Figure, lines: tuple[str, tuple[str, ...]] | None, height: float, width: float) -> None:
    """Write the factor of the lines and its levels, each with its marker, above the panels."""
    if lines is None:
        return
    for row, numbers in enumerate(_packed(lines, width)):
        y = height - 0.17 - LINE * row
        if row == 0:
            write(figure, 0.1, y, lines[0], fontsize=7, weight="bold")
        left = _after_title(lines[0])
        for number in numbers:
            color, marker, line = LOOKS[number]
            ends = np.array([left, left + 0.26]) / width, np.array([y + 0.035] * 2) / height
            figure.add_artist(Line2D(*ends, color=color, linestyle=line, linewidth=1.2))
            middle = ((left + 0.13) / width,), ((y + 0.035) / height,)
            look: dict[str, Any] = {
                "marker": marker,
                "markersize": 4.2,
                "markeredgecolor": "white",
                "markeredgewidth": 0.5,
            }
            figure.add_artist(Line2D(*middle, color=color, linestyle="none", **look))
            write(figure, left + 0.31, y, lines[1][number], fontsize=7)
            left += _needs(lines[1][number])


def _words(given: InteractionInput) -> str:
    more = given.factors[SHOWN:]
    averaged = f", averaged over {', '.join(name for name, _ in more)}" if more else ""
    return f"Means{averaged}; bars: {given.intervals}."
