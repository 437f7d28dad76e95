"""The figure of what a search learnt: importance of the parameters, and the objective against each of them."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter, NullLocator

from hakken.figures.style import (
    BLUE,
    GREY,
    INK,
    SKY,
    TWO_COLUMNS,
    VERMILLION,
    Origin,
    new_figure,
    place,
    style,
    write,
)

COLUMNS = 4
TILE = (1.06, 0.8)
STEP = (1.31, 1.22)
LEFT = 2.08


@dataclass(frozen=True)
class ParameterInput:
    """One parameter: its trials' values and objectives, its range or choices, and its importance where known.

    A numerical parameter has ``bounds`` and perhaps a log axis; of a categorical one, ``values`` are places in
    ``choices``. ``border`` says `lowest` or `highest` where the best value lies at the end of the range.
    """

    name: str
    values: tuple[float, ...]
    objectives: tuple[float, ...]
    best: float | None
    bounds: tuple[float, float] | None = None
    choices: tuple[str, ...] = ()
    log: bool = False
    integer: bool = False
    border: str | None = None
    importance: float | None = None
    importance_low: float | None = None
    importance_high: float | None = None

    @property
    def words(self) -> str:
        """The name as people read it."""
        return self.name.replace("_", " ")


@dataclass(frozen=True)
class LearntInput:
    """Parameters in the order to draw them, a sentence about the importance, and what the objective is called."""

    parameters: tuple[ParameterInput, ...]
    reading: str
    objective: str
    origin: Origin


def draw_learnt(given: LearntInput) -> Figure:
    """Draw the importance on the left and a small picture for each parameter on the right."""
    rows = max(1, math.ceil(len(given.parameters) / COLUMNS))
    height = max(0.75 + STEP[1] * rows, 2.2 + 0.16 * len(given.parameters))
    with style():
        figure = new_figure(TWO_COLUMNS, height, given.origin)
        _importance(figure, given, height)
        values = [value for parameter in given.parameters for value in parameter.objectives]
        for number, parameter in enumerate(given.parameters):
            row, column = divmod(number, COLUMNS)
            axes = place(figure, LEFT + STEP[0] * column, height - 0.42 - TILE[1] - STEP[1] * row, *TILE)
            _parameter(axes, parameter, values)
            if column:
                axes.set_yticklabels([])
        write(
            figure,
            LEFT,
            height - 0.16,
            f"{given.objective} against each parameter; large: the best trial",
            fontsize=7,
            weight="bold",
        )
    return figure


def _importance(figure: Figure, given: LearntInput, height: float) -> None:
    """Draw a bar for each parameter, the most important first, with its range over forests."""
    write(figure, 0.1, height - 0.16, "Importance", fontsize=7, weight="bold")
    for number, line in enumerate(textwrap.wrap(given.reading, 34)):
        write(figure, 0.1, height - 0.32 - 0.11 * number, line, fontsize=5.8, color=GREY)
    known = [parameter for parameter in given.parameters if parameter.importance is not None]
    if not known:
        return
    lines = len(textwrap.wrap(given.reading, 34))
    tall = 0.16 * len(known)
    axes = place(figure, 1.02, height - 0.42 - 0.11 * lines - tall, 0.6, tall)
    known.sort(key=lambda parameter: -(parameter.importance or 0))
    for y, parameter in enumerate(known):
        axes.barh(y, max(0.0, parameter.importance or 0), color=BLUE, height=0.6, zorder=2)
        axes.plot([parameter.importance_low or 0, parameter.importance_high or 0], [y, y], color=INK, lw=0.7, zorder=3)
    axes.axvline(0, color=GREY, linewidth=0.6)
    axes.set_yticks(range(len(known)), [parameter.words for parameter in known], fontsize=6)
    axes.set_ylim(len(known) - 0.4, -0.6)
    axes.tick_params(axis="both", length=0)
    axes.xaxis.set_major_locator(MaxNLocator(2))
    axes.tick_params(axis="x", labelsize=5.5)
    axes.spines[["left", "bottom"]].set_visible(False)


def _parameter(axes: Axes, parameter: ParameterInput, every: Sequence[float]) -> None:
    """Draw the objective of each trial against one parameter; the best is larger, and red at a border."""
    at_border = parameter.border is not None
    axes.plot(parameter.values, parameter.objectives, "o", ms=2.8, mfc=SKY, mec="white", mew=0.4, zorder=3)
    if parameter.best is not None:
        color = VERMILLION if at_border else BLUE
        axes.plot(parameter.best, max(every), "o", ms=5, mfc=color, mec="white", mew=0.6, zorder=4, clip_on=False)
    _horizontal(axes, parameter)
    air = 0.15 * (max(every, default=1) - min(every, default=0)) or 0.1
    axes.set_ylim(min(every, default=0) - 2 * air, max(every, default=1) + air)
    axes.yaxis.set_major_locator(MaxNLocator(3))
    axes.tick_params(labelsize=5.8, pad=1.5)
    axes.grid(axis="y", color="#EEEEEE", linewidth=0.5)
    axes.set_title(parameter.words, fontsize=6.5, pad=3, color=VERMILLION if at_border else INK)
    if at_border:
        words = f"best at the {parameter.border} searched"
        axes.annotate(words, (0.5, 0.03), xycoords="axes fraction", ha="center", fontsize=5.2, color=VERMILLION)


def _horizontal(axes: Axes, parameter: ParameterInput) -> None:
    """Set the axis of the parameter: its searched range, logarithmic where it is searched so, or its choices."""
    if parameter.bounds is None:
        axes.set_xlim(-0.5, max(0.5, len(parameter.choices) - 0.5))
        axes.set_xticks(range(len(parameter.choices)), list(parameter.choices))
        return
    low, high = parameter.bounds
    if parameter.log:
        axes.set_xscale("log")
        margin = (high / low) ** 0.04
        axes.set_xlim(low / margin, high * margin)
        if high / low >= 100:
            axes.xaxis.set_major_locator(LogLocator(numticks=4))
        else:
            axes.set_xticks(
                [low, math.sqrt(low * high), high], [f"{x:.2g}" for x in (low, math.sqrt(low * high), high)]
            )
        axes.xaxis.set_minor_locator(NullLocator())
        axes.xaxis.set_minor_formatter(NullFormatter())
    else:
        margin = 0.04 * (high - low) or 0.5
        axes.set_xlim(low - margin, high + margin)
        axes.xaxis.set_major_locator(MaxNLocator(4, integer=parameter.integer, min_n_ticks=2))
