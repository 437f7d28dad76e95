"""How well each size of a network segments, against what it costs: one network for all sizes, and one for each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import NullLocator

from hakken.plots.style import (
    BLUE,
    DARK_ORANGE,
    GREEN,
    GREY,
    INK,
    ORANGE,
    TWO_COLUMNS,
    Origin,
    interval_text,
    new_figure,
    place,
    style,
    write,
)

LEFT, WIDE, HIGH = 0.46, 1.95, 1.9
LINE = 0.135
APART = {"once": 1.0, "tuned": 1.02, "apart": 0.98}
"""By how much the points of a family stand beside their place, so that equal ones can be told apart."""

COLOURS = {"once": BLUE, "tuned": GREEN, "apart": ORANGE}
MARKERS = {"once": "o", "tuned": "^", "apart": "s"}
HEADS = ("", "Dice", "above baseline", "weights", "mult-adds", "memory", "latency")
COLUMNS = (0.1, 1.18, 2.0, 2.88, 3.29, 3.78, 4.2)


@dataclass(frozen=True)
class SizePoint:
    """One size: its label, multiply-adds, mean Dice with interval, and the cells of its line in the table."""

    label: str
    multiply_adds: float
    dice: float | None
    low: float | None
    high: float | None
    cells: tuple[str, ...]


@dataclass(frozen=True)
class Family:
    """The sizes of one training (``once``, ``tuned``) or of several (``apart``), the largest first."""

    role: str
    label: str
    points: tuple[SizePoint, ...]


@dataclass(frozen=True)
class Baseline:
    """The name of what has learnt nothing, and its mean Dice with its interval."""

    label: str
    dice: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True)
class SizesInput:
    """What to draw: families, baselines, of which sizes are compared with the first, and notes."""

    families: tuple[Family, ...]
    baselines: tuple[Baseline, ...]
    notes: tuple[str, ...]
    origin: Origin


def draw_sizes(given: SizesInput) -> Figure:
    """Draw mean Dice against multiply-adds, and the same numbers as a table."""
    lines = 1 + sum(1 + len(family.points) for family in given.families) + 2 * len(given.baselines) - 1
    height = max(HIGH + 0.75, 0.45 + LINE * lines) + 0.18 + 0.11 * len(given.notes)
    with style():
        figure = new_figure(TWO_COLUMNS, height, given.origin)
        axes = place(figure, LEFT, height - HIGH - 0.2, WIDE, HIGH)
        for baseline in given.baselines:
            _baseline(axes, baseline)
        for family in given.families:
            _family(axes, family)
        _dress(axes, given.families)
        _table(figure, height - 0.25, given)
        for number, note in enumerate(given.notes):
            write(figure, 0.1, 0.24 + 0.11 * (len(given.notes) - 1 - number), note, fontsize=5.8, color=GREY)
    return figure


def _family(axes: Axes, family: Family) -> None:
    known = [point for point in family.points if point.dice is not None]
    colour = COLOURS[family.role]
    x, y = [point.multiply_adds * APART[family.role] for point in known], [float(point.dice or 0) for point in known]
    joined = "none" if family.role == "apart" else "-"
    axes.plot(x, y, ls=joined, marker=MARKERS[family.role], color=colour, ms=4.5, lw=1.1, zorder=3)
    for place_of, point in zip(x, known, strict=True):
        if point.low is not None and point.high is not None:
            axes.plot([place_of] * 2, [point.low, point.high], color=colour, lw=0.8, alpha=0.6, zorder=2)


def _baseline(axes: Axes, baseline: Baseline) -> None:
    if baseline.dice is None:
        return
    axes.axhline(baseline.dice, color=GREY, lw=0.9, ls=(0, (4, 2)), zorder=1)
    if baseline.low is not None and baseline.high is not None:
        axes.axhspan(baseline.low, baseline.high, color=GREY, alpha=0.12, lw=0, zorder=0)


def _dress(axes: Axes, families: Sequence[Family]) -> None:
    axes.set_xscale("log")
    axes.xaxis.set_minor_locator(NullLocator())
    places = sorted({point.multiply_adds for family in families for point in family.points})
    if places:
        labels = [short_number(value) for value in places]
        axes.set_xticks(places, labels=labels, rotation=40, ha="right", rotation_mode="anchor", fontsize=6)
        axes.set_xlim(places[0] / 1.4, places[-1] * 1.4)
    axes.set_xlabel("multiply-adds of one image")
    axes.set_ylabel("mean Dice on test")
    axes.set_ylim(0, 1)


def _table(figure: Figure, top: float, given: SizesInput) -> None:
    """Write the numbers line by line below ``top`` inches; the marks before the families are those of the curves."""
    left = LEFT + WIDE + 0.2
    for column, head in zip(COLUMNS, HEADS, strict=True):
        write(figure, left + column, top, head, fontsize=5.2, color=GREY)
    for family in given.families:
        top -= LINE
        colour = DARK_ORANGE if family.role == "apart" else COLOURS[family.role]
        _mark(figure, left, top, marker=MARKERS[family.role], color=COLOURS[family.role], ms=4)
        write(figure, left + COLUMNS[0], top, family.label, fontsize=6, color=colour, weight="bold")
        for point in family.points:
            top -= LINE
            cells = (point.label, interval_text(point.dice, point.low, point.high), *point.cells)
            for column, cell in zip(COLUMNS, cells, strict=True):
                write(figure, left + column, top, cell, fontsize=5.2, color=INK)
    for baseline in given.baselines:
        top -= LINE
        _mark(figure, left, top, marker="_", color=GREY, ms=6)
        write(figure, left + COLUMNS[0], top, baseline.label, fontsize=6, color=GREY, weight="bold")
        top -= LINE
        dice = interval_text(baseline.dice, baseline.low, baseline.high)
        write(figure, left + COLUMNS[1], top, dice, fontsize=5.2, color=INK)


def _mark(figure: Figure, left: float, bottom: float, **look: Any) -> None:
    """Draw one mark beside a line of text."""
    wide, high = figure.get_size_inches()
    place = ([left / wide], [(bottom + 0.03) / high])
    figure.add_artist(Line2D(*place, ls="none", transform=figure.transFigure, **look))


def short_number(value: float) -> str:
    """Return a count with a letter for thousands (k), millions (M) or milliards (G).

    >>> short_number(96573), short_number(1_234_000), short_number(5)
    ('96.6k', '1.23M', '5')
    """
    for unit, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= unit:
            digits = max(0, 2 - int(np.floor(np.log10(value / unit))))
            return f"{value / unit:.{digits}f}{letter}"
    return f"{value:g}"
