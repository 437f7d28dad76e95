"""The search figure: the best objective so far, every trial, and how the slots were used."""

from __future__ import annotations

import heapq
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import MaxNLocator

from hakken.figures.style import (
    BLUE,
    DARK_ORANGE,
    GREY,
    INK,
    ORANGE,
    PALE,
    SKY,
    TWO_COLUMNS,
    VERMILLION,
    Origin,
    new_figure,
    place,
    spread,
    style,
)

UNITS = ((1.0, "s", 300.0), (60.0, "min", 7200.0), (3600.0, "h", 172_800.0), (86_400.0, "d", math.inf))
"""Seconds of a unit, its name, and up to which span it is used."""


@dataclass(frozen=True)
class TrialBar:
    """A finished trial: its number, state, objective where it has one, and start and end in seconds of one clock."""

    number: int
    state: str
    objective: float | None
    start: float
    end: float


@dataclass(frozen=True)
class SearchInput:
    """Trials of a sweep with ``slots`` at once; the untuned default's objective; what the objective is called."""

    trials: tuple[TrialBar, ...]
    slots: int
    default: float | None
    objective: str
    origin: Origin


def best_so_far(objectives: Sequence[float | None]) -> list[float]:
    """Return the highest objective among the first 1, 2, ... trials; NaN before the first that has one."""
    values = np.array([np.nan if value is None else value for value in objectives], float)
    return np.fmax.accumulate(values).tolist() if len(values) else []


def assign_slots(trials: Sequence[TrialBar], slots: int) -> dict[int, int]:
    """Return the slot of each trial by number: the free slot that has waited longest takes the next trial.

    More trials at once than slots (after a restart, say) open further rows.
    """
    free = [(-math.inf, slot) for slot in range(slots)]
    rows, taken = slots, {}
    for trial in sorted(trials, key=lambda trial: (trial.start, trial.number)):
        if free[0][0] > trial.start:
            heapq.heappush(free, (-math.inf, rows))
            rows += 1
        _, slot = heapq.heappop(free)
        heapq.heappush(free, (trial.end, slot))
        taken[trial.number] = slot
    return taken


def utilisation(trials: Sequence[TrialBar], slots: int) -> float | None:
    """Return the share of slot-seconds in use between the first start and the last end; None without any."""
    if not trials:
        return None
    span = max(trial.end for trial in trials) - min(trial.start for trial in trials)
    return sum(trial.end - trial.start for trial in trials) / (slots * span) if span > 0 else None


def draw_search(given: SearchInput) -> Figure:
    """Draw the course of the search above and its slots over time below."""
    taken = assign_slots(given.trials, given.slots)
    rows = max([given.slots, *(slot + 1 for slot in taken.values())])
    strip = min(1.6, max(0.42, 0.21 * rows))
    with style():
        figure = new_figure(TWO_COLUMNS, 3.55 + strip, given.origin)
        course = place(figure, 0.72, 1.25 + strip, 5.43, 2.05)
        _course(course, given)
        slots = place(figure, 0.72, 0.68, 5.43, strip)
        _slots(slots, given, taken, rows)
    return figure


def _course(axes: Axes, given: SearchInput) -> None:
    """Draw each trial at its place in the order of finishing, and the best so far."""
    order = sorted(given.trials, key=lambda trial: (trial.end, trial.number))
    places = np.arange(1, len(order) + 1)
    best = best_so_far([trial.objective for trial in order])
    axes.plot(places, best, drawstyle="steps-post", color=BLUE, zorder=3)
    values = np.array([np.nan if trial.objective is None else trial.objective for trial in order])
    axes.plot(places, values, "o", ms=4, mfc=SKY, mec="white", mew=0.6, zorder=4)
    failed = places[np.isnan(values)]
    low, high = _range([*values[np.isfinite(values)].tolist(), *([] if given.default is None else [given.default])])
    axes.plot(failed, [low] * len(failed), "x", color=VERMILLION, ms=4.5, mew=1.2, zorder=4, clip_on=False)
    if given.default is not None:
        axes.axhline(given.default, color=ORANGE, linewidth=1, linestyle=(0, (4, 2)), zorder=2)
    axes.set_xlim(0.4, len(order) + 0.6)
    axes.set_ylim(low, high)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1, steps=[1, 2, 5, 10]))
    axes.grid(axis="y", color="#EEEEEE", linewidth=0.6)
    axes.set_xlabel("Trials, in the order in which they finished")
    axes.set_ylabel(given.objective)
    _course_labels(axes, given, order, best, len(failed))


def _course_labels(
    axes: Axes, given: SearchInput, order: Sequence[TrialBar], best: Sequence[float], failed: int
) -> None:
    """Name the lines at their right ends and the winning trial at its point."""
    low, high = axes.get_ylim()
    names = []
    if best and math.isfinite(best[-1]):
        names.append((best[-1], f"best {best[-1]:.3f}", BLUE))
        winner = next(place for place, trial in enumerate(order) if trial.objective == best[-1])
        axes.plot(winner + 1, best[-1], "o", ms=6.5, mfc=BLUE, mec="white", mew=0.8, zorder=5)
        axes.annotate(
            f"trial {order[winner].number}",
            (winner + 1, best[-1]),
            xytext=(0, 6),
            textcoords="offset points",
            ha="center",
            fontsize=6.5,
            color=BLUE,
        )
    if given.default is not None:
        names.append((given.default, f"untuned\ndefault {given.default:.3f}", DARK_ORANGE))
    if failed:
        names.append((low, f"{failed} failed", VERMILLION))
    places = spread([value for value, _, _ in names], 0.14 * (high - low), low, high)
    for y, (_, text, color) in zip(places, names, strict=True):
        axes.annotate(
            text,
            (1.0, y),
            xycoords=("axes fraction", "data"),
            xytext=(5, 0),
            textcoords="offset points",
            va="center",
            fontsize=7,
            color=color,
            annotation_clip=False,
        )


def _slots(axes: Axes, given: SearchInput, taken: dict[int, int], rows: int) -> None:
    """Draw each trial as a bar in its slot."""
    origin = min((trial.start for trial in given.trials), default=0.0)
    span = max((trial.end for trial in given.trials), default=1.0) - origin
    second, unit, _ = next(entry for entry in UNITS if span <= entry[2])
    best = max((trial.objective for trial in given.trials if trial.objective is not None), default=None)
    for trial in given.trials:
        left, width = (trial.start - origin) / second, (trial.end - trial.start) / second
        color = VERMILLION if trial.objective is None else BLUE if trial.objective == best else SKY
        axes.add_patch(Rectangle((left, taken[trial.number] - 0.4), width, 0.8, fc=color, ec="white", lw=0.7))
        if width * second > 0.025 * span and rows <= 8:
            look = "white" if color in (BLUE, VERMILLION) else INK
            middle = (left + width / 2, taken[trial.number])
            axes.text(*middle, str(trial.number), ha="center", va="center", fontsize=5.5, color=look)
    axes.set_xlim(0, span / second)
    axes.set_ylim(rows - 0.4, -0.6)
    axes.set_yticks([0, rows - 1] if rows > 1 else [0], ["1", str(rows)] if rows > 1 else ["1"])
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    axes.set_facecolor(PALE)
    axes.set_ylabel("Slot")
    axes.set_xlabel(f"Time since the first trial started ({unit})")
    _slot_title(axes, given)


def _slot_title(axes: Axes, given: SearchInput) -> None:
    """Say beside the strip how many trials ran at once and how busy the slots were."""
    busy = utilisation(given.trials, given.slots)
    lines = [f"{len(given.trials)} trials", f"{given.slots} at once" if given.slots > 1 else "one at a time"]
    if busy is not None:
        lines.append(f"slots {100 * busy:.0f} % busy")
    axes.annotate(
        "\n".join(lines),
        (1.0, 0.5),
        xycoords="axes fraction",
        xytext=(5, 0),
        textcoords="offset points",
        va="center",
        fontsize=7,
        color=GREY,
        linespacing=1.4,
        annotation_clip=False,
    )


def _range(known: Sequence[float]) -> tuple[float, float]:
    """Return the ends of the objective's axis, with some air above the best and room for failed trials below."""
    low, high = min(known, default=0.0), max(known, default=1.0)
    air = 0.18 * (high - low) or 0.1
    return low - air, high + air
