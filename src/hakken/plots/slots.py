"""A strip of slots over time: a row for each slot, a bar for each training, grey where the slot was idle.

The best training of the sweep is dark, failed ones are red, pruned and paused ones hollow.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from hakken.plots.style import BLUE, INK, PALE, SKY, VERMILLION
from hakken.search.course import TimedTrial, assign_slots, duration

UNITS = ((1.0, "s", 300.0), (60.0, "min", 7200.0), (3600.0, "h", 172_800.0), (86_400.0, "d", math.inf))
"""Seconds of a unit, its name, and up to which span it is used."""

EDGE = 0.5
FINE = 0.03
"""Width of a bar's edge in points, and below how many inches a row has no room for it."""

NUMBERED_ROWS = 8
NUMBERED_SHARE = 0.025
"""Bars carry their numbers in strips of so many rows at most, and where a bar has this share of the width."""


def unit_of(span: float) -> tuple[float, str]:
    """Return the seconds and the name of the unit in which ``span`` seconds read well."""
    return next((seconds, name) for seconds, name, longest in UNITS if span <= longest)


def coarsest_unit(shortest: float) -> tuple[float, str]:
    """Return the seconds and the name of the largest unit that still counts ``shortest`` seconds as 1 or more."""
    return next(((seconds, name) for seconds, name, _ in reversed(UNITS) if seconds <= shortest), UNITS[0][:2])


def time_text(seconds: float) -> str:
    """Return a duration with two digits at least: `9.4 s`, `12 min`, `130 min`."""
    length, name = unit_of(seconds)
    number = seconds / length
    return f"{number:.1f} {name}" if number < 9.95 else f"{number:.0f} {name}"


def rows_of(trials: Sequence[TimedTrial], slots: int) -> int:
    """Return how many rows a strip has: one for each slot, more where more trainings ran at once."""
    return max([slots, *(slot + 1 for slot in assign_slots(trials, slots).values())])


def draw_slots(
    axes: Axes, trials: Sequence[TimedTrial], slots: int, span: float, *, unit: float = 1.0, numbered: bool = False
) -> None:
    """Fill ``axes`` with the strip of a sweep, ``span`` seconds wide; one step of its axis is ``unit`` seconds."""
    taken, rows = assign_slots(trials, slots), rows_of(trials, slots)
    began = min((trial.start for trial in trials), default=0.0)
    axes.axvspan(0, duration(trials) / unit, color=PALE, linewidth=0)
    best = max((trial.objective for trial in trials if trial.counts and trial.objective is not None), default=None)
    edge_width = EDGE if axes.bbox.height / axes.figure.dpi >= FINE * rows else 0.0
    for trial in trials:
        left, width = (trial.start - began) / unit, (trial.end - trial.start) / unit
        fill, edge, text = _look(trial, best)
        axes.add_patch(Rectangle((left, taken[trial.number] - 0.4), width, 0.8, fc=fill, ec=edge, lw=edge_width))
        if numbered and rows <= NUMBERED_ROWS and width * unit > NUMBERED_SHARE * span:
            middle = (left + width / 2, taken[trial.number])
            axes.text(*middle, str(trial.number), ha="center", va="center", fontsize=5.5, color=text)
    axes.set_xlim(0, span / unit)
    axes.set_ylim(rows - 0.4, -0.6)
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)


def _look(trial: TimedTrial, best: float | None) -> tuple[str, str, str]:
    """Return the colours of a bar, its edge and its number."""
    if trial.state in ("pruned", "paused"):
        return "white", SKY, INK
    if not trial.counts:
        return VERMILLION, "white", "white"
    return (BLUE, "white", "white") if trial.objective == best else (SKY, "white", INK)
