"""Variants that held out folds: the objective of each combination of levels, and of every fold."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from hakken.plots.interaction import LOOKS
from hakken.plots.style import GREY, INK, TWO_COLUMNS, Origin, new_figure, place, spread, style, write

LEFT, GAP, TALL, RIGHT, HEAD = 0.5, 0.14, 2.5, 1.82, 0.3
EDGE = TWO_COLUMNS - RIGHT + 0.06
"""Where the words on the right begin."""

ACROSS = 3
"""Panels in a row."""

LETTER, LINE = 0.052, 0.13
"""Inches of a letter of a slanted label, and of a line of text."""

ROOM = 0.075
"""Inches of the axis that a letter of an upright label needs."""

SLANTED: dict[str, Any] = {"rotation": 40, "ha": "right", "rotation_mode": "anchor", "fontsize": 6}
DASHED, DOTTED = (0, (4, 2)), (0, (1, 1))
DODGE, WIDEST = 0.15, 0.7
"""How far lines stand beside each other at a level, and all of them together at most, in steps between levels."""

FOLD_ALPHA = 0.35
Look = tuple[str, str, Any]


@dataclass(frozen=True)
class PointInput:
    """A level: the objective of all folds together, its interval, and that of each fold."""

    level: str
    value: float
    low: float | None
    high: float | None
    folds: tuple[float, ...]


@dataclass(frozen=True)
class LineInput:
    """The points of a level of the first factor, by its name."""

    name: str
    points: tuple[PointInput, ...]


@dataclass(frozen=True)
class PanelInput:
    """A title, the factor and the levels along the axis, the lines, and sentences on what matters there."""

    title: str
    factor: str
    levels: tuple[str, ...]
    lines: tuple[LineInput, ...]
    words: tuple[str, ...] = ()


@dataclass(frozen=True)
class LevelInput:
    """A horizontal line: its name and value, and whether it was published and not measured here."""

    name: str
    value: float
    published: bool = False


@dataclass(frozen=True)
class GridInput:
    """The panels, horizontal lines, what the objective is called, and notes below."""

    panels: tuple[PanelInput, ...]
    levels: tuple[LevelInput, ...]
    objective: str
    notes: tuple[str, ...]
    origin: Origin


def draw_grid(given: GridInput) -> Figure:
    """Draw the panels, three in a row, one scale for all; on the right what the lines mean."""
    rows = [given.panels[first : first + ACROSS] for first in range(0, len(given.panels), ACROSS)]
    looks = _looks(given.panels)
    wide = (TWO_COLUMNS - LEFT - RIGHT - GAP * (len(rows[0]) - 1)) / len(rows[0])
    below = [_below(row, wide) for row in rows]
    foot = 0.36 + LINE * len(given.notes)
    height = foot + max(sum(below) + (HEAD + TALL) * len(rows), HEAD + TALL + 0.3 + LINE * len(looks))
    with style():
        figure = new_figure(TWO_COLUMNS, height, given.origin)
        top = height
        for row, inches in zip(rows, below, strict=True):
            _row(figure, row, top - HEAD - TALL, wide, given)
            top -= HEAD + TALL + inches
        _legend(figure, looks, height - HEAD - TALL - 0.22)
        for line, words in enumerate(reversed(given.notes)):
            write(figure, 0.08, 0.26 + LINE * line, words, fontsize=6, color=GREY)
    return figure


def _looks(panels: Sequence[PanelInput]) -> dict[str, Look]:
    """Return colour, mark and stroke of each line by its name; those beyond the known looks are dotted."""
    names = dict.fromkeys(line.name for panel in panels for line in panel.lines)
    dotted = [(color, marker, DOTTED) for color, marker, _ in LOOKS]
    return dict(zip(names, itertools.cycle([*LOOKS, *dotted]), strict=False))


def _row(figure: Figure, row: Sequence[PanelInput], bottom: float, wide: float, given: GridInput) -> None:
    """Draw panels side by side, ``bottom`` inches up and ``wide`` inches wide, and name the horizontal lines."""
    ends, looks = _range(given), _looks(given.panels)
    for column, panel in enumerate(row):
        left = LEFT + column * (wide + GAP)
        axes = place(figure, left, bottom, wide, TALL)
        axes.set_ylim(*ends)
        _panel(axes, panel, looks, given.levels, wide)
        axes.tick_params(labelleft=column == 0)
        axes.set_ylabel(given.objective if column == 0 else "")
        for line, words in enumerate(panel.words):
            write(figure, left, bottom - _names(panel, wide) - 0.5 - LINE * line, words, fontsize=5.8, color=INK)
    _labels(figure, given.levels, bottom, ends)


def _below(row: Sequence[PanelInput], wide: float) -> float:
    """Return the inches below a row of panels: names of levels, factor, words."""
    return max(_names(panel, wide) + 0.55 + LINE * len(panel.words) for panel in row)


def _names(panel: PanelInput, wide: float) -> float:
    """Return the inches that the names of the levels take beyond a line: 0 where they fit side by side."""
    return 0.0 if _fits(panel, wide) else LETTER * max(map(len, panel.levels)) * math.sin(math.radians(40))


def _fits(panel: PanelInput, wide: float) -> bool:
    return ROOM * max(map(len, panel.levels)) * len(panel.levels) <= wide


def _range(given: GridInput) -> tuple[float, float]:
    """Return the ends of the axis: from 0 where nothing lies below, else around all that is drawn."""
    values = [level.value for level in given.levels]
    for point in (point for panel in given.panels for line in panel.lines for point in line.points):
        values += [point.value, *(end for end in (point.low, point.high) if end is not None), *point.folds]
    low, high = min(values, default=0.0), max(values, default=1.0)
    if low >= 0 and high <= 1:
        return 0.0, min(1.0, 1.08 * high) or 1.0
    air = 0.06 * (high - low) or 0.1
    return low - air, high + air


def _panel(axes: Axes, panel: PanelInput, looks: Mapping[str, Look], levels: Sequence[LevelInput], wide: float) -> None:
    for level in levels:
        axes.axhline(level.value, color=GREY, linewidth=0.8, linestyle=DASHED if level.published else "-", zorder=1)
    count = len(panel.lines)
    shifts = np.linspace(-0.5, 0.5, count) * min(WIDEST, DODGE * count) if count > 1 else np.zeros(1)
    for line, shift in zip(panel.lines, shifts, strict=True):
        _line(axes, panel, line, float(shift), looks[line.name])
    axes.set_xlim(-0.5, len(panel.levels) - 0.5)
    axes.set_xticks(range(len(panel.levels)), list(panel.levels), **({} if _fits(panel, wide) else SLANTED))
    axes.set_xlabel(panel.factor)
    axes.set_title(panel.title, fontsize=7.5)
    axes.grid(axis="y", color="#EEEEEE", linewidth=0.6)


def _line(axes: Axes, panel: PanelInput, line: LineInput, shift: float, look: Look) -> None:
    """Draw one line with its intervals, and the folds as dots."""
    color, marker, stroke = look
    places = np.array([panel.levels.index(point.level) for point in line.points]) + shift
    ends = [_error(point) for point in line.points]
    axes.errorbar(
        places,
        [point.value for point in line.points],
        yerr=np.array(ends).reshape(-1, 2).T,
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


def _error(point: PointInput) -> tuple[float, float]:
    low, high = (point.value if end is None else end for end in (point.low, point.high))
    return max(0.0, point.value - low), max(0.0, high - point.value)


def _labels(figure: Figure, levels: Sequence[LevelInput], below: float, ends: tuple[float, float]) -> None:
    """Write what each horizontal line is beside its height, moved apart where they are near."""
    low, high = ends
    wanted = [below + TALL * (level.value - low) / (high - low) for level in levels]
    for level, height in zip(levels, spread(wanted, 0.24, below, below + TALL), strict=True):
        write(figure, EDGE, height, f"{level.name} {level.value:.3f}", fontsize=5.8, color=INK)
        write(figure, EDGE, height - 0.1, "published" if level.published else "measured here", fontsize=5.4, color=GREY)


def _legend(figure: Figure, looks: Mapping[str, Look], top: float) -> None:
    wide, high = figure.get_size_inches()
    for number, (name, (color, marker, stroke)) in enumerate(looks.items()):
        y = top - LINE * number
        ends = np.array([EDGE, EDGE + 0.24]) / wide, np.array([y + 0.03] * 2) / high
        figure.add_artist(Line2D(*ends, color=color, linestyle=stroke, linewidth=1.1))
        middle = ((EDGE + 0.12) / wide,), ((y + 0.03) / high,)
        figure.add_artist(Line2D(*middle, color=color, linestyle="none", marker=marker, markersize=3.8))
        write(figure, EDGE + 0.3, y, name, fontsize=5.6)
