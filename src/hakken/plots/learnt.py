"""The figure of what a search learnt: how much each parameter matters, and the objective against the first of them."""

from __future__ import annotations

import math
import textwrap
from dataclasses import dataclass
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter, NullLocator

from hakken.core.names import spoken
from hakken.plots.style import (
    BLUE,
    GREY,
    INK,
    PALE,
    SKY,
    TWO_COLUMNS,
    VERMILLION,
    Origin,
    new_figure,
    place,
    power_of_ten,
    style,
    write,
)

COLUMNS = 3
TILES = 9
"""So many parameters are drawn with their trials, the most important first."""

TILE, STEP, LEFT = (1.22, 0.92), (1.45, 1.36), 2.86
BAR, BARS, WIDE = 0.17, 1.06, 0.85  # height of a row, left and width of the bars
HEAD, FOOT, LINE = 0.44, 0.36, 0.115
ARROWS = {"lowest": "▼", "highest": "▲"}


@dataclass(frozen=True)
class DependenceInput:
    """The model's mean objective at values of one parameter, with a band."""

    values: tuple[float, ...]
    mean: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]


@dataclass(frozen=True)
class ParameterInput:
    """One parameter: its trials' values, objectives and whether they are ``complete`` (else pruned); its range or
    choices, and what the model says of it.

    A numerical parameter has ``bounds`` and perhaps a log axis; of a categorical one, ``values`` are places in
    ``choices``. ``border`` says `lowest` or `highest` where the best value lies at the end of the range; ``condition``
    when the parameter is active. ``alone`` and ``total`` are shares of the model's variance.
    """

    name: str
    values: tuple[float, ...]
    objectives: tuple[float, ...]
    complete: tuple[bool, ...]
    best: float | None
    bounds: tuple[float, float] | None = None
    choices: tuple[str, ...] = ()
    log: bool = False
    integer: bool = False
    condition: str = ""
    border: str | None = None
    alone: float | None = None
    total: float | None = None
    curve: DependenceInput | None = None

    @property
    def words(self) -> str:
        """The name as people read it."""
        return spoken(self.name)

    @property
    def colour(self) -> str:
        """Red where the best value lies at a border."""
        return INK if self.border is None else VERMILLION


@dataclass(frozen=True)
class LearntInput:
    """Parameters in the order to draw them; a sentence about the model; the best objective and what it is called.

    ``hollow`` says what points are that are not of complete trainings.
    """

    parameters: tuple[ParameterInput, ...]
    reading: str
    best: float | None
    objective: str
    origin: Origin
    hollow: str = "pruned"


def draw_learnt(given: LearntInput) -> Figure:
    """Draw the shares of all parameters on the left and a picture for each of the first on the right."""
    drawn = given.parameters[:TILES]
    words = _words(given)
    rows = max(1, math.ceil(len(drawn) / COLUMNS))
    block = max(STEP[1] * rows - 0.2, BAR * len(given.parameters))
    height = HEAD + block + 0.14 + LINE * len(words) + FOOT
    with style():
        figure = new_figure(TWO_COLUMNS, height, given.origin)
        title = "Importance" if _ranked(given) else "Parameters"
        write(figure, 0.1, height - 0.17, title, fontsize=7.5, weight="bold")
        _shares(figure, given, height - HEAD)
        for number, line in enumerate(reversed(words)):
            write(figure, 0.1, 0.27 + LINE * number, line, fontsize=6, color=GREY)
        write(figure, LEFT, height - 0.17, f"{given.objective} against the parameters", fontsize=7.5, weight="bold")
        low, high = _range(given)
        for number, parameter in enumerate(drawn):
            row, column = divmod(number, COLUMNS)
            axes = place(figure, LEFT + STEP[0] * column, height - HEAD - TILE[1] - STEP[1] * row, *TILE)
            axes.set_ylim(low, high)
            _parameter(axes, parameter, given.best)
            axes.tick_params(labelleft=column == 0)
    return figure


def _ranked(given: LearntInput) -> bool:
    return any(parameter.total is not None for parameter in given.parameters)


def _words(given: LearntInput) -> list[str]:
    """Return the lines at the foot."""
    sentences = [given.reading]
    if _ranked(given):
        sentences += [
            "Bars: share of the variance of the search's model over the whole space that a parameter explains alone "
            "(dark) and with others (pale).",
            "Lines: the model averaged over all other parameters; bands: one deviation of that average.",
        ]
    hollow = f"; hollow: {given.hollow}" if not all(all(parameter.complete) for parameter in given.parameters) else ""
    sentences.append(f"Points: trainings; large: the best{hollow}.")
    if any(parameter.border for parameter in given.parameters):
        sentences.append(
            "Red: the best value is the lowest (▼) or highest (▲) searched; a wider range may hold better."
        )
    return textwrap.wrap(" ".join(sentences), 165)


def _shares(figure: Figure, given: LearntInput, top: float) -> None:
    """Draw a row for each parameter: its name, and its shares where they are known."""
    parameters = given.parameters
    tall = BAR * max(1, len(parameters))
    axes = place(figure, BARS, top - tall, WIDE, tall)
    longest = max((parameter.total or 0.0 for parameter in parameters), default=0.0) or 1.0
    for y, parameter in enumerate(parameters):
        arrow = f" {ARROWS[parameter.border]}" if parameter.border else ""
        _beside(axes, (0, y), parameter.words + arrow, -4, ha="right", fontsize=6.2, color=parameter.colour)
        if parameter.total is not None and parameter.alone is not None:
            axes.barh(y, parameter.total, color=SKY, alpha=0.45, height=0.62, linewidth=0)
            axes.barh(y, min(parameter.alone, parameter.total), color=BLUE, height=0.62, linewidth=0)
            _beside(axes, (parameter.total, y), f"{100 * parameter.total:.0f} %", 3, fontsize=5.8, color=GREY)
    axes.set_xlim(0, 1.02 * longest)
    axes.set_ylim(max(1, len(parameters)) - 0.5, -0.5)
    axes.set_yticks([])
    axes.set_xticks([])
    axes.spines["bottom"].set_visible(False)
    axes.spines["left"].set_visible(_ranked(given))


def _beside(axes: Axes, at: tuple[float, float], text: str, offset: float, **look: Any) -> None:
    """Write ``text`` so many points beside a place, also where that lies outside the axes."""
    axes.annotate(text, at, xytext=(offset, 0), textcoords="offset points", va="center", annotation_clip=False, **look)


def _parameter(axes: Axes, parameter: ParameterInput, best: float | None) -> None:
    """Draw the objective of each trial against one parameter, and the model's curve."""
    _curve(axes, parameter)
    points = list(zip(parameter.values, parameter.objectives, parameter.complete, strict=True))
    for state, look in (
        (True, {"mfc": SKY, "mec": "white", "mew": 0.4}),
        (False, {"mfc": "white", "mec": SKY, "mew": 0.7}),
    ):
        chosen = [point[:2] for point in points if point[2] == state]
        axes.plot([x for x, _ in chosen], [y for _, y in chosen], "o", ms=3, zorder=3, **look)  # type: ignore[arg-type]
    if parameter.best is not None and best is not None:
        fill = VERMILLION if parameter.border else BLUE
        axes.plot(parameter.best, best, "o", ms=5.5, mfc=fill, mec="white", mew=0.6, zorder=4, clip_on=False)
    _horizontal(axes, parameter)
    axes.yaxis.set_major_locator(MaxNLocator(4))
    axes.tick_params(labelsize=6, pad=1.5)
    axes.grid(axis="y", color="#EEEEEE", linewidth=0.5)
    axes.set_title(parameter.words, fontsize=6.8, pad=3, color=parameter.colour)
    note = f"best at the {parameter.border} searched" if parameter.border else parameter.condition
    color = VERMILLION if parameter.border else GREY
    axes.annotate(note, (0.5, 0.03), xycoords="axes fraction", ha="center", fontsize=5.4, color=color)


def _curve(axes: Axes, parameter: ParameterInput) -> None:
    """Draw the curve with its band: a line, or a bar for each choice."""
    curve = parameter.curve
    if curve is None:
        return
    if parameter.bounds is not None:
        axes.fill_between(curve.values, curve.low, curve.high, color=PALE, alpha=0.6, lw=0, zorder=1)
        axes.plot(curve.values, curve.mean, color=INK, linewidth=1, zorder=2)
        return
    for value, mean, low, high in zip(curve.values, curve.mean, curve.low, curve.high, strict=True):
        axes.fill_between([value - 0.3, value + 0.3], low, high, color=PALE, alpha=0.6, lw=0, zorder=1)
        axes.plot([value - 0.3, value + 0.3], [mean, mean], color=INK, linewidth=1, zorder=2)


def _range(given: LearntInput) -> tuple[float, float]:
    """Return the common ends of the objective's axis: all trials and all lines."""
    known = [value for parameter in given.parameters for value in parameter.objectives]
    known += [value for one in given.parameters if one.curve is not None for value in one.curve.mean]
    low, high = min(known, default=0.0), max(known, default=1.0)
    air = 0.1 * (high - low) or 0.1
    return low - 2 * air, high + air


def _horizontal(axes: Axes, parameter: ParameterInput) -> None:
    """Set the axis of the parameter: its searched range, logarithmic where it is searched so, or its choices."""
    if parameter.bounds is None:
        axes.set_xlim(-0.5, max(0.5, len(parameter.choices) - 0.5))
        axes.set_xticks(range(len(parameter.choices)), list(parameter.choices))
        return
    low, high = parameter.bounds
    if parameter.log:
        _logarithmic(axes, low, high)
    else:
        margin = 0.04 * (high - low) or 0.5
        axes.set_xlim(low - margin, high + margin)
        axes.xaxis.set_major_locator(MaxNLocator(4, integer=parameter.integer, min_n_ticks=2))


def _logarithmic(axes: Axes, low: float, high: float) -> None:
    """Set a logarithmic axis from ``low`` to ``high`` with few round ticks."""
    margin = (high / low) ** 0.04
    axes.set_xscale("log")
    axes.set_xlim(low / margin, high * margin)
    if high / low >= 100:
        axes.xaxis.set_major_locator(LogLocator(numticks=4))
        axes.xaxis.set_major_formatter(power_of_ten)
    else:
        ticks = (low, math.sqrt(low * high), high)
        axes.set_xticks(ticks, [f"{tick:.2g}" if tick < 100 else f"{tick:.0f}" for tick in ticks])
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_minor_formatter(NullFormatter())
