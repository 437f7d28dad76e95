"""The figure of calibration: z of cases without disease against the standard normal distribution, and case by case."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter
from numpy.typing import NDArray
from scipy import stats

from hakken.plots.letters import labelled
from hakken.plots.style import (
    BLUE,
    GREY,
    ORANGE,
    PALE,
    TWO_COLUMNS,
    Origin,
    new_figure,
    place,
    power_of_ten,
    style,
    write,
)

Floats = NDArray[np.float64]
REACH = 5.0
LEAST = 1e-5
HEIGHT = 2.2
BIN = 5
"""So many bins of the histogram are drawn as one."""


@dataclass(frozen=True, eq=False)
class Calibrated:
    """The z of one part: histogram ``counts`` (k,) between ``edges`` (k + 1,), quantiles and the cases one by one.

    ``quantiles`` (q, 2) hold z of a standard normal and z found; ``mean`` and ``sd`` (n,) are those of the cases.
    """

    label: str
    edges: Floats
    counts: Floats
    quantiles: Floats
    mean: Floats
    sd: Floats


@dataclass(frozen=True, eq=False)
class CalibrationInput:
    """Test first, validation after it; the z ``threshold`` of candidates or None, the goals, and lines below."""

    parts: tuple[Calibrated, ...]
    threshold: float | None
    mean_within: float
    sd_within: float
    lines: tuple[str, ...]
    origin: Origin


LOOKS = ((BLUE, "o", "-"), (ORANGE, "s", (0, (4, 1.5))))


def draw_calibration(given: CalibrationInput) -> Figure:
    """Draw density, quantiles, and mean and standard deviation of each case."""
    with style():
        bottom = 0.68 + 0.125 * len(given.lines)
        figure = new_figure(TWO_COLUMNS, bottom + HEIGHT + 0.28, given.origin)
        _density(place(figure, 0.55, bottom, 2.0, HEIGHT), given)
        _quantiles(place(figure, 3.05, bottom, 1.7, HEIGHT), given)
        _cases(place(figure, 5.3, bottom, 1.75, HEIGHT), given)
        for number, line in enumerate(given.lines):
            write(figure, 0.1, 0.26 + 0.125 * (len(given.lines) - 1 - number), line, fontsize=6.2, color=GREY)
    return figure


def _density(axes: Axes, given: CalibrationInput) -> None:
    """Draw the density of z on a logarithmic axis, with the standard normal and the threshold of candidates."""
    grid = np.linspace(-REACH, REACH, 201)
    axes.plot(grid, stats.norm.pdf(grid), color=GREY, linewidth=1.0, zorder=2)
    axes.annotate("grey: standard normal", (-4.8, 0.45), fontsize=6, color=GREY, ha="left")
    for part, (colour, _, line) in zip(given.parts, LOOKS, strict=False):
        middle, density = _coarse(part)
        shown = (np.abs(middle) < REACH) & (density > 0)
        axes.plot(middle[shown], density[shown], color=colour, linestyle=line, linewidth=1.2, zorder=3)
    if given.threshold is not None:
        axes.axvline(given.threshold, color=GREY, linewidth=0.7, linestyle=(0, (1, 2)))
    axes.set_yscale("log")
    axes.yaxis.set_major_formatter(power_of_ten)
    axes.yaxis.set_minor_formatter(NullFormatter())
    axes.set_xlim(-REACH, REACH)
    axes.set_ylim(LEAST, 1)
    axes.set_xlabel("z")
    axes.set_ylabel("Density over voxels")
    axes.set_title("Density")


def _coarse(part: Calibrated) -> tuple[Floats, Floats]:
    """Return the middles and the density of bins of `BIN` bins each."""
    whole = len(part.counts) // BIN * BIN
    counts = part.counts[:whole].reshape(-1, BIN).sum(1)
    borders = part.edges[: whole + 1 : BIN]
    return (borders[1:] + borders[:-1]) / 2, counts / part.counts.sum() / np.diff(borders)


def _quantiles(axes: Axes, given: CalibrationInput) -> None:
    """Draw the quantiles found against those of the standard normal."""
    axes.plot([-4, 4], [-4, 4], color=PALE, linewidth=1.0, zorder=1)
    highest = 4.0
    for part, (colour, mark, _) in zip(given.parts, LOOKS, strict=False):
        axes.plot(*part.quantiles.T, mark, ms=3.2, color=colour, label=labelled(part.label), zorder=3)
        highest = max(highest, float(np.abs(part.quantiles[:, 1]).max(initial=0)) + 0.5)
    axes.set_xlim(-4, 4)
    axes.set_ylim(-min(highest, 8), min(highest, 8))
    axes.set_xlabel("Quantile, standard normal")
    axes.set_ylabel("Quantile of z")
    axes.set_title("Quantiles")
    axes.legend(frameon=False, fontsize=6, loc="upper left", handletextpad=0.2)


def _cases(axes: Axes, given: CalibrationInput) -> None:
    """Draw the standard deviation of each case against its mean, and the goals of all cases together."""
    low, high = 1 - given.sd_within, 1 + given.sd_within
    wide = given.mean_within
    axes.fill_between([-wide, wide], low, high, color=PALE, linewidth=0, zorder=1)
    for part, (colour, mark, _) in zip(given.parts, LOOKS, strict=False):
        axes.plot(part.mean, part.sd, mark, ms=2.8, color=colour, alpha=0.75, markeredgewidth=0, zorder=3)
    axes.set_xlabel("Mean of z in a case")
    axes.set_ylabel("SD of z in a case")
    axes.set_title("Each case (box: goal of all)")
