"""Memory and time of a flow against its depth: two panels for each number of axes."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullLocator

from hakken.plots.style import BLUE, GREEN, GREY, TWO_COLUMNS, VERMILLION, Origin, new_figure, place, style, write

LEFT, WIDE, HIGH, GAP = 0.7, 2.6, 1.35, 0.9
NOTE, WRAP = 0.11, 150
CLOSE: Any = {"handlelength": 1.3, "columnspacing": 0.9, "handletextpad": 0.4}
LOOKS = {"plain": (VERMILLION, "o"), "checkpoint": (BLUE, "s"), "invert": (GREEN, "^")}


@dataclass(frozen=True)
class Course:
    """What one way back (``name``) costs in so many ``axes``: megabytes kept and seconds of a step, by depth."""

    axes: int
    name: str
    depths: tuple[int, ...]
    megabytes: tuple[float, ...]
    seconds: tuple[float, ...]


@dataclass(frozen=True)
class FlowMemoryInput:
    """What to draw, what to say below, and the origin."""

    courses: tuple[Course, ...]
    notes: tuple[str, ...]
    origin: Origin


def draw_flow_memory(given: FlowMemoryInput) -> Figure:
    """Draw memory above time, both axes logarithmic; two axes at the left, three at the right."""
    lines = [line for note in given.notes for line in textwrap.wrap(note, WRAP)]
    foot = 0.25 + NOTE * len(lines) + 0.5
    height = foot + 2 * HIGH + 0.55 + 0.3
    with style():
        figure = new_figure(TWO_COLUMNS, height, given.origin)
        for column, axes in enumerate((2, 3)):
            own = [one for one in given.courses if one.axes == axes]
            left = LEFT + column * (WIDE + GAP)
            upper = place(figure, left, foot + HIGH + 0.55, WIDE, HIGH)
            _panel(upper, own, [one.megabytes for one in own], "Kept for the backward\npass (MB)")
            upper.set_title(f"({'ab'[column]}) {'two' if axes == 2 else 'three'} axes", fontsize=7.5)
            lower = place(figure, left, foot, WIDE, HIGH)
            _panel(lower, own, [one.seconds for one in own], "Time of a step (s)")
            lower.set_xlabel("Steps on each level")
            if column == 0:
                upper.legend(
                    fontsize=6.5, frameon=False, ncols=3, loc="lower right", bbox_to_anchor=(1.04, 0.98), **CLOSE
                )
        for number, line in enumerate(reversed(lines)):
            write(figure, 0.1, 0.25 + NOTE * number, line, fontsize=5.8, color=GREY)
    return figure


def _panel(axes: Axes, courses: Sequence[Course], values: Sequence[Sequence[float]], label: str) -> None:
    for one, course in zip(courses, values, strict=True):
        colour, marker = LOOKS[one.name]
        axes.plot(one.depths, course, color=colour, marker=marker, ms=4, label=one.name)
    axes.set_xscale("log", base=2)
    axes.set_yscale("log")
    depths = sorted({depth for one in courses for depth in one.depths})
    axes.set_xticks(depths, [str(depth) for depth in depths])
    axes.xaxis.set_minor_locator(NullLocator())
    plain = FuncFormatter(lambda value, _: f"{value:g}")
    axes.yaxis.set_major_formatter(plain)
    axes.yaxis.set_minor_formatter(FuncFormatter(lambda value, _: f"{value:g}" if f"{value:e}"[0] in "25" else ""))
    axes.tick_params(axis="y", which="minor", labelsize=6)
    axes.set_ylabel(label)
