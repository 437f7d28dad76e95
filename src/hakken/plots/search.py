"""The search figure: the best objective so far, every trial, and how the slots were used."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from hakken.plots.slots import draw_slots, rows_of, unit_of
from hakken.plots.style import (
    BLUE,
    DARK_ORANGE,
    GREY,
    ORANGE,
    SKY,
    TWO_COLUMNS,
    VERMILLION,
    Origin,
    new_figure,
    place,
    spread,
    style,
)
from hakken.search.course import TimedTrial, average, by_trials, duration, finishing_order, spent, utilisation

DARK = "#333333"
BESIDE = 0.18  # of the distance of two trials
FINISHED = "in the order in which they finished"


@dataclass(frozen=True)
class Counts:
    """Of a search with rungs: its trainings, those that ended ``paused``, promotions, and full trainings ``spent``."""

    trainings: int
    paused: int
    promoted: int
    spent: float


@dataclass(frozen=True)
class SearchInput:
    """Trials with ``slots`` at once; the untuned default's objective; what the objective is called.

    ``folds`` (n,) says which fold each trial is of where there is a search for each; the trials have distinct numbers.
    ``confirmed`` holds, by its number, the objectives of all trainings of a trial that was trained again. Where
    trainings pause at rungs the trials are segments, and ``trainings`` (n,) says of which training each is.
    """

    trials: tuple[TimedTrial, ...]
    slots: int
    default: float | None
    objective: str
    origin: Origin
    folds: tuple[int, ...] = ()
    confirmed: Mapping[int, tuple[float, ...]] = field(default_factory=dict)
    trainings: tuple[int, ...] = ()

    @property
    def counts(self) -> Counts:
        """How many trainings there were, how many ended paused, how often one went on, and what all cost."""
        last = dict(zip(self.trainings, self.trials, strict=True))  # segments of a training come in their order
        spent = round(sum(trial.cost for trial in self.trials), 1)
        paused = sum(trial.state == "paused" for trial in last.values())
        return Counts(len(last), paused, len(self.trials) - len(last), spent)

    @property
    def sweeps(self) -> list[list[TimedTrial]]:
        """The trials of each fold, in the order in which they finished."""
        folds = self.folds or (0,) * len(self.trials)
        pairs = list(zip(folds, self.trials, strict=True))
        return [finishing_order([trial for own, trial in pairs if own == fold]) for fold in sorted(set(folds))]


def draw_search(given: SearchInput) -> Figure:
    """Draw the course of the search above and its slots over time below."""
    strip = min(1.6, max(0.42, 0.21 * rows_of(given.trials, given.slots)))
    with style():
        figure = new_figure(TWO_COLUMNS, 3.55 + strip, given.origin)
        _course(place(figure, 0.72, 1.25 + strip, 5.43, 2.05), given)
        _slots(place(figure, 0.72, 0.68, 5.43, strip), given)
    return figure


def _course(axes: Axes, given: SearchInput) -> None:
    """Draw each trial at its place in the order of finishing, and the best so far: over folds its mean and range."""
    sweeps = given.sweeps
    best = average([by_trials(sweep) for sweep in sweeps])
    axes.plot(best.at, best.mean, drawstyle="steps-post", color=BLUE, zorder=3)
    if len(sweeps) > 1:
        axes.fill_between(best.at, best.low, best.high, step="post", color=BLUE, alpha=0.1, linewidth=0)
    known = [trial.objective for trial in given.trials if trial.objective is not None]
    known += [value for values in given.confirmed.values() for value in values]
    low, high = _range([*known, *([] if given.default is None else [given.default])])
    for sweep in sweeps:
        _promotions(axes, sweep, given)
        _points(axes, sweep, low)
        _means(axes, sweep, given.confirmed)
    if given.default is not None:
        axes.axhline(given.default, color=ORANGE, linewidth=1, linestyle=(0, (4, 2)), zorder=2)
    ends = max((float(spent(sweep)[-1]) for sweep in sweeps if sweep), default=0)
    axes.set_xlim(0.0 if given.trainings else 0.4, ends + (0.02 * ends if given.trainings else 0.6))
    axes.set_ylim(low, high)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1, steps=[1, 2, 5, 10]))
    axes.grid(axis="y", color="#EEEEEE", linewidth=0.6)
    fold = " of a fold" if len(sweeps) > 1 else ""
    axes.set_xlabel(
        f"Budget{fold} spent, in full trainings" if given.trainings else f"Trials{fold}, {FINISHED}",
    )
    axes.set_ylabel(given.objective)
    _course_labels(axes, given, float(best.mean[-1]) if len(best.mean) else None)


def _points(axes: Axes, order: Sequence[TimedTrial], low: float) -> None:
    """Draw completed trials as dots, pruned and paused ones as rings, those without an objective as crosses below."""
    places = _places(order)
    complete = [trial for trial in order if trial.counts]
    pruned = [trial for trial in order if trial.state in ("pruned", "paused") and trial.objective is not None]
    bare = [places[trial.number] for trial in order if trial.objective is None]
    for trials, look in ((complete, {"mfc": SKY, "mec": "white", "mew": 0.6}), (pruned, {"mfc": "white", "mec": SKY})):
        x, y = [places[trial.number] for trial in trials], [trial.objective for trial in trials]
        axes.plot(x, y, "o", ms=4, zorder=4, **look)  # type: ignore[arg-type]
    axes.plot(bare, [low] * len(bare), "x", color=VERMILLION, ms=4.5, mew=1.2, zorder=4, clip_on=False)


def _places(order: Sequence[TimedTrial]) -> dict[int, float]:
    """Return where each trial stands on the axis: its place, or what all until it have cost in full trainings."""
    return dict(zip((trial.number for trial in order), spent(order).tolist(), strict=True))


def _promotions(axes: Axes, order: Sequence[TimedTrial], given: SearchInput) -> None:
    """Join what a training had at a rung to what it had at the next."""
    places, before = _places(order), dict[int, TimedTrial]()
    training = dict(zip((trial.number for trial in given.trials), given.trainings, strict=False))
    for trial in order if given.trainings else ():
        first = before.get(training[trial.number])
        if first is not None and first.objective is not None and trial.objective is not None:
            x = [places[first.number], places[trial.number]]
            axes.plot(x, [first.objective, trial.objective], color=SKY, linewidth=0.6, alpha=0.7, zorder=2)
        before[training[trial.number]] = trial


def _means(axes: Axes, order: Sequence[TimedTrial], confirmed: Mapping[int, tuple[float, ...]]) -> None:
    """Draw the mean over seeds of the trials that were trained again, and their range, beside their points."""
    for at, trial in zip(spent(order), order, strict=True):
        if values := confirmed.get(trial.number):
            axes.plot([at + BESIDE] * 2, [min(values), max(values)], color=DARK, linewidth=1, zorder=4)
            axes.plot(at + BESIDE, sum(values) / len(values), "D", ms=3.5, mfc="white", mec=DARK, mew=0.9, zorder=5)


def _course_labels(axes: Axes, given: SearchInput, best: float | None) -> None:
    """Name the lines at their right ends, and the winning trial of a single search at its point."""
    low, high = axes.get_ylim()
    names, sweeps = [], given.sweeps
    if best is not None:
        names.append((best, f"best {best:.3f}" + (f"\nmean of {len(sweeps)} folds" if len(sweeps) > 1 else ""), BLUE))
    if best is not None and len(sweeps) == 1:
        _winner(axes, sweeps[0], best, given.trainings)
    if given.default is not None:
        names.append((given.default, f"untuned\ndefault {given.default:.3f}", DARK_ORANGE))
    if given.confirmed:
        mean = max(sum(values) / len(values) for values in given.confirmed.values())
        names.append((mean, f"best mean over\nseeds {mean:.3f}", DARK))
    pruned, failed = (sum(trial.state == state for trial in given.trials) for state in ("pruned", "failed"))
    names += [(low + 0.12 * (high - low), f"{pruned} pruned\n(hollow)", GREY)] if pruned else []
    if given.trainings:
        found = given.counts
        words = f"{found.paused} paused\n(hollow),\n{found.promoted} promoted"
        names.append((low + 0.2 * (high - low), words, GREY))
    names += [(low, f"{failed} failed", VERMILLION)] if failed else []
    places = spread([value for value, _, _ in names], 0.14 * (high - low), low, high)
    for y, (_, text, color) in zip(places, names, strict=True):
        axes.annotate(
            text,
            (1.0, y),
            xycoords=("axes fraction", "data"),
            xytext=(5, 0),
            textcoords="offset points",
            va="center",
            fontsize=7,
            color=color,
            annotation_clip=False,
        )


def _winner(axes: Axes, order: Sequence[TimedTrial], best: float, trainings: Sequence[int]) -> None:
    """Mark the first trial that reached the best objective."""
    trial = next(trial for trial in order if trial.counts and trial.objective == best)
    place = _places(order)[trial.number]
    axes.plot(place, best, "o", ms=6.5, mfc=BLUE, mec="white", mew=0.8, zorder=5)
    axes.annotate(
        f"trial {trainings[trial.number] if trainings else trial.number}",
        (place, best),
        xytext=(0, 6),
        textcoords="offset points",
        ha="center",
        fontsize=6.5,
        color=BLUE,
    )


def _slots(axes: Axes, given: SearchInput) -> None:
    """Draw each trial as a bar in its slot, and say beside the strip how busy the slots were."""
    span = duration(given.trials) or 1.0
    rows = rows_of(given.trials, given.slots)
    seconds, unit = unit_of(span)
    numbered = len(given.sweeps) == 1 and not given.trainings
    draw_slots(axes, given.trials, given.slots, span, unit=seconds, numbered=numbered)
    axes.set_yticks([0, rows - 1] if rows > 1 else [0], ["1", str(rows)] if rows > 1 else ["1"])
    axes.tick_params(axis="y", length=0)
    axes.set_ylabel("Slot")
    axes.set_xlabel(f"Time since the first trial started ({unit})")
    busy = utilisation(given.trials, given.slots)
    lines = [f"{len(given.trials)} trials"]
    if given.trainings:
        lines = [f"{given.counts.trainings} trainings,", f"{given.counts.spent:g} full spent"]
    lines.append(f"{given.slots} at once" if given.slots > 1 else "one at a time")
    lines += [] if busy is None else [f"slots {100 * busy:.0f} % busy"]
    axes.annotate(
        "\n".join(lines),
        (1.0, 0.5),
        xycoords="axes fraction",
        xytext=(5, 0),
        textcoords="offset points",
        va="center",
        fontsize=7,
        color=GREY,
        linespacing=1.4,
        annotation_clip=False,
    )


def _range(known: Sequence[float]) -> tuple[float, float]:
    """Return the ends of the objective's axis, with some air above the best and room for failed trials below."""
    low, high = min(known, default=0.0), max(known, default=1.0)
    air = 0.18 * (high - low) or 0.1
    return low - air, high + air
