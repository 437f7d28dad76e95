"""Which layout trains fastest: which are tried, in what order they are timed, and when one is better than another.

All layouts are timed in turn, round after round, so that whatever else the host does meets all of them. The fastest of
this first look are then timed afresh together with the default, and only the second look decides: the best of many
noisy numbers looks better than it is. A layout counts as faster only where its slowest round is faster than the fastest
round of the other.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from hakken.training.layout import Layout

MOST_PROCESSES = 16
ROUNDS, FINAL_ROUNDS = 3, 7
FINALISTS = 4
LEAST_STEPS = 2
DISTURBED = 0.7
Timer = Callable[[Layout, int], float]
"""Seconds of a step (median of so many) of a training that is laid out like this."""


@dataclass(frozen=True)
class Timing:
    """How many patches a second a layout trains with: one number a round. ``final`` tells which look they are of."""

    layout: Layout
    rates: tuple[float, ...]
    final: bool = False

    @property
    def median(self) -> float:
        """The median of the rounds, in patches a second."""
        return statistics.median(self.rates)

    def beats(self, other: Timing) -> bool:
        """Whether the slowest round is faster than the fastest of the other."""
        return min(self.rates) > max(other.rates)


@dataclass(frozen=True)
class Tuned:
    """The outcome: the layout to use, that of the default, and all timings, the fastest first."""

    best: Layout
    default: Layout
    timings: tuple[Timing, ...]

    def relative(self, timing: Timing) -> float:
        """Return how many times as fast as the default a layout is, by the medians of the same look."""
        return timing.median / self._default(timing.final).median

    def _default(self, final: bool) -> Timing:
        return next(timing for timing in self.timings if timing.layout == self.default and timing.final == final)

    @property
    def latest(self) -> tuple[Timing, ...]:
        """The timings, of each layout its latest alone: those of the second look before the others, fastest first."""
        again = {timing.layout for timing in self.timings if timing.final}
        chosen = [timing for timing in self.timings if timing.final or timing.layout not in again]
        return tuple(sorted(chosen, key=lambda timing: (not timing.final, -self.relative(timing))))

    @property
    def disturbed(self) -> bool:
        """Whether the host was busy with something else: the default's rounds, which decide, differ widely.

        Then the choice means nothing: who shares the cores slows some layouts far more than others.
        """
        rates = self._default(final=True).rates
        return min(rates) < DISTURBED * max(rates)


def candidates(cores: int, bfloat16: bool) -> list[Layout]:
    """Return the layouts to try on so many cores, the default (one process with all of them) first.

    Processes share the cores evenly; one process may also leave cores idle, which suits small networks.
    """
    halves = [1]
    while halves[-1] * 2 <= cores:
        halves.append(halves[-1] * 2)
    shared = [(processes, cores // processes) for processes in halves if processes <= MOST_PROCESSES]
    alone = [(1, threads) for threads in reversed(halves) if threads < cores]
    return [
        Layout(processes, threads, channels_last, precision)
        for processes, threads in [*shared, *alone]
        for precision in (("float32", "bfloat16") if bfloat16 else ("float32",))
        for channels_last in (False, True)
    ]


def search(layouts: Sequence[Layout], timer: Timer, batch_size: int, seconds: float) -> Tuned:
    """Time the layouts, the default first in the list, for about ``seconds``, and return the one to use.

    ``batch_size`` are the patches of one process's step. Slow steps make it last longer, since no layout is timed by
    fewer than three rounds of two steps.
    """
    first = _look(layouts, timer, batch_size, ROUNDS, seconds / 2)
    ranked = sorted(first[1:], key=lambda timing: -timing.median)
    finalists = [layouts[0], *(timing.layout for timing in ranked[: FINALISTS - 1])]
    final = _look(finalists, timer, batch_size, FINAL_ROUNDS, seconds / 2)
    again = [Timing(timing.layout, timing.rates, final=True) for timing in final]
    return Tuned(_decide(again), layouts[0], (*again, *first))


def _look(layouts: Sequence[Layout], timer: Timer, batch_size: int, rounds: int, seconds: float) -> list[Timing]:
    """Return the rates of all layouts over ``rounds`` in turn, which take about ``seconds`` together."""
    share = seconds / (rounds * len(layouts))
    steps = {layout: max(LEAST_STEPS, round(share / timer(layout, 1))) for layout in layouts}
    rates: dict[Layout, list[float]] = {layout: [] for layout in layouts}
    for turn in range(rounds):
        for layout in layouts if turn % 2 == 0 else reversed(layouts):
            rates[layout].append(layout.processes * batch_size / timer(layout, steps[layout]))
    return [Timing(layout, tuple(found)) for layout, found in rates.items()]


def _decide(timings: Sequence[Timing]) -> Layout:
    """Return the layout to use: from the default on, the next simplest that beats the one chosen so far.

    Simple is what changes least: float32 before bfloat16, the usual order of memory, few processes.
    """
    chosen, *others = timings
    for timing in sorted(others, key=lambda timing: _changes(timing.layout)):
        if timing.beats(chosen):
            chosen = timing
    return chosen.layout


def _changes(layout: Layout) -> tuple[bool, bool, int]:
    return layout.precision != "float32", layout.channels_last, layout.processes
