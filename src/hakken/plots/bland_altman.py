"""The overlap figure: Bland-Altman plot of the volumes, and the Dice of every case, a row for each structure."""

from __future__ import annotations

import math
import textwrap
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from hakken.core.errors import HakkenError
from hakken.evaluation.bland_altman import Agreement, bland_altman
from hakken.evaluation.bootstrap import Estimate
from hakken.plots.style import BLUE, GREY, INK, ORANGE, PALE, TWO_COLUMNS, interval_text, place, spread, style, write

Floats = NDArray[np.float64]

MINUS = "\N{MINUS SIGN}"
ROWS = 6
"""A page holds no more structures."""

TALL, STEP, FOOT, HEAD = 1.95, 2.65, 0.85, 0.35
WORDS = (
    "Left: each point a case; line: mean difference; dashed: limits of agreement, mean ± 1.96 SD; bands: their 95 % "
    "intervals (Bland and Altman, 1999). Right: each point a case; box: quartiles and median; whiskers: the last case "
    "within 1.5 interquartile ranges; diamond: mean."
)


@dataclass(frozen=True, eq=False)
class StructureInput:
    """Volumes in ml of the cases (n,), the Dice of those that have one (m,), and how many have both masks empty."""

    name: str
    prediction_ml: Floats
    truth_ml: Floats
    dice: Floats
    both_empty: int


def draw_overlap(structures: tuple[StructureInput, ...]) -> Figure:
    """Draw the volumes on the left and Dice on the right.

    Raises HakkenError where there are more structures than a page holds.
    """
    if len(structures) > ROWS:
        raise HakkenError(f"{len(structures)} structures: a figure holds {ROWS} at most; choose some with --labels")
    height = HEAD + STEP * (len(structures) - 1) + TALL + FOOT
    with style():
        figure = Figure(figsize=(TWO_COLUMNS, height), layout=None)
        for row, structure in enumerate(structures):
            bottom = height - HEAD - TALL - STEP * row
            write(figure, 0.1, bottom + TALL + 0.16, structure.name, fontsize=7.5, weight="bold")
            _volumes(place(figure, 0.62, bottom, 3.1, TALL), structure)
            _dice(place(figure, 5.75, bottom, 1.2, TALL), structure)
        for number, line in enumerate(reversed(textwrap.wrap(WORDS, 150))):
            write(figure, 0.1, 0.1 + 0.11 * number, line, fontsize=6, color=GREY)
    return figure


def _volumes(axes: Axes, given: StructureInput) -> None:
    """Draw the differences of the volumes against their means."""
    found = bland_altman(given.prediction_ml, given.truth_ml)
    middle = (given.prediction_ml + given.truth_ml) / 2
    axes.axhline(0, color=PALE, linewidth=0.8, zorder=1)
    for entry, look in ((found.mean, "-"), (found.lower, (0, (4, 2))), (found.upper, (0, (4, 2)))):
        if entry.value is None:
            continue
        axes.axhline(entry.value, color=INK, linewidth=0.9, linestyle=look, zorder=3)
        if entry.low is not None and entry.high is not None:
            axes.axhspan(entry.low, entry.high, color=ORANGE, alpha=0.15, linewidth=0, zorder=0)
    axes.plot(
        middle,
        given.prediction_ml - given.truth_ml,
        "o",
        ms=3.6,
        mfc=BLUE,
        mec="white",
        mew=0.4,
        zorder=4,
        clip_on=False,
    )
    axes.set_xlabel("Mean of predicted and true volume (ml)")
    axes.set_ylabel("Predicted less true volume (ml)")
    axes.margins(0.05, 0.08)
    _words(axes, found)


def _words(axes: Axes, found: Agreement) -> None:
    """Write mean and limits with their intervals at the right end of their lines, moved apart where they meet."""
    low, high = axes.get_ylim()
    axes.set_ylim(low, high)
    named: list[tuple[str, Estimate]] = [
        ("Mean", found.mean),
        ("Lower limit", found.lower),
        ("Upper limit", found.upper),
    ]
    shown = [(name, entry, entry.value) for name, entry in named if entry.value is not None]
    digits = decimals(found.sd or 0.0)
    places = spread([(value - low) / (high - low) for _, _, value in shown], 0.15)
    for (name, entry, value), y in zip(shown, places, strict=True):
        axes.annotate(
            f"{name}\n{interval_text(value, entry.low, entry.high, digits)}".replace("-", MINUS),
            (1, y),
            xytext=(5, 0),
            textcoords="offset points",
            xycoords="axes fraction",
            va="center",
            fontsize=6.4,
            annotation_clip=False,
        )


def decimals(spread_: float) -> int:
    """Return how many decimals show three digits of a spread, 0 to 4."""
    return 2 if spread_ <= 0 else min(4, max(0, 2 - math.floor(math.log10(spread_))))


def _dice(axes: Axes, given: StructureInput) -> None:
    """Draw the Dice of each case beside a box."""
    axes.set_xlim(-0.75, 0.75)
    axes.set_ylim(0, 1)
    axes.set_xticks([])
    axes.set_ylabel("Dice")
    axes.set_yticks(np.arange(0, 1.01, 0.2))
    axes.grid(axis="y", color="#EEEEEE", linewidth=0.6)
    axes.spines["bottom"].set_visible(False)
    words = f"{len(given.dice)} case{'s' * (len(given.dice) != 1)}"
    if given.both_empty:
        words += f"\n{given.both_empty} with both masks empty"
    axes.set_xlabel(words, fontsize=6.4, labelpad=7)
    if not len(given.dice):
        return
    axes.plot(jitter(given.dice), given.dice, "o", ms=3.2, mfc=BLUE, mec="white", mew=0.4, zorder=3, clip_on=False)
    line = {"color": INK, "linewidth": 0.9}
    axes.boxplot(
        given.dice, positions=[-0.45], widths=0.3, showfliers=False, boxprops=line, whiskerprops=line, capprops=line,
        medianprops={**line, "linewidth": 1.6}, manage_ticks=False,
    )  # fmt: skip
    axes.plot(-0.45, given.dice.mean(), "D", ms=4, mfc=ORANGE, mec="white", mew=0.5, zorder=5, clip_on=False)


def jitter(values: Floats) -> Floats:
    """Return a place across for each value (n,), 0.0 to 0.6, in which neighbours in value lie apart."""
    rank = np.argsort(np.argsort(values, kind="stable"))
    golden = (math.sqrt(5) - 1) / 2  # the sequence of its multiples fills an interval evenly
    return np.asarray(0.6 * np.mod(rank * golden, 1.0)) if len(values) > 1 else np.full(len(values), 0.3)
