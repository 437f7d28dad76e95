"""How every figure looks: quiet, of a journal's column width, in colours that colour-blind readers tell apart."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from hakken.plots.letters import families, in_words

ONE_COLUMN = 3.5
TWO_COLUMNS = 7.2
"""Widths in inches (89 and 183 mm)."""

# Okabe and Ito, 2008: distinct under every common kind of colour blindness.
BLACK, ORANGE, SKY, GREEN = "#000000", "#E69F00", "#56B4E9", "#009E73"
YELLOW, BLUE, VERMILLION, PURPLE = "#F0E442", "#0072B2", "#D55E00", "#CC79A7"
DARK_ORANGE = "#9C6500"  # orange for text, readable on white
LETTERS = 18.5  # letters of the footer in an inch at its full size
BOLD = 1.6  # of these, the width of a letter of the stamp beside it
RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
INK, GREY, PALE = "#222222", "#6E6E6E", "#E4E4E4"

SETTINGS: Any = {
    "text.parse_math": False,  # `$` and `_` in a name are letters
    "font.size": 7.5,
    "axes.titlesize": 8,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.labelsize": 7.5,
    "axes.labelcolor": INK,
    "axes.edgecolor": GREY,
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "xtick.labelsize": 7,
    "ytick.labelsize": 7,
    "xtick.color": GREY,
    "ytick.color": GREY,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "xtick.major.size": 2.5,
    "ytick.major.size": 2.5,
    "lines.linewidth": 1.4,
    "lines.solid_capstyle": "butt",
    "text.color": INK,
    "figure.facecolor": "white",
    "figure.dpi": 100,
    "savefig.dpi": 300,
    "pdf.fonttype": 42,  # fonts embedded, text stays text
    "svg.fonttype": "path",  # letters as outlines: the same in every browser
    "svg.hashsalt": "hakken",  # the same names in every file: redrawn figures are equal byte by byte
    "image.interpolation": "nearest",
    "image.cmap": "gray",
}


@dataclass(frozen=True)
class Origin:
    """What stands below every figure: the study, its scale, what the images are, which opening of the test set this is.

    ``opening`` is in words, None where a figure shows nothing of a test set; ``reused`` is the reason why cases that
    were once opened train here, where they do; ``phantom`` says whether the images are drawn by a program.
    """

    title: str
    scale: str
    data: str
    opening: str | None
    reused: str = ""
    phantom: bool = False

    @property
    def line(self) -> str:
        """The words below a figure."""
        data = "" if self.phantom else f"data: {self.data}"
        reused = f"opened cases reused: {self.reused}" if self.reused else ""
        return "  ·  ".join(filter(None, (self.title, f"scale {self.scale}", data, self.opening, reused)))


@contextmanager
def style() -> Iterator[None]:
    """Within the block matplotlib draws in the house style, whatever the user's own settings are."""
    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(SETTINGS | {"font.family": families()})
        with in_words():
            yield


def new_figure(width: float, height: float, origin: Origin | str) -> Figure:
    """Return a figure of ``width`` x ``height`` inches with the footer; call it within ``style()``.

    The footer names the study, or for tables without one, what it is told.
    """
    figure = Figure(figsize=(width, height), layout=None)
    inch = 1 / height
    line = origin if isinstance(origin, str) else origin.line
    stamp = ""
    if isinstance(origin, Origin) and origin.phantom:
        stamp = f"{origin.data.upper()} DATA" if origin.data.lower() == "phantom" else origin.data.upper()
        figure.text(
            1 - 0.08 / width, 0.06 * inch, stamp, fontsize=6.5, weight="bold", color=VERMILLION, va="bottom", ha="right"
        )
    room = LETTERS * (width - 0.3) - BOLD * len(stamp)
    size = 6 * min(1.0, room / max(1, len(line)))
    figure.text(0.08 / width, 0.07 * inch, line, fontsize=size, color=GREY, va="bottom")
    return figure


def place(figure: Figure, left: float, bottom: float, width: float, height: float) -> Axes:
    """Return axes whose frame lies at the given inches from the lower left corner."""
    wide, high = figure.get_size_inches()
    return figure.add_axes((left / wide, bottom / high, width / wide, height / high))


def write(figure: Figure, left: float, bottom: float, text: str, **look: Any) -> None:
    """Write ``text`` with its baseline at the given inches from the lower left corner."""
    wide, high = figure.get_size_inches()
    figure.text(left / wide, bottom / high, text, **({"va": "baseline"} | look))


def spread(positions: Sequence[float], gap: float, low: float = -np.inf, high: float = np.inf) -> list[float]:
    """Return positions moved apart to at least ``gap``, in the same order and as near to the old ones as may be."""
    order = np.argsort(np.asarray(positions), kind="stable")
    offsets = gap * np.arange(len(order))
    blocks: list[list[float]] = []  # mean and number of places that move as one
    for value in np.asarray(positions, float)[order] - offsets:
        blocks.append([value, 1])
        while len(blocks) > 1 and blocks[-2][0] > blocks[-1][0]:
            mean, number = blocks.pop()
            blocks[-1] = [
                (blocks[-1][0] * blocks[-1][1] + mean * number) / (blocks[-1][1] + number),
                blocks[-1][1] + number,
            ]
    moved = np.concatenate([np.full(int(number), mean) for mean, number in blocks] or [np.empty(0)]) + offsets
    if len(moved):
        moved += max(0.0, low - moved[0])
        moved -= max(0.0, moved[-1] - high)
    result = np.empty(len(order))
    result[order] = moved
    return [float(value) for value in result]


def power_of_ten(value: float, _place: float | None = None) -> str:
    """Return a power of ten as an axis shows it, without mathematical typesetting; anything else is nothing.

    >>> power_of_ten(0.001), power_of_ten(10.0), power_of_ten(3.0)
    ('10⁻³', '10¹', '')
    """
    exponent = round(np.log10(value))
    return f"10{str(exponent).translate(RAISED)}" if np.isclose(value, 10.0**exponent, rtol=1e-6) else ""


def interval_text(value: float | None, low: float | None, high: float | None, digits: int = 2) -> str:
    """Return `0.71 [0.62, 0.80]`, without the interval where there is none, or a dash."""
    if value is None:
        return "-"
    if low is None or high is None:
        return f"{value:.{digits}f}"
    return f"{value:.{digits}f} [{low:.{digits}f}, {high:.{digits}f}]"
