"""The ROC figure: curves with bands and operating points, and the reliability of scores that are probabilities."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from hakken.evaluation.roc_bootstrap import GRID
from hakken.evaluation.roc_measure import Measurement, ScoreMeasurement
from hakken.plots.style import (
    BLUE,
    GREY,
    INK,
    ONE_COLUMN,
    TWO_COLUMNS,
    VERMILLION,
    interval_text,
    place,
    style,
    write,
)

Floats = NDArray[np.float64]
COLOURS = (BLUE, VERMILLION)
LINES: tuple[Any, ...] = ("-", (0, (4, 1.5)))
SHAPES = ("o", "s", "D", "^", "v", "P", "X", "p")
"""The mark of each operating point, in their order."""


@dataclass(frozen=True, eq=False)
class ReliabilityInput:
    """Bins of one score: mean score, share with label 1, ends of its Wilson interval and cases, each (bins,)."""

    mean: Floats
    share: Floats
    low: Floats
    high: Floats
    count: Floats
    text: str


@dataclass(frozen=True, eq=False)
class CurveInput:
    """A ROC curve (K,), its band (201,) at `GRID`, NaN where there is none, and operating points (x, y, label)."""

    label: str
    fpr: Floats
    tpr: Floats
    low: Floats
    high: Floats
    points: tuple[tuple[float, float, str], ...]
    reliability: ReliabilityInput | None


@dataclass(frozen=True, eq=False)
class RocInput:
    """One or two curves, the false positive rate up to which the partial AUC is taken, and the line below."""

    curves: tuple[CurveInput, ...]
    max_fpr: float
    footer: str


def roc_input(found: Measurement, table: str) -> RocInput:
    """Return what the figure of a measurement shows; scores without a curve are left out."""
    cohort, resampled = found.cohort, found.resampled
    drawn = f"bands: 95 %, {resampled.drawn} resamples of patients, seed {resampled.seed}"
    bands = drawn if resampled.values else "no bootstrap"
    footer = (
        f"{table}  ·  {len(cohort.positive)} cases of {cohort.patients} patients, {int(cohort.positive.sum())} positive"
        f"  ·  {bands}"
    )
    curves = tuple(_curve_input(part) for part in found.scores if part.curve is not None)
    return RocInput(curves, found.settings.max_fpr, footer)


def draw_roc(given: RocInput) -> Figure:
    """Draw the curves and, beside them, the reliability of the scores that have one."""
    reliable = any(curve.reliability is not None for curve in given.curves)
    with style():
        figure = Figure(figsize=(TWO_COLUMNS if reliable else ONE_COLUMN, 3.75), layout=None)
        write(figure, 0.08, 0.07, _fitted(given.footer, reliable), fontsize=5.5, color=GREY)
        axes = place(figure, 0.5, 0.62, 2.85, 2.85)
        _frame(axes, given.max_fpr)
        for number, curve in enumerate(given.curves):
            _curve(axes, curve, number)
        if given.curves:
            _legend(axes, given.curves)
        else:
            axes.text(0.62, 0.3, "no curve: one class only", ha="center", color=GREY)
        if reliable:
            _reliability(figure, given.curves)
    return figure


def _curve_input(part: ScoreMeasurement) -> CurveInput:
    assert part.curve is not None
    spread = part.clustered or part.delong
    ends = (None, None) if spread is None else (spread.logit.low, spread.logit.high)
    points = []
    for point in part.points:
        sensitivity, specificity = (point.measures[name][0].value for name in ("sensitivity", "specificity"))
        if point.threshold is not None and sensitivity is not None and specificity is not None:
            points.append((1 - specificity, sensitivity, point.name))
    return CurveInput(
        label=f"{part.name}: AUC {interval_text(part.auc, *ends, digits=3)}",
        fpr=part.curve.fpr,
        tpr=part.curve.tpr,
        low=part.band[0],
        high=part.band[1],
        points=tuple(points),
        reliability=_reliability_input(part),
    )


def _reliability_input(part: ScoreMeasurement) -> ReliabilityInput | None:
    if part.calibration is None:
        return None
    bins = part.calibration.bins
    return ReliabilityInput(
        mean=np.array([one.mean_score for one in bins]),
        share=np.array([one.share for one in bins]),
        low=np.array([one.wilson.low for one in bins], float),
        high=np.array([one.wilson.high for one in bins], float),
        count=np.array([one.count for one in bins], float),
        text=f"{part.name}: ECE {part.calibration.expected_error:.3f}, Brier {part.calibration.brier:.3f}",
    )


def _frame(axes: Axes, max_fpr: float) -> None:
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1)
    ticks = np.arange(0, 1.01, 0.2)
    axes.set_xticks(ticks)
    axes.set_yticks(ticks)
    axes.grid(color="#EEEEEE", linewidth=0.6)
    axes.plot([0, 1], [0, 1], color=GREY, linewidth=0.7, linestyle=(0, (1, 2)), zorder=1)
    if max_fpr < 1:
        axes.axvline(max_fpr, color=GREY, linewidth=0.6, linestyle=(0, (4, 2)), zorder=1)
        axes.annotate(
            f"partial AUC: rates up to {max_fpr:g}",
            (max_fpr, 1.0),
            xytext=(0, 4),
            textcoords="offset points",
            ha="left" if max_fpr < 0.5 else "right",
            fontsize=5.5,
            color=GREY,
            annotation_clip=False,
        )
    axes.set_xlabel("False positive rate (1 - specificity)")
    axes.set_ylabel("True positive rate (sensitivity)")


def _curve(axes: Axes, curve: CurveInput, number: int) -> None:
    """Draw one curve as the straight lines between its corners, its band and its operating points."""
    colour = COLOURS[number]
    axes.plot(curve.fpr, curve.tpr, color=colour, linestyle=LINES[number], linewidth=1.6, zorder=4, clip_on=False)
    banded = np.isfinite(curve.low)
    if banded.any():
        axes.fill_between(GRID[banded], curve.low[banded], curve.high[banded], color=colour, alpha=0.15, linewidth=0)
    for order, ((x, y, _), shape) in enumerate(zip(curve.points, _shapes(curve), strict=True)):
        # Points that coincide stay visible: the first mark is the largest.
        axes.plot(x, y, shape, ms=8 if order == 0 else 5, mfc="white", mec=colour, mew=1.2, zorder=6, clip_on=False)


def _shapes(curve: CurveInput) -> list[str]:
    return [SHAPES[place % len(SHAPES)] for place in range(len(curve.points))]


def _legend(axes: Axes, curves: tuple[CurveInput, ...]) -> None:
    """Name the curves and, by their marks, the operating points in the lower right, below the curves."""
    lines = [
        Line2D([], [], color=COLOURS[number], linestyle=LINES[number], linewidth=1.6, label=curve.label)
        for number, curve in enumerate(curves)
    ]
    marks = {name: shape for curve in curves for (*_, name), shape in zip(curve.points, _shapes(curve), strict=True)}
    lines += [
        Line2D([], [], color=INK, marker=shape, ms=4.5, mfc="white", mew=1.0, linestyle="none", label=_spoken(name))
        for name, shape in marks.items()
    ]
    axes.legend(handles=lines, loc="lower right", fontsize=6, frameon=True, framealpha=0.9, edgecolor="none")


def _spoken(name: str) -> str:
    kind, _, level = name.partition(" ")
    return "highest Youden index" if kind == "youden" else f"{kind} {level}"


def _reliability(figure: Figure, curves: tuple[CurveInput, ...]) -> None:
    """Draw observed shares against mean scores on the right, and below them how many cases each bin holds."""
    axes = place(figure, 4.15, 1.32, 2.87, 2.15)
    counts = place(figure, 4.15, 0.62, 2.87, 0.48)
    axes.plot([0, 1], [0, 1], color=GREY, linewidth=0.7, linestyle=(0, (1, 2)), zorder=1)
    most = 0.0
    for number, curve in enumerate(curves):
        found = curve.reliability
        if found is None:
            continue
        colour, most = COLOURS[number], max(most, float(found.count.max()))
        ends = np.array([found.share - found.low, found.high - found.share]).clip(0)
        axes.errorbar(
            found.mean,
            found.share,
            yerr=ends,
            color=colour,
            linestyle=LINES[number],
            linewidth=1.2,
            elinewidth=0.7,
            marker=SHAPES[number],
            ms=4,
            mfc="white",
            mew=1.1,
            label=found.text,
            clip_on=False,
            zorder=3,
        )
        counts.vlines(found.mean, 0, found.count, color=colour, linewidth=2.0, alpha=0.8)
    axes.legend(loc="upper left", fontsize=6, frameon=True, framealpha=0.9, edgecolor="none")
    axes.set_ylabel("Share with label 1")
    counts.set_ylabel("Cases")
    counts.set_xlabel("Mean score of the bin")
    counts.set_ylim(0, most * 1.1)
    counts.set_yticks([0, int(most)])
    for panel in (axes, counts):
        panel.set_xlim(0, 1)
        panel.grid(color="#EEEEEE", linewidth=0.6)
    axes.set_ylim(0, 1)
    axes.tick_params(labelbottom=False)


def _fitted(footer: str, wide: bool) -> str:
    """Return the footer, in two lines where the figure is one column wide."""
    return footer if wide else "\n".join(footer.rsplit("  ·  ", 1))
