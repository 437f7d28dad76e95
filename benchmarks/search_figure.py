"""The comparison as a picture: how the mean regret falls, a panel for each group and each objective."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator
from search_statistics import OURS, Results

from hakken.plots import style as house
from hakken.plots.publish import save_one

NAMES = {
    "hakken": "hakken",
    "hakken-skopt": "hakken (skopt)",
    "optuna-tpe": "Optuna TPE",
    "optuna-gp": "Optuna GP",
    "botorch-qlognei": "BoTorch",
    "smac": "SMAC",
    "skopt-constant-liar": "scikit-optimize",
    "sobol": "Sobol",
    "random": "random",
}
COLOURS = {
    "hakken": house.VERMILLION,
    "hakken-skopt": house.PURPLE,
    "optuna-tpe": house.BLUE,
    "optuna-gp": house.SKY,
    "botorch-qlognei": house.GREEN,
    "smac": house.ORANGE,
    "skopt-constant-liar": house.DARK_ORANGE,
    "sobol": house.GREY,
    "random": house.GREY,
}
COLUMNS = 3
LOWEST = 1e-3  # regret: what lies below is drawn there
WIDTH, HEIGHT = 1.2, 1.25  # of a panel's frame, inches
LEFT, BOTTOM, RIGHT, TOP = 0.52, 0.28, 0.72, 0.26  # around a frame, inches
UNITS = 0.14  # below the panels, for the label of the axis, inches
LINE = 0.098  # of a label, inches


def draw(results: Results, groups: Mapping[str, Sequence[str]], path: Path) -> None:
    """Draw mean regrets against finished trials and write them to ``path``.

    ``groups`` holds the objectives of each group: the first panels are their means, the others each objective of the
    last group.
    """
    parts = {name: results.of_objectives(group) for name, group in groups.items()}
    titles = {f"{name}, {len(part.objectives)} objectives": part for name, part in parts.items()}
    last = next(reversed(parts.values()))
    panels = {**titles, **{name: results.of_objectives([name]) for name in last.objectives}}
    rows = -(-len(panels) // COLUMNS)
    with house.style():
        step = LEFT + WIDTH + RIGHT
        high = rows * (HEIGHT + TOP + BOTTOM) + UNITS
        figure = Figure(figsize=(COLUMNS * step, high))
        for place, (title, part) in enumerate(panels.items()):
            row, column = divmod(place, COLUMNS)
            bottom = high - (row + 1) * (HEIGHT + TOP + BOTTOM) + BOTTOM
            axes = house.place(figure, LEFT + column * step, bottom, WIDTH, HEIGHT)
            _panel(axes, part, title)
            axes.set_xlabel("finished trials" if place + COLUMNS >= len(panels) else "")
            axes.set_ylabel("regret / random's" if column == 0 else "")
        save_one(figure, path)


def _panel(axes: Axes, results: Results, title: str) -> None:
    """Draw a line for each proposer, its name at the end."""
    ends: dict[str, float] = {}
    for proposer in NAMES:
        counts = range(1, results.trials + 1)
        means = np.array([mean for count in counts if (mean := results.level(proposer, count)) is not None])
        if len(means):
            look = {"linestyle": (0, (3, 2)) if proposer == "random" else (0, (1, 1.5)) if proposer == "sobol" else "-"}
            wide, order = (1.8, 3) if proposer == OURS else (1.0, 2)
            shown = np.maximum(means, LOWEST)
            axes.plot(counts, shown, color=COLOURS[proposer], linewidth=wide, zorder=order, **look)
            ends[proposer] = float(shown[-1])
    axes.set_title(title)
    axes.set_yscale("log")
    axes.set_xlim(1, results.trials)
    axes.set_xticks([1, *range(10, results.trials + 1, 10)])
    decades = np.ptp(np.log10(axes.get_ylim()))
    axes.yaxis.set_major_locator(LogLocator(subs=(1.0,) if decades > 2 else (1.0, 2.0, 5.0), numticks=8))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: _tick(value)))
    axes.yaxis.set_label_coords(-0.38 / WIDTH, 0.5)
    axes.yaxis.set_minor_locator(NullLocator())
    _label(axes, ends)


def _tick(value: float) -> str:
    return f"{value:g}" if value > 5e-3 else f"{value:.0e}".replace("e-0", "e-")


def _label(axes: Axes, ends: dict[str, float]) -> None:
    """Write the proposers' names beside the ends of their lines, moved apart where they would overlap."""
    low, high = np.log(axes.get_ylim())
    heights = [(np.log(end) - low) / (high - low) for end in ends.values()]
    moved = house.spread(heights, LINE / HEIGHT, 0.0, 1.0)
    for proposer, height, at in zip(ends, heights, moved, strict=True):
        colour, bold = COLOURS[proposer], "bold" if proposer == OURS else "normal"
        axes.plot([1.0, 1.05], [height, at], transform=axes.transAxes, color=colour, linewidth=0.5, clip_on=False)
        look = {"fontsize": 5.8, "color": colour, "weight": bold, "va": "center"}
        axes.text(1.07, at, NAMES[proposer], transform=axes.transAxes, **look)
