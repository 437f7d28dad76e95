"""The registration figure: a channel over the reference channel before and after, case by case."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from matplotlib.figure import Figure
from numpy.typing import NDArray

from hakken.plots.letters import fitted
from hakken.plots.style import GREY, TWO_COLUMNS, Origin, new_figure, place, style, write

LEFT, RIGHT = 0.1, 0.1


@dataclass(frozen=True, eq=False)
class PairInput:
    """The picture (rows, columns, 3) of one channel of one case: its left half before, its right half after."""

    picture: NDArray[Any]
    case_id: str
    channel: str
    metric_before: float | None
    metric_after: float | None
    seconds: float


@dataclass(frozen=True, eq=False)
class RegistrationInput:
    """Pictures in the order to draw them, the reference channel, what the metric is, and in which words."""

    pairs: tuple[PairInput, ...]
    reference: str
    metric: str
    reading: str
    origin: Origin


def draw_registration(given: RegistrationInput) -> Figure:
    """Draw one row for each case and channel, before on the left and after on the right."""
    width = TWO_COLUMNS - LEFT - RIGHT
    tall = [width * pair.picture.shape[0] / pair.picture.shape[1] for pair in given.pairs]
    height = 0.48 + 0.3 + sum(inches + 0.27 for inches in tall)
    with style():
        figure = new_figure(TWO_COLUMNS, height, given.origin)
        write(figure, LEFT, height - 0.2, "Before", fontsize=8, weight="bold")
        write(figure, LEFT + width / 2 + 0.05, height - 0.2, "After", fontsize=8, weight="bold")
        top = height - 0.3
        for pair, inches in zip(given.pairs, tall, strict=True):
            axes = place(figure, LEFT, top - inches, width, inches)
            axes.imshow(pair.picture, aspect="auto", interpolation="bilinear")
            axes.set_axis_off()
            _caption(figure, pair, given, top - inches - 0.12, width)
            top -= inches + 0.27
        write(figure, LEFT, 0.3, given.reading, fontsize=6, color=GREY)
    return figure


def _caption(figure: Figure, pair: PairInput, given: RegistrationInput, y: float, width: float) -> None:
    before, after = (
        f"{given.metric} {value:.3f}" if value is not None else f"{given.metric} not measurable"
        for value in (pair.metric_before, pair.metric_after)
    )
    write(figure, LEFT, y, f"{fitted(pair.case_id, 32)}: {pair.channel} on {given.reference}; {before}", fontsize=6.2)
    write(figure, LEFT + width / 2 + 0.05, y, f"{after}; {pair.seconds:.1f} s", fontsize=6.2)
