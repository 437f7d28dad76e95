"""The figure of a reader study: every reader in every modality, and the readers' differences with their mean."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from hakken.evaluation.readers.intervals import Difference, Level
from hakken.evaluation.readers.ratings import ReaderStudy
from hakken.evaluation.readers.result import StudyResult, SystemResult
from hakken.plots.style import (
    BLUE,
    GREY,
    INK,
    TWO_COLUMNS,
    VERMILLION,
    interval_text,
    place,
    spread,
    style,
    write,
)

ROW, LEAST, MOST = 0.2, 1.5, 8.0  # inches of a reader's row, and of the panels
LINE = "#9DB4C6"


@dataclass(frozen=True, eq=False)
class ReadersInput:
    """What is drawn: figures of merit (I, J), a level for each column, a difference for each reader, and their mean.

    ``own`` holds the interval of each reader's difference, or None for both ends. With ``system`` the last column is
    the level of a stand-alone system.
    """

    label: str
    reader: tuple[str, ...]
    values: NDArray[np.float64]
    levels: tuple[Level, ...]
    own: tuple[tuple[float, float | None, float | None], ...]
    mean: Difference
    note: str
    system: bool = False


def of_study(found: StudyResult, label: str) -> ReadersInput:
    """Return the figure of a study; of more than two modalities the differences are of the last and the first."""
    rrrc, study = found.analysis.inference["RRRC"], found.study
    first, last = study.modality[0], study.modality[-1]
    mean = next(step for step in rrrc.differences if (step.of, step.minus) == (last, first))
    own = [entry.difference for entry in found.analysis.reader_differences]
    return ReadersInput(
        label,
        study.reader,
        found.merit.value,
        rrrc.levels,
        tuple((step.estimate, step.low, step.high) for step in own if (step.of, step.minus) == (last, first)),
        mean,
        f"{_counts(study)}  ·  means: 95 % intervals for random readers and cases (Obuchowski-Rockette, Hillis)  ·  "
        "single readers: for random cases",
    )


def of_system(found: SystemResult, label: str) -> ReadersInput:
    """Return the figure of a stand-alone system beside readers."""
    compared, study = found.system, found.study
    own = [entry.difference for entry in compared.reader_differences]
    return ReadersInput(
        label,
        study.reader,
        found.merit.value,
        (compared.readers_level["RRRC"], compared.system_level),
        tuple((step.estimate, step.low, step.high) for step in own),
        compared.difference["RRRC"],
        f"{_counts(study)}  ·  95 % intervals: means for random readers and cases, readers and system for random cases",
        system=True,
    )


def _counts(study: ReaderStudy) -> str:
    return f"{len(study.reader)} readers, {len(study.case_id)} cases ({int(study.diseased.sum())} diseased)"


def draw_readers(given: ReadersInput) -> Figure:
    """Draw the readers on the left and their differences on the right."""
    high = float(np.clip(ROW * (len(given.reader) + 2.6), LEAST, MOST))
    with style():
        figure = Figure(figsize=(TWO_COLUMNS, high + 1.0), layout=None)
        left = place(figure, 0.62, 0.66, 2.55, high)
        right = place(figure, 4.35, 0.66, 2.7, high)
        _modalities(left, given, high)
        _differences(right, given)
        write(figure, 0.08, 0.07, given.note, fontsize=6, color=GREY)
    return figure


def _modalities(axes: Axes, given: ReadersInput, high: float) -> None:
    """Draw a dot for each reader and modality, joined by a line, and the means with their intervals beside them."""
    columns = np.arange(len(given.levels))
    readings = given.values.shape[0]
    for reader in range(len(given.reader)):
        axes.plot(columns[:readings], given.values[:, reader], color=LINE, linewidth=0.8, zorder=2)
    for column in range(readings):
        axes.plot(
            np.full(given.values.shape[1], column), given.values[column], "o", ms=3.4, mfc="white", mec=BLUE, mew=0.9
        )
    offsets = np.where(columns == columns[-1], 0.16, -0.16)
    for column, (offset, entry) in enumerate(zip(offsets, given.levels, strict=True)):
        look = VERMILLION if given.system and column == columns[-1] else INK
        _bar(axes, column + (0 if given.system and column else offset), entry, look)
    axes.set_xlim(-0.45, columns[-1] + 0.45)
    low, top = _limits([given.values.ravel(), *_ends(given.levels)])
    axes.set_ylim(low, top)
    axes.set_xticks(columns, [_short(entry.name, 16) for entry in given.levels])
    axes.set_ylabel(given.label)
    axes.grid(axis="y", color="#EEEEEE", linewidth=0.6)
    axes.set_title("(a) every reader")
    _reader_names(axes, given, readings - 1, 0.105 * (top - low) / high)


def _reader_names(axes: Axes, given: ReadersInput, column: int, gap: float) -> None:
    """Write the readers' names beside the last modality, moved apart; too many are told by the other panel."""
    low, top = axes.get_ylim()
    if len(given.reader) * gap > 0.95 * (top - low):
        return
    values = given.values[column].tolist()
    for name, value, y in zip(given.reader, values, spread(values, gap, low, top), strict=True):
        axes.annotate(
            _short(name, 9),
            (column + (0.06 if given.system else 0.26), value),
            xytext=(column + (0.12 if given.system else 0.32), y),
            fontsize=6,
            color=GREY,
            va="center",
            annotation_clip=False,
        )


def _differences(axes: Axes, given: ReadersInput) -> None:
    """Draw each reader's difference, sorted, and below them the mean with its interval."""
    estimates = np.array([entry[0] for entry in given.own])
    order = np.argsort(-estimates, kind="stable")
    rows = np.arange(len(order))
    for row, reader in enumerate(order):
        estimate, low, high = given.own[reader]
        if low is not None and high is not None:
            axes.plot([low, high], [row, row], color=LINE, linewidth=1.0, zorder=2)
        axes.plot(estimate, row, "o", ms=3.6, mfc="white", mec=BLUE, mew=0.9, zorder=3)
    below = len(order) + 0.4
    mean = given.mean
    if mean.low is not None and mean.high is not None:
        axes.axvspan(mean.low, mean.high, color=INK, alpha=0.06, linewidth=0, zorder=0)
        axes.plot([mean.low, mean.high], [below, below], color=INK, linewidth=1.6, zorder=3)
    axes.plot(mean.estimate, below, "D", ms=4.6, color=INK, zorder=4)
    axes.axvline(0, color=GREY, linewidth=0.8, linestyle=(0, (4, 2)), zorder=1)
    axes.axhline(len(order) - 0.3, color="#DDDDDD", linewidth=0.6)
    axes.set_ylim(below + 0.7, -0.7)
    axes.set_yticks([*rows, below], [*(_short(given.reader[reader]) for reader in order), "mean"])
    axes.tick_params(axis="y", length=0)
    axes.get_yticklabels()[-1].set_fontweight("bold")
    axes.set_xlabel(f"Difference, {_short(mean.of, 30)} minus {_short(mean.minus, 30)}")
    p = "" if mean.p is None else f", p = {mean.p:.3f}" if mean.p >= 0.001 else ", p < 0.001"
    axes.set_title(f"(b) {interval_text(mean.estimate, mean.low, mean.high, 3)}{p}".replace("-", "\N{MINUS SIGN}"))


def _bar(axes: Axes, x: float, entry: Level, color: str) -> None:
    if entry.low is not None and entry.high is not None:
        axes.plot([x, x], [entry.low, entry.high], color=color, linewidth=1.6, zorder=4)
    axes.plot(x, entry.estimate, "D", ms=4.6, color=color, zorder=5)


def _ends(levels: Sequence[Level]) -> list[NDArray[np.float64]]:
    return [np.array([end for end in (entry.low, entry.estimate, entry.high) if end is not None]) for entry in levels]


def _limits(values: Sequence[NDArray[np.float64]]) -> tuple[float, float]:
    """Return limits with some air around all values."""
    everything = np.concatenate(list(values))
    low, high = float(everything.min()), float(everything.max())
    air = 0.07 * (high - low) or 0.05
    return low - air, high + air


def _short(name: str, most: int = 12) -> str:
    """Return a name of at most ``most`` letters; its end stays, since names often differ in a number there."""
    return name if len(name) <= most else f"{name[: most // 2]}…{name[-(most - most // 2 - 1) :]}"
