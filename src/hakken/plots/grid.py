"""The grid: the accuracy of each network against the amount of each kind of misregistration, with readers beside."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from hakken.plots.interaction import LOOKS
from hakken.plots.style import GREY, INK, TWO_COLUMNS, Origin, new_figure, place, spread, style, write

LEFT, WIDE, GAP, TALL, RIGHT = 0.5, 1.5, 0.14, 2.5, 1.82
DODGE = 0.3
FOLD_ALPHA = 0.35
UNITS = {"shift": "voxels", "rotation": "degrees", "skew": "degrees"}


@dataclass(frozen=True)
class PointInput:
    """A network at one amount: the accuracy of all folds together, its interval, and that of each fold."""

    amount: float
    value: float
    low: float | None
    high: float | None
    folds: tuple[float, ...]


@dataclass(frozen=True)
class LineInput:
    """A network by name, what it started from, and its points by amount, 0 first."""

    network: str
    start: str
    points: tuple[PointInput, ...]


@dataclass(frozen=True)
class PanelInput:
    """A kind of misregistration, the lines of the networks, and a sentence on what matters there."""

    kind: str
    lines: tuple[LineInput, ...]
    words: str


@dataclass(frozen=True)
class GridInput:
    """The panels; horizontal lines (label, accuracy, whether it was measured here); notes below."""

    panels: tuple[PanelInput, ...]
    levels: tuple[tuple[str, float, bool], ...]
    notes: tuple[str, ...]
    origin: Origin


def draw_grid(given: GridInput) -> Figure:
    """Draw a panel for each kind; on the right what the lines mean."""
    with style():
        networks = given.panels[0].lines
        legend = 0.16 * len(networks) + 0.1
        below = 1.22 + 0.13 * len(given.notes)
        figure = new_figure(TWO_COLUMNS, below + TALL + 0.3, given.origin)
        span = TWO_COLUMNS - LEFT - RIGHT - GAP * (len(given.panels) - 1)
        wide = span / len(given.panels)
        highest = _top(given)
        for number, panel in enumerate(given.panels):
            left = LEFT + number * (wide + GAP)
            axes = place(figure, left, below, wide, TALL)
            _panel(axes, panel, given.levels)
            axes.set_ylim(0, highest)
            axes.tick_params(labelleft=number == 0)
            if number == 0:
                axes.set_ylabel("Accuracy, all folds together")
            for line, words in enumerate(panel.words.split("\n")):
                write(figure, left, below - 0.55 - 0.13 * line, words, fontsize=5.8, color=INK)
        edge = TWO_COLUMNS - RIGHT + 0.06
        _labels(figure, given.levels, edge, below, highest)
        _legend(figure, networks, below - 0.22 - 0.0 * legend, edge)
        for line, words in enumerate(reversed(given.notes)):
            write(figure, 0.08, 0.26 + 0.13 * line, words, fontsize=6, color=GREY)
    return figure


def _top(given: GridInput) -> float:
    values = [value for _, value, _ in given.levels]
    for panel in given.panels:
        for line in panel.lines:
            values += [point.high or point.value for point in line.points]
            values += [value for point in line.points for value in point.folds]
    return min(1.0, 1.08 * max(values, default=0.9))


def _panel(axes: Axes, panel: PanelInput, levels: Sequence[tuple[str, float, bool]]) -> None:
    for _, value, measured in levels:
        axes.axhline(value, color=GREY, linewidth=0.8, linestyle="-" if measured else (0, (4, 2)), zorder=1)
    amounts = sorted({point.amount for line in panel.lines for point in line.points})
    shifts = np.linspace(-DODGE, DODGE, len(panel.lines)) / 2 if len(panel.lines) > 1 else np.zeros(1)
    for line, shift, look in zip(panel.lines, shifts, _looks(len(panel.lines)), strict=True):
        places = np.array([amounts.index(point.amount) for point in line.points]) + shift
        values = np.array([point.value for point in line.points])
        ends = [
            [point.value - (point.low or point.value), (point.high or point.value) - point.value]
            for point in line.points
        ]
        color, marker, stroke = look
        axes.errorbar(
            places,
            values,
            yerr=np.array(ends).T,
            color=color,
            marker=marker,
            linestyle=stroke,
            linewidth=1.1,
            markersize=3.8,
            markeredgecolor="white",
            markeredgewidth=0.4,
            elinewidth=0.8,
            capsize=1.5,
            zorder=4,
        )
        for spot, point in zip(places, line.points, strict=True):
            axes.plot([spot] * len(point.folds), point.folds, ".", color=color, ms=2, alpha=FOLD_ALPHA, zorder=3)
    axes.set_xlim(-0.5, len(amounts) - 0.5)
    axes.set_xticks(range(len(amounts)), ["none" if amount == 0 else f"{amount:g}" for amount in amounts])
    axes.set_xlabel(f"{panel.kind.capitalize()}, {UNITS.get(panel.kind, '')}".rstrip(", "))
    axes.grid(axis="y", color="#EEEEEE", linewidth=0.6)


def _looks(count: int) -> list[tuple[str, str, Any]]:
    return [LOOKS[number % len(LOOKS)] for number in range(count)]


def _labels(
    figure: Figure, levels: Sequence[tuple[str, float, bool]], left: float, below: float, highest: float
) -> None:
    """Write what each horizontal line is beside its height, moved apart where they are near."""
    wanted = [below + TALL * value / highest - 0.03 for _, value, _ in levels]
    for (label, _, _), height in zip(levels, spread(wanted, 0.24, below, below + TALL), strict=True):
        for line, words in enumerate(label.split("\n")):
            write(figure, left, height - 0.1 * line, words, fontsize=5.8, color=INK if line == 0 else GREY)


def _legend(figure: Figure, networks: Sequence[LineInput], top: float, left: float) -> None:
    wide, high = figure.get_size_inches()
    for number, (line, (color, marker, stroke)) in enumerate(zip(networks, _looks(len(networks)), strict=True)):
        y = top - 0.13 * number
        ends = np.array([left, left + 0.24]) / wide, np.array([y + 0.03] * 2) / high
        figure.add_artist(Line2D(*ends, color=color, linestyle=stroke, linewidth=1.1))
        middle = ((left + 0.12) / wide,), ((y + 0.03) / high,)
        figure.add_artist(Line2D(*middle, color=color, linestyle="none", marker=marker, markersize=3.8))
        write(figure, left + 0.3, y, f"{line.network} ({line.start})", fontsize=5.6)
