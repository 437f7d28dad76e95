"""The confusion matrix: counts, and the share of each true class, one panel for each prediction."""

from __future__ import annotations

from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure

from hakken.evaluation.agreement_measure import Agreement, Measurement
from hakken.plots.letters import shown
from hakken.plots.style import BLUE, GREY, INK, interval_text, place, style, write

SIDE, CELL = 2.6, 0.1
"""Least inches of one matrix, and of one of its cells."""

LETTER = 0.0085
"""Width of a letter in inches for each point of its size."""

READABLE = 12
"""Classes up to which a cell has room for its count."""

LONGEST_NAME = 40
"""Letters of a class name; the margin grows with them."""

DARK = 0.8
"""Share from which the writing in a cell is white."""


def draw_confusion(found: Measurement, table: str) -> Figure:
    """Draw the matrix of each prediction: rows are the truth, shades the share of the row."""
    names = [shown(name, LONGEST_NAME) for name in found.labels.classes]
    side = max(SIDE, CELL * len(names))
    cell = 72 * side / len(names)  # in points, as the sizes of writing
    margin = 0.55 + LETTER * min(7.0, 0.75 * cell) * max(map(len, names))
    panels = len(found.predictions)
    with style():
        figure = Figure(figsize=(panels * (margin + side + 0.25), margin + side + 0.65), layout=None)
        footer = f"{table}  ·  {len(found.labels.truth)} cases of {found.labels.patients} patients"
        write(figure, 0.08, 0.07, f"{footer}  ·  shade: share of the true class", fontsize=5.5, color=GREY)
        for number, part in enumerate(found.predictions):
            axes = place(figure, number * (margin + side + 0.25) + margin, margin + 0.1, side, side)
            _panel(axes, part, names, cell)
    return figure


def _panel(axes: Axes, found: Agreement, names: list[str], cell: float) -> None:
    shares = (found.matrix.T * 1.0 / found.matrix.sum(axis=1).clip(1)).T
    axes.imshow(shares, cmap=LinearSegmentedColormap.from_list("share", ["#FFFFFF", BLUE]), vmin=0, vmax=1)
    size = min(7.0, 0.75 * cell)
    if len(names) <= READABLE:
        for row in range(len(names)):
            for column in range(len(names)):
                colour = "white" if shares[row, column] > DARK else INK
                text = str(found.matrix[row, column])
                axes.text(column, row, text, ha="center", va="center", fontsize=min(7.0, 0.42 * cell), color=colour)
    places = range(len(names))
    axes.set_xticks(places, names, rotation=90 if max(map(len, names)) > 3 else 0, fontsize=size)
    axes.set_yticks(places, names, fontsize=size)
    axes.tick_params(length=0)
    for spine in axes.spines.values():
        spine.set_visible(True)
    wilson, boot = found.accuracy.wilson, found.accuracy_ends
    shown = wilson if boot.low == boot.high else boot  # that of the screen which holds for cases of one patient too
    kappa = found.kappas["unweighted"][0]
    axes.set_title(
        f"{found.name}\naccuracy {interval_text(found.accuracy.value, shown.low, shown.high)}, "
        f"kappa {interval_text(kappa.value, kappa.low, kappa.high)}",
        fontsize=6.5,
        weight="normal",
    )
    axes.set_xlabel("Prediction")
    axes.set_ylabel("Truth")
