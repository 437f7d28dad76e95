"""The comparison figure: the best objective so far against trials and time for each number of trainings at once.

Above, the mean over the repeats of each group with its range; below, the slots of every sweep over time.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patheffects import withStroke
from matplotlib.ticker import MaxNLocator, NullLocator

from hakken.plots.slots import coarsest_unit, draw_slots, rows_of, time_text
from hakken.plots.style import (
    DARK_ORANGE,
    GREY,
    INK,
    ORANGE,
    TWO_COLUMNS,
    Origin,
    new_figure,
    place,
    spread,
    style,
    write,
)
from hakken.search.comparison import Group, TimedSweep, common_level, groups_of, speeds
from hakken.search.course import Average, duration, utilisation

LEFT, PANEL, BETWEEN = 0.7, (2.3, 2.1), 0.2
TABLE = LEFT + 2 * PANEL[0] + BETWEEN + 0.12
HEAD, MIDDLE = 0.3, 0.84  # above the courses, and between them and the strips
ROW, LOWEST, HIGHEST = 0.05, 0.12, 0.6  # of a slot, and of the least and the tallest strip
COLUMNS, CAPTION, LINE = 4, 0.17, 0.115
STEP = 0.17  # between rows of the table
TIMES_SIGN = "\N{MULTIPLICATION SIGN}"
Dashes = Literal["-"] | tuple[float, tuple[float, ...]]
DASHED: Dashes = (0, (4, 2))
DOTTED: Dashes = (0, (1, 1))
BROKEN: Dashes = (0, (3, 1))  # samplers that ignore the results: also apart for readers who cannot tell the colours
TICKS = [
    (number * seconds, f"{number} {unit}")
    for seconds, unit, numbers in (
        (1, "s", (1, 2, 5, 10, 20, 30)),
        (60, "min", (1, 2, 5, 10, 20, 30)),
        (3600, "h", (1, 2, 5, 10)),
        (86_400, "d", (1, 2, 5, 10, 20, 50)),
    )
    for number in numbers
]
TICK_WIDTH = 0.42
"""What the logarithmic time axis may mark, and the inches that a label needs."""


@dataclass(frozen=True)
class ComparisonInput:
    """Sweeps to compare, the untuned default's objective, notes for the foot, and what the objective is called."""

    sweeps: tuple[TimedSweep, ...]
    default: float | None
    notes: tuple[str, ...]
    objective: str
    origin: Origin

    @cached_property
    def groups(self) -> tuple[Group, ...]:
        """The repeats of each sampler with each number of slots."""
        return groups_of(self.sweeps)


def draw_comparison(given: ComparisonInput) -> Figure:
    """Draw the two courses and the table of times above, and the strips of all sweeps below."""
    strips = sum(_lines(group) * (_strip(group) + CAPTION) for group in given.groups)
    foot = 0.36 + LINE * len(given.notes)
    height = foot + strips + MIDDLE + PANEL[1] + HEAD
    colours = colours_of(given.groups)
    with style():
        figure = new_figure(TWO_COLUMNS, height, given.origin)
        _courses(figure, given, colours, height - HEAD - PANEL[1])
        _table(figure, given, colours, height - HEAD)
        _strips(figure, given.groups, colours, foot + strips)
        for number, note in enumerate(reversed(given.notes)):
            write(figure, 0.1, 0.27 + LINE * number, note, fontsize=6, color=GREY)
    return figure


def colours_of(groups: Sequence[Group]) -> list[str]:
    """Return a colour for each group: from light to dark by slots, grey where the sampler ignores the results."""
    learning = sum(not group.blind for group in groups)
    ramp = iter(mpl.colormaps["viridis_r"](np.linspace(0.3, 0.95, learning)))
    return [GREY if group.blind else to_hex(next(ramp)) for group in groups]


def short_name(group: Group) -> str:
    """Return what a group is called beside its curve."""
    return group.sampler if group.blind else f"N = {group.slots}"


def _courses(figure: Figure, given: ComparisonInput, colours: Sequence[str], bottom: float) -> None:
    """Draw both panels with one scale of the objective."""
    left, right = (place(figure, LEFT + step * (PANEL[0] + BETWEEN), bottom, *PANEL) for step in (0, 1))
    groups, level = given.groups, common_level(given.groups)
    for group, colour in zip(groups, colours, strict=True):
        _average(left, group.by_trials, colour, _dashes(group))
        _average(right, group.by_time, colour, _dashes(group))
    low, high = _range(given)
    for axes, title in ((left, "(a) by trainings"), (right, "(b) by time")):
        axes.set_ylim(low, high)
        axes.yaxis.set_major_locator(MaxNLocator(6))
        axes.grid(axis="y", color="#EEEEEE", linewidth=0.6)
        axes.set_title(title, fontsize=7.5)
        if given.default is not None:
            axes.axhline(given.default, color=ORANGE, linewidth=1, linestyle=DASHED, zorder=2)
    if level is not None:
        right.axhline(level, color=INK, linewidth=1, linestyle=DOTTED, zorder=2)
    left.set_xlim(0, max([2, *(round(sum(trial.cost for trial in sweep.trials)) for sweep in given.sweeps)]))
    left.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    whole = all(trial.cost == 1 for sweep in given.sweeps for trial in sweep.trials)
    left.set_xlabel("Finished trainings" if whole else "Full trainings spent")
    left.set_ylabel(given.objective)
    right.tick_params(axis="y", labelleft=False)
    _time_axis(right, groups)
    _ends(right, groups, colours)


def _average(axes: Axes, average: Average, colour: str, dashes: Dashes) -> None:
    """Draw a mean as steps, with its range as a band."""
    axes.fill_between(average.at, average.low, average.high, step="post", color=colour, alpha=0.1, lw=0)
    axes.plot(average.at, average.mean, drawstyle="steps-post", color=colour, linestyle=dashes, zorder=3)


def _dashes(group: Group) -> Dashes:
    return BROKEN if group.blind else "-"


def _time_axis(axes: Axes, groups: Sequence[Group]) -> None:
    """Make the time axis logarithmic: twice as fast is the same distance everywhere."""
    starts = [float(group.by_time.at[0]) for group in groups if len(group.by_time.at)]
    low, high = 0.9 * (min(starts, default=0) or 1.0), 1.1 * _longest(groups)
    axes.set_xscale("log")
    axes.set_xlim(low, high)
    inch = math.log(high / low) / PANEL[0]
    marked: list[tuple[float, str]] = []
    for seconds, label in TICKS:
        if low <= seconds <= high and (not marked or math.log(seconds / marked[-1][0]) >= TICK_WIDTH * inch):
            marked.append((seconds, label))
    axes.set_xticks([seconds for seconds, _ in marked], [label for _, label in marked])
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xlabel("Time since the start of the sweep")


def _ends(axes: Axes, groups: Sequence[Group], colours: Sequence[str]) -> None:
    """Name the curves of the time panel where they end."""
    drawn = [(group, colour) for group, colour in zip(groups, colours, strict=True) if len(group.by_time.at)]
    low, high = np.log(axes.get_xlim())
    inch = (high - low) / PANEL[0]
    ends = {group: float(np.log(group.by_time.at[-1])) for group, _ in drawn}
    learning = [group for group in ends if not group.blind]  # named above their curves, the others below
    ends |= zip(learning, spread([ends[group] for group in learning], 0.34 * inch, low + 0.4 * inch, high), strict=True)
    for group, colour in drawn:
        text = axes.annotate(
            short_name(group),
            (math.exp(ends[group]), group.by_time.mean[-1]),
            xytext=(0, -3 if group.blind else 3),
            textcoords="offset points",
            ha="right",
            va="top" if group.blind else "bottom",
            fontsize=6.5,
            color=colour,
            zorder=20,
        )
        text.set_path_effects([withStroke(linewidth=1.5, foreground="white")])


def _table(figure: Figure, given: ComparisonInput, colours: Sequence[str], top: float) -> None:
    """Write when the mean of each group reaches what all reach, how much sooner than with fewest slots; the default."""
    level, y = common_level(given.groups), top - 0.1
    if level is not None:
        _swatch(figure, y, INK, DOTTED)
        write(figure, TABLE + 0.3, y, f"{level:.3f} reached after", fontsize=7)
        times = [group.by_time.reaches(level) or 0.0 for group in given.groups]
        length, unit = coarsest_unit(min(times))
        for row in zip(given.groups, colours, times, speeds(given.groups, level), strict=True):
            group, colour, seconds, speed = row
            y -= STEP
            _swatch(figure, y, colour, _dashes(group))
            time = seconds / length
            write(figure, TABLE + 0.3, y, short_name(group), fontsize=7, color=colour, weight="bold")
            write(figure, TABLE + 1.15, y, f"{time:.{time < 10:d}f} {unit}", fontsize=7, ha="right")
            write(figure, TABLE + 1.49, y, "" if speed is None else f"{speed:.1f} {TIMES_SIGN}", fontsize=7, ha="right")
    if given.default is not None:
        _swatch(figure, y - 1.5 * STEP, ORANGE, DASHED)
        words = f"untuned default {given.default:.3f}"
        write(figure, TABLE + 0.3, y - 1.5 * STEP, words, fontsize=7, color=DARK_ORANGE)


def _swatch(figure: Figure, y: float, colour: str, dashes: Dashes) -> None:
    """Draw a piece of a line before a row of the table."""
    wide, high = figure.get_size_inches()
    ends = [TABLE / wide, (TABLE + 0.22) / wide]
    figure.add_artist(Line2D(ends, [(y + 0.035) / high] * 2, color=colour, linewidth=1.4, linestyle=dashes))


def _strips(figure: Figure, groups: Sequence[Group], colours: Sequence[str], top: float) -> None:
    """Draw the slots of every sweep, the repeats of a group side by side on one clock."""
    write(figure, LEFT, top + 0.12, "(c) slots over time", fontsize=7.5, weight="bold")
    paused = any(trial.state == "paused" for group in groups for sweep in group.repeats for trial in sweep.trials)
    bar, hollow = ("a segment of a training", "pruned or paused") if paused else ("a training", "pruned")
    words = f"a bar is {bar}; dark: the best of its sweep, red: failed, hollow: {hollow}, grey: idle"
    write(figure, LEFT + 1.3, top + 0.12, words, fontsize=6, color=GREY)
    for group, colour in zip(groups, colours, strict=True):
        middle = top - CAPTION - _strip(group) / 2
        name = f"{group.sampler}\nN = {group.slots}" if group.blind else short_name(group)
        write(figure, 0.1, middle, name, fontsize=7, color=colour, weight="bold", va="center")
        span = max(duration(sweep.trials) for sweep in group.repeats) or 1.0
        for sweep, (left, bottom, width) in zip(group.repeats, _places(group, top), strict=True):
            axes = place(figure, left, bottom, width, _strip(group))
            draw_slots(axes, sweep.trials, sweep.slots, span)
            axes.set_xticks([])
            axes.spines["bottom"].set_visible(False)
            busy = utilisation(sweep.trials, sweep.slots)
            words = time_text(duration(sweep.trials)) + ("" if busy is None else f", {100 * busy:.0f} % busy")
            write(figure, left, bottom + _strip(group) + 0.035, words, fontsize=5.8, color=GREY)
        top -= _lines(group) * (_strip(group) + CAPTION)


def _places(group: Group, top: float) -> Iterator[tuple[float, float, float]]:
    """Yield left, bottom and width of each repeat's strip, row by row below ``top``."""
    columns = math.ceil(len(group.repeats) / _lines(group))
    step = (TWO_COLUMNS - LEFT) / columns
    for number in range(len(group.repeats)):
        line, column = divmod(number, columns)
        yield LEFT + column * step, top - (line + 1) * (_strip(group) + CAPTION), step - 0.12


def _longest(groups: Sequence[Group]) -> float:
    """Return the seconds of the longest sweep."""
    return max((duration(sweep.trials) for group in groups for sweep in group.repeats), default=0) or 10.0


def _lines(group: Group) -> int:
    return math.ceil(len(group.repeats) / COLUMNS)


def _strip(group: Group) -> float:
    rows = max(rows_of(sweep.trials, sweep.slots) for sweep in group.repeats)
    return min(HIGHEST, max(LOWEST, ROW * rows))


def _range(given: ComparisonInput) -> tuple[float, float]:
    known = [value for group in given.groups for value in (*group.by_trials.low, *group.by_trials.high)]
    known += [] if given.default is None else [given.default]
    low, high = min(known, default=0.0), max(known, default=1.0)
    air = 0.06 * (high - low) or 0.1
    return low - air, high + air
