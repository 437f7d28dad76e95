"""The ROC figure of a study: cases of validation and test with bands, operating points, and their numbers beside."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from hakken.evaluation.roc_bootstrap import GRID
from hakken.plots.froc import BANDS, Role, looks
from hakken.plots.letters import labelled
from hakken.plots.numbers import height_of, write_numbers
from hakken.plots.style import GREY, TWO_COLUMNS, Origin, new_figure, place, style

Floats = NDArray[np.float64]
COLUMNS = (3.95, 4.8, 5.98)
WIDTH = 62


@dataclass(frozen=True, eq=False)
class CurveInput:
    """A ROC curve (K,), its band (201,) at `GRID`, NaN where there is none, and its operating point (x, y) or None."""

    role: Role
    label: str
    fpr: Floats
    tpr: Floats
    low: Floats
    high: Floats
    point: tuple[float, float] | None = None


@dataclass(frozen=True, eq=False)
class CaseRocInput:
    """Curves, the table of numbers beside them (heading row first), a sentence on the operating point, and notes."""

    curves: tuple[CurveInput, ...]
    table: tuple[tuple[str, ...], ...]
    operating: str
    notes: tuple[str, ...]
    origin: Origin


def draw_case_roc(given: CaseRocInput) -> Figure:
    """Draw the curves on the left and their numbers on the right."""
    with style():
        height = height_of(given.table, given.operating, given.notes, WIDTH)
        figure = new_figure(TWO_COLUMNS, height, given.origin)
        axes = place(figure, 0.5, height - 3.08, 2.9, 2.9)
        _frame(axes)
        seen = looks([curve.role for curve in given.curves])
        for curve, look in zip(given.curves, seen, strict=True):
            _curve(axes, curve, look)
        if given.curves:
            axes.legend(loc="lower right", fontsize=6.4, frameon=True, framealpha=0.9, edgecolor="none")
        else:
            axes.text(0.62, 0.3, "no curve", ha="center", color=GREY)
        write_numbers(figure, given.table, given.operating, given.notes, columns=COLUMNS, width=WIDTH)
    return figure


def _curve(axes: Axes, curve: CurveInput, look: Mapping[str, Any]) -> None:
    """Draw one curve between its corners; the untuned default and baselines have no band and no operating point."""
    axes.plot(curve.fpr, curve.tpr, **look, label=labelled(curve.label), clip_on=False)
    banded = np.isfinite(curve.low)
    if curve.role in BANDS and banded.any():
        low, high, alpha = curve.low[banded], curve.high[banded], BANDS[curve.role]
        axes.fill_between(GRID[banded], low, high, color=look["color"], alpha=alpha, linewidth=0, zorder=1)
    if curve.role in ("test", "validation") and curve.point is not None:
        axes.plot(*curve.point, "o", ms=5.5, mfc="white", mec=look["color"], mew=1.5, zorder=6, clip_on=False)


def _frame(axes: Axes) -> None:
    ticks = np.arange(0, 1.01, 0.2)
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1)
    axes.set_xticks(ticks)
    axes.set_yticks(ticks)
    axes.grid(color="#EEEEEE", linewidth=0.6)
    axes.plot([0, 1], [0, 1], color=GREY, linewidth=0.7, linestyle=(0, (1, 2)), zorder=1)
    axes.set_xlabel("False positive rate of the cases (1 - specificity)")
    axes.set_ylabel("Sensitivity")
