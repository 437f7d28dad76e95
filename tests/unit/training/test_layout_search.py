"""Which layouts are tried, and when one is chosen over the default: on made-up timings."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import numpy as np
import pytest

from hakken.training.layout import Layout
from hakken.training.layout_search import FINAL_ROUNDS, ROUNDS, Timing, candidates, search

DEFAULT = Layout(1, 4)


def host(speed: Callable[[Layout], float], noise: float, seed: int = 0) -> Callable[[Layout, int], float]:
    """Seconds of a step of one patch a process, on a host that is disturbed by up to the share ``noise``."""
    rng = np.random.default_rng(seed)
    return lambda layout, steps: layout.processes / (speed(layout) * (1 - noise * rng.uniform()))


@pytest.mark.parametrize(
    ("cores", "pairs"),
    [
        (1, [(1, 1)]),
        (2, [(1, 2), (2, 1), (1, 1)]),
        (6, [(1, 6), (2, 3), (4, 1), (1, 4), (1, 2), (1, 1)]),
        (48, [(1, 48), (2, 24), (4, 12), (8, 6), (16, 3), *((1, 2**n) for n in (5, 4, 3, 2, 1, 0))]),
    ],
)
def test_processes_share_the_cores(cores: int, pairs: list[tuple[int, int]]) -> None:
    found = candidates(cores, bfloat16=False)
    assert [(one.processes, one.threads) for one in found[::2]] == pairs
    assert found[0] == Layout(1, cores)
    assert len(set(found)) == len(found) == 2 * len(pairs)
    assert all(one.processes * one.threads <= cores for one in found)


def test_bfloat16_is_tried_only_where_there_is_any() -> None:
    assert {one.precision for one in candidates(4, bfloat16=False)} == {"float32"}
    both = candidates(4, bfloat16=True)
    assert Counter(one.precision for one in both) == {"float32": len(both) // 2, "bfloat16": len(both) // 2}


def test_what_is_faster_beyond_the_spread_is_chosen() -> None:
    best = Layout(4, 1, channels_last=True)
    tuned = search(candidates(4, True), host(lambda layout: 130 if layout == best else 100, 0.1), 1, 10)
    assert tuned.best == best
    assert tuned.latest[0].layout == best
    assert tuned.relative(tuned.latest[0]) == pytest.approx(1.3, abs=0.1)
    assert len(tuned.latest[0].rates) == FINAL_ROUNDS


@pytest.mark.parametrize("seed", range(20))
def test_noise_alone_never_displaces_the_default(seed: int) -> None:
    tuned = search(candidates(16, True), host(lambda layout: 100, 0.5, seed), 1, 10)
    assert tuned.best == Layout(1, 16)


def test_what_is_faster_within_the_spread_is_not_chosen() -> None:
    speed = {True: 105.0, False: 100.0}
    tuned = search(candidates(4, False), host(lambda layout: speed[layout.channels_last], 0.3), 1, 10)
    assert tuned.best == DEFAULT


def test_of_equally_fast_layouts_the_one_that_changes_least_is_chosen() -> None:
    tuned = search(candidates(4, True), host(lambda layout: 100 if layout == DEFAULT else 200, 0.1), 1, 10)
    assert tuned.best.precision == "float32"
    assert tuned.best != DEFAULT


def test_layouts_are_timed_in_turn() -> None:
    asked: list[Layout] = []

    def timer(layout: Layout, steps: int) -> float:
        asked.append(layout)
        return layout.processes / 100

    layouts = candidates(2, False)
    search(layouts, timer, 1, 10)
    count = len(layouts)
    turns = [asked[start : start + count] for start in range(count, count * (1 + ROUNDS), count)]
    assert turns == [layouts, layouts[::-1], layouts]


def test_slow_steps_are_timed_twice_at_least_and_fast_ones_for_their_share() -> None:
    steps: dict[Layout, set[int]] = {}

    def timer(layout: Layout, count: int) -> float:
        steps.setdefault(layout, set()).add(count)
        return 100.0 if layout == DEFAULT else 0.001

    layouts = candidates(4, False)
    search(layouts, timer, 8, 60)
    assert steps[DEFAULT] == {1, 2}
    share = 60 / 2 / (ROUNDS * len(layouts))
    assert round(share / 0.001) in steps[layouts[1]]


def test_a_layout_beats_another_only_with_its_slowest_round() -> None:
    slow, fast = Timing(DEFAULT, (90.0, 100.0, 110.0)), Timing(Layout(2, 2), (111.0, 150.0, 120.0))
    assert fast.beats(slow)
    assert not slow.beats(fast)
    assert not Timing(Layout(2, 2), (110.0, 150.0, 150.0)).beats(slow)


def test_a_disturbed_host_is_noticed() -> None:
    layouts = candidates(2, False)
    assert not search(layouts, host(lambda layout: 100, 0.25), 1, 10).disturbed
    assert search(layouts, host(lambda layout: 100, 0.9), 1, 10).disturbed
