"""The comparison as a picture: how the regret falls, a panel for each objective."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator
from search_table import Results

from hakken.plots import style as house
from hakken.plots.publish import save_one

NAMES = {
    "hakken": "hakken",
    "hakken-skopt": "hakken (skopt)",
    "optuna-tpe": "Optuna TPE",
    "optuna-gp": "Optuna GP",
    "botorch-qlognei": "BoTorch",
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
    "skopt-constant-liar": house.DARK_ORANGE,
    "sobol": house.GREY,
    "random": house.GREY,
}
COLUMNS = 3
WIDTH, HEIGHT = 1.2, 1.25  # of a panel's frame, inches
LEFT, BOTTOM, RIGHT, TOP = 0.52, 0.28, 0.72, 0.26  # around a frame, inches
UNITS = 0.14  # below the panels, for the label of the axis, inches
LINE = 0.098  # of a label, inches


def draw(results: Results, slots: int, path: Path) -> None:
    """Draw the geometric mean of the regret over the seeds against the finished trials, and write it to ``path``."""
    objectives = [name for name in results.objectives if any((name, key, slots) in results.runs for key in NAMES)]
    rows = -(-len(objectives) // COLUMNS)
    with house.style():
        step = LEFT + WIDTH + RIGHT
        high = rows * (HEIGHT + TOP + BOTTOM) + UNITS
        figure = Figure(figsize=(COLUMNS * step, high))
        for place, objective in enumerate(objectives):
            row, column = divmod(place, COLUMNS)
            bottom = high - (row + 1) * (HEIGHT + TOP + BOTTOM) + BOTTOM
            axes = house.place(figure, LEFT + column * step, bottom, WIDTH, HEIGHT)
            _panel(axes, results, objective, slots)
            axes.set_xlabel("finished trials" if place + COLUMNS >= len(objectives) else "")
            axes.set_ylabel("simple regret" if column == 0 else "")
        save_one(figure, path)


def _panel(axes: Axes, results: Results, objective: str, slots: int) -> None:
    """Draw one objective: a line for each sampler, its name at the end."""
    ends: dict[str, float] = {}
    for sampler in NAMES:
        runs = results.runs.get((objective, sampler, slots), {})
        if runs:
            regrets = np.maximum([run.regret for run in runs.values()], results.floors[objective])
            mean = np.exp(np.log(regrets).mean(axis=0))
            look = {"linestyle": (0, (3, 2)) if sampler == "random" else (0, (1, 1.5)) if sampler == "sobol" else "-"}
            wide = 1.8 if sampler == "hakken" else 1.0
            order = 3 if sampler == "hakken" else 2
            axes.plot(np.arange(1, len(mean) + 1), mean, color=COLOURS[sampler], linewidth=wide, zorder=order, **look)
            ends[sampler] = float(mean[-1])
    axes.set_title(objective)
    axes.set_yscale("log")
    axes.set_xlim(1, len(mean))
    axes.set_xticks([1, *range(10, len(mean) + 1, 10)])
    decades = np.ptp(np.log10(axes.get_ylim()))
    axes.yaxis.set_major_locator(LogLocator(subs=(1.0,) if decades > 2 else (1.0, 2.0, 5.0), numticks=8))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: _tick(value)))
    axes.yaxis.set_label_coords(-0.38 / WIDTH, 0.5)
    axes.yaxis.set_minor_locator(NullLocator())
    _label(axes, ends)


def _tick(value: float) -> str:
    return f"{value:g}" if value > 5e-3 else f"{value:.0e}".replace("e-0", "e-")


def _label(axes: Axes, ends: dict[str, float]) -> None:
    """Write the samplers' names beside the ends of their lines, moved apart where they would overlap."""
    low, high = np.log(axes.get_ylim())
    heights = [(np.log(end) - low) / (high - low) for end in ends.values()]
    moved = house.spread(heights, LINE / HEIGHT, 0.0, 1.0)
    for sampler, height, at in zip(ends, heights, moved, strict=True):
        colour, bold = COLOURS[sampler], "bold" if sampler == "hakken" else "normal"
        axes.plot([1.0, 1.05], [height, at], transform=axes.transAxes, color=colour, linewidth=0.5, clip_on=False)
        look = {"fontsize": 5.8, "color": colour, "weight": bold, "va": "center"}
        axes.text(1.07, at, NAMES[sampler], transform=axes.transAxes, **look)
