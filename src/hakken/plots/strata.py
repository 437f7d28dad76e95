"""The strata figure: sensitivity at the operating point, for lesions of each size and cases of each group."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from hakken.plots.style import (
    BLUE,
    GREY,
    INK,
    ORANGE,
    TWO_COLUMNS,
    Origin,
    interval_text,
    new_figure,
    place,
    style,
    write,
)

LINE = 0.21
GAP = 0.19


@dataclass(frozen=True)
class StratumInput:
    """One stratum: its group (`all`, `diameter` or a column of the case table), counts, sensitivity and interval."""

    group: str
    name: str
    cases: int
    lesions: int
    found: int
    sensitivity: float | None
    low: float | None
    high: float | None
    fp_per_case: float


@dataclass(frozen=True)
class StrataInput:
    """Strata in their order, what the sensitivity was measured on, and how the intervals came about."""

    strata: tuple[StratumInput, ...]
    heading: str
    intervals: str
    origin: Origin


def draw_strata(given: StrataInput) -> Figure:
    """Draw a row for each stratum: point and interval on the left, counts and numbers on the right."""
    places, bottom = _places(given.strata)
    tall = -bottom + 0.12
    height = tall + 1.55
    with style():
        figure = new_figure(TWO_COLUMNS, height, given.origin)
        axes = place(figure, 1.5, 0.85, 2.75, tall)
        axes.set_ylim(bottom, 0.12)
        for stratum, y in zip(given.strata, places, strict=True):
            _row(axes, stratum, y)
        _reference(axes, given.strata)
        axes.set_xlim(0, 1)
        axes.set_yticks([])
        axes.spines["left"].set_visible(False)
        axes.grid(axis="x", color="#EEEEEE", linewidth=0.6)
        axes.set_xlabel("Sensitivity at the operating point")
        _text(figure, given, places, height)
    return figure


def _places(strata: Sequence[StratumInput]) -> tuple[list[float], float]:
    """Return the height of each row in inches below the first, with a gap between groups, and the lower end."""
    y, places = 0.0, []
    for _, members in groupby(strata, key=lambda stratum: stratum.group):
        for _ in members:
            y -= LINE
            places.append(y + LINE / 2)
        y -= GAP
    return places, y + GAP


def _row(axes: Axes, stratum: StratumInput, y: float) -> None:
    if stratum.sensitivity is None:
        axes.text(0.01, y, "no lesion", va="center", fontsize=6, color=GREY)
        return
    whole = stratum.group == "all"
    if stratum.low is not None and stratum.high is not None:
        axes.plot([stratum.low, stratum.high], [y, y], color=INK if whole else BLUE, linewidth=1.3, zorder=3)
    marker, color, size = ("D", INK, 6) if whole else ("o", BLUE, 5)
    axes.plot(stratum.sensitivity, y, marker, mfc=color, ms=size, mec="white", mew=0.7, zorder=4, clip_on=False)


def _reference(axes: Axes, strata: Sequence[StratumInput]) -> None:
    """Draw a thin line down from the value of all lesions."""
    for stratum in strata:
        if stratum.group == "all" and stratum.sensitivity is not None:
            axes.axvline(stratum.sensitivity, color=ORANGE, linewidth=0.8, linestyle=(0, (3, 2)), zorder=1)


def _text(figure: Figure, given: StrataInput, places: Sequence[float], height: float) -> None:
    """Write the names on the left, the counts and numbers on the right, and the two lines around them."""
    first = height - 0.82  # the upper end of the axes less its margin
    write(figure, 0.1, height - 0.2, given.heading, fontsize=7.5, weight="bold")
    columns = (4.45, 5.62, 6.12, 6.72)
    for left, words in zip(columns, ("95 % interval", "found", "cases", "FP/case"), strict=True):
        write(figure, left, height - 0.55, words, fontsize=6, color=GREY)
    shown: set[str] = set()
    for stratum, place_ in zip(given.strata, places, strict=True):
        y = first + place_ - 0.03
        if stratum.group not in shown and stratum.group != "all":
            write(figure, 0.1, y + LINE * 0.5 + 0.06, _title(stratum.group), fontsize=6, color=GREY, style="italic")
        shown.add(stratum.group)
        weight = "bold" if stratum.group == "all" else "normal"
        write(figure, 0.1 if stratum.group == "all" else 0.2, y, stratum.name, fontsize=7, weight=weight)
        value = interval_text(stratum.sensitivity, stratum.low, stratum.high)
        cells = (value, f"{stratum.found}/{stratum.lesions}", str(stratum.cases), f"{stratum.fp_per_case:.1f}")
        for left, text in zip(columns, cells, strict=True):
            write(figure, left, y, text, fontsize=6.5, weight=weight)
    write(figure, 0.1, 0.3, given.intervals, fontsize=6, color=GREY)


def _title(group: str) -> str:
    return {"diameter": "by lesion diameter"}.get(group, f"by {group}")
