"""The FROC figure: sensitivity against false positives per case, with bands and the operating point."""

from __future__ import annotations

import itertools
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from hakken.plots.numbers import height_of, write_numbers
from hakken.plots.style import (
    BLACK,
    BLUE,
    DARK_ORANGE,
    GREEN,
    GREY,
    ORANGE,
    PURPLE,
    SKY,
    TWO_COLUMNS,
    VERMILLION,
    Origin,
    new_figure,
    place,
    spread,
    style,
)

Floats = NDArray[np.float64]
Role = Literal["test", "validation", "default", "variant", "baseline"]

LINES: dict[str, Any] = {
    "test": {"color": BLUE, "linewidth": 1.8, "zorder": 4},
    "validation": {"color": GREY, "linewidth": 1.2, "linestyle": (0, (4, 1.5)), "zorder": 3},
    "default": {"color": ORANGE, "linewidth": 1.0, "zorder": 2},
    "variant": {"color": PURPLE, "linewidth": 1.3, "zorder": 2},
    "baseline": {"color": GREEN, "linewidth": 1.0, "linestyle": (0, (2, 1)), "zorder": 2},
}

VARIANTS = (PURPLE, VERMILLION, SKY, BLACK)
"""Colours of the variants, one after the other; a further round of them is dash-dotted, and their names say so."""
AGAIN = (0, (6, 1.5, 1, 1.5))
ROUND = tuple({"color": colour, "linestyle": AGAIN} for colour in VARIANTS)
BASELINES = ((0, (2, 1)), (0, (5, 1)), (0, (1, 1.5)), (0, (3, 1, 1, 1)))
"""Dashes of the baselines, one after the other and then again."""
BANDS: dict[str, float] = {"test": 0.18, "validation": 0.10, "variant": 0.10}
"""How dense the band of a curve is; the others have none."""

WRAP = 18
"""Letters of a curve's name that fit between the curves and the table."""


@dataclass(frozen=True, eq=False)
class CurveInput:
    """A curve (K,) with its band, NaN where there is none, and its operating point (x, y) where it is to be marked."""

    role: Role
    label: str
    fp_per_case: Floats
    sensitivity: Floats
    low: Floats
    high: Floats
    point: tuple[float, float] | None = None


@dataclass(frozen=True, eq=False)
class FrocInput:
    """Curves, the table of numbers beside them (heading row first), and lines below it.

    ``ceiling`` is the highest sensitivity that there can be on test, where some lesions are out of reach.
    """

    curves: tuple[CurveInput, ...]
    maximum_fp: float
    table: tuple[tuple[str, ...], ...]
    operating: str
    notes: tuple[str, ...]
    origin: Origin | str
    ceiling: float | None = None


def draw_froc(given: FrocInput) -> Figure:
    """Draw the curves on the left and their numbers on the right."""
    with style():
        height = height_of(given.table, given.operating, given.notes)
        figure = new_figure(TWO_COLUMNS, height, given.origin)
        axes = place(figure, 0.5, height - 3.02, 3.2, 2.8)
        seen = looks([curve.role for curve in given.curves])
        for curve, look in zip(given.curves, seen, strict=True):
            _curve(axes, curve, look, given.maximum_fp)
        if given.ceiling is not None:
            axes.axhline(given.ceiling, color=BLUE, linewidth=0.9, linestyle=(0, (6, 2, 1, 2)), zorder=2)
        _labels(axes, given, seen)
        _frame(axes, given.maximum_fp)
        write_numbers(figure, given.table, given.operating, given.notes)
    return figure


def looks(roles: Sequence[Role]) -> list[dict[str, Any]]:
    """Return how each curve is drawn: by its role, each variant in a colour or with dashes, baselines with dashes.

    >>> [look["color"] for look in looks(["variant", "test", "variant"])]
    ['#CC79A7', '#0072B2', '#D55E00']
    >>> [look.get("linestyle") for look in looks(["variant"] * 5)]
    [None, None, None, None, (0, (6, 1.5, 1, 1.5))]
    >>> [look["linestyle"] for look in looks(["baseline", "baseline"])]
    [(0, (2, 1)), (0, (5, 1))]
    """
    own: dict[str, Iterator[dict[str, Any]]] = {
        "variant": itertools.chain(({"color": one} for one in VARIANTS), *itertools.repeat(ROUND, len(roles))),
        "baseline": itertools.cycle({"linestyle": one} for one in BASELINES),
    }
    return [LINES[role] | (next(own[role]) if role in own else {}) for role in roles]


def _curve(axes: Axes, curve: CurveInput, look: Mapping[str, Any], most: float) -> None:
    """Draw one curve, dotted beyond its last operating point, with its band and operating point."""
    axes.plot(curve.fp_per_case, curve.sensitivity, **look)
    end = curve.fp_per_case[-1]
    if end < most:
        flat = [curve.sensitivity[-1]] * 2
        axes.plot([end, most], flat, color=look["color"], linewidth=0.9, linestyle=(0, (1, 2)), zorder=2)
    banded = np.isfinite(curve.low)
    if curve.role in BANDS and banded.any():
        axes.fill_between(
            curve.fp_per_case[banded],
            curve.low[banded],
            curve.high[banded],
            color=look["color"],
            alpha=BANDS[curve.role],
            linewidth=0,
            zorder=1,
        )
    if curve.point is not None and curve.point[0] <= most:
        axes.plot(*curve.point, "o", ms=5.5, mfc="white", mec=look["color"], mew=1.5, zorder=6, clip_on=False)


def _labels(axes: Axes, given: FrocInput, seen: Sequence[Mapping[str, Any]]) -> None:
    """Write each curve's name at its right end, moved apart where they meet."""
    ends = [float(np.interp(given.maximum_fp, curve.fp_per_case, curve.sensitivity)) for curve in given.curves]
    dashed = [" (dash-dotted)" if look.get("linestyle") == AGAIN else "" for look in seen]
    labels = [textwrap.fill(curve.label + said, WRAP) for curve, said in zip(given.curves, dashed, strict=True)]
    gap = 0.055 if not any("\n" in label for label in labels) else 0.09
    places = spread(ends, gap, 0.02, 1.0)
    for curve, label, look, y in zip(given.curves, labels, seen, places, strict=True):
        axes.annotate(
            label,
            (given.maximum_fp, y),
            xytext=(5, 0),
            textcoords="offset points",
            va="center",
            fontsize=7,
            weight="bold" if curve.role == "test" else "normal",
            color=DARK_ORANGE if curve.role == "default" else look["color"],
            annotation_clip=False,
        )


def _frame(axes: Axes, most: float) -> None:
    axes.set_xlim(0, most)
    axes.set_ylim(0, 1.0)
    axes.set_yticks(np.arange(0, 1.01, 0.2))
    axes.grid(axis="y", color="#EEEEEE", linewidth=0.6)
    axes.set_xlabel("False positives per case")
    axes.set_ylabel("Sensitivity")
