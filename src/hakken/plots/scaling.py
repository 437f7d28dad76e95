"""Strong scaling: one training with several numbers of processes, its score over time and its speed."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, NullLocator

from hakken.plots.slots import coarsest_unit
from hakken.plots.style import DARK_ORANGE, GREY, INK, ORANGE, TWO_COLUMNS, Origin, new_figure, place, style, write
from hakken.training.scaling import Scaled, efficiency, speed

LEFT, WIDE, HIGH = 0.75, 2.35, 1.9
SECOND = LEFT + WIDE + 0.75
TABLE_ROW, NOTE, WRAP = 0.15, 0.11, 150
HEADS = ("processes", "nodes", "patches/s", "speed", "efficiency", "best score", "time")
PLACES = (0.62, 1.5, 2.3, 3.05, 3.9, 4.8, 5.6)
TIMES_SIGN = "\N{MULTIPLICATION SIGN}"


@dataclass(frozen=True)
class ScalingInput:
    """What to draw: trainings (fewest processes first), published speeds by processes, words, and the origin."""

    trainings: tuple[Scaled, ...]
    published: Mapping[int, float]
    citation: str
    objective: str
    notes: tuple[str, ...]
    origin: Origin


def draw_scaling(given: ScalingInput) -> Figure:
    """Draw score against time, speed against processes beside the published one, and the numbers as a table."""
    lines = [line for note in given.notes for line in textwrap.wrap(note, WRAP)]
    rows = len(given.trainings) + 1
    height = 0.25 + NOTE * len(lines) + 0.2 + TABLE_ROW * rows + 0.55 + HIGH + 0.3
    with style():
        figure = new_figure(TWO_COLUMNS, height, given.origin)
        colours = _colours(len(given.trainings))
        bottom = height - HIGH - 0.3
        _scores(place(figure, LEFT, bottom, WIDE, HIGH), given, colours)
        _speeds(place(figure, SECOND, bottom, WIDE, HIGH), given, colours)
        _table(figure, bottom - 0.62, given.trainings, colours)
        for number, line in enumerate(reversed(lines)):
            write(figure, 0.1, 0.25 + NOTE * number, line, fontsize=5.8, color=GREY)
    return figure


def _scores(axes: Axes, given: ScalingInput, colours: Sequence[str]) -> None:
    length, unit = coarsest_unit(min(one.total for one in given.trainings))
    for one, colour in zip(given.trainings, colours, strict=True):
        times = np.array(one.seconds) / length
        axes.plot(times, one.objectives, color=colour, marker="o", ms=3, label=_name(one))
    axes.set_xlim(left=0)
    axes.xaxis.set_major_locator(MaxNLocator(6))
    axes.set_xlabel(f"Time of training ({unit})")
    axes.set_ylabel(given.objective)
    axes.set_title("(a) score over time", fontsize=7.5)
    axes.legend(fontsize=6.5, frameon=False)


def _speeds(axes: Axes, given: ScalingInput, colours: Sequence[str]) -> None:
    """Draw speeds, both axes logarithmic: the slope of 1 is what more processes can give at most."""
    first = given.trainings[0]
    counts = [one.processes for one in given.trainings]
    speeds = [speed(one, first) for one in given.trainings]
    axes.plot(counts, speeds, color=INK, lw=1, zorder=2)
    axes.scatter(counts, speeds, color=list(colours), s=22, zorder=3)
    published = sorted(given.published)
    axes.plot([counts[0], counts[-1]], [1, counts[-1] / counts[0]], color=GREY, lw=0.8, ls=(0, (4, 2)), label="ideal")
    if published:
        values = [given.published[count] for count in published]
        axes.plot(
            published, values, color=ORANGE, marker="s", mfc="none", ms=5, lw=1, label="published, not measured here"
        )
        for count, value in zip(published, values, strict=True):
            look: dict[str, Any] = {"textcoords": "offset points", "ha": "right", "fontsize": 6, "color": DARK_ORANGE}
            axes.annotate(f"{value:g} {TIMES_SIGN}", (count, value), (-6, -2), **look)
        axes.plot(published[:1] + published[-1:], [1, published[-1] / published[0]], color=GREY, lw=0.8, ls=(0, (4, 2)))
    axes.set_xscale("log", base=2)
    axes.set_yscale("log", base=2)
    marked = sorted({*counts, *published})
    axes.set_xticks(marked, [str(count) for count in marked])
    top = max([*speeds, *given.published.values(), counts[-1] / counts[0]])
    ticks = [1, *(2**power for power in range(1, 12) if 2**power <= 1.3 * top)]
    axes.set_yticks(ticks, [f"{tick} {TIMES_SIGN}" for tick in ticks])
    axes.set_ylim(0.7 * min(speeds), 1.4 * top)
    axes.xaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_minor_locator(NullLocator())
    axes.set_xlabel("Processes")
    axes.set_ylabel("Speed, the fewest processes = 1")
    axes.set_title("(b) speed", fontsize=7.5)
    axes.legend(fontsize=6, frameon=False, loc="upper left")


def _table(figure: Figure, top: float, trainings: Sequence[Scaled], colours: Sequence[str]) -> None:
    first = trainings[0]
    length, unit = coarsest_unit(min(one.total for one in trainings))
    for head, left in zip(HEADS, PLACES, strict=True):
        write(figure, left, top, head, fontsize=6.5, color=GREY)
    for row, (one, colour) in enumerate(zip(trainings, colours, strict=True), start=1):
        cells = (
            str(one.processes),
            str(one.nodes),
            f"{one.throughput:,.0f}" if one.throughput >= 100 else f"{one.throughput:.1f}",
            f"{speed(one, first):.2f} {TIMES_SIGN}",
            f"{efficiency(one, first):.0%}",
            f"{one.best:.3f}",
            f"{one.total / length:.1f} {unit}",
        )
        for number, (cell, left) in enumerate(zip(cells, PLACES, strict=True)):
            look = {"color": colour, "weight": "bold"} if number == 0 else {}
            write(figure, left, top - TABLE_ROW * row, cell, fontsize=7, **look)


def _colours(count: int) -> list[str]:
    return [to_hex(colour) for colour in mpl.colormaps["viridis_r"](np.linspace(0.3, 0.95, count))]


def _name(one: Scaled) -> str:
    return f"{one.processes} process{'' if one.processes == 1 else 'es'}"
