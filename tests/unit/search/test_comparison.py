from __future__ import annotations

import pytest

from hakken.search.comparison import TimedSweep, common_level, groups_of, sharing, speeds
from hakken.search.course import TimedTrial


def sweep(
    slots: int,
    steps: list[tuple[float, float]],
    *,
    repeat: int = 0,
    sampler: str = "bayesian",
    began: float = 0.0,
    host: str = "one",
) -> TimedSweep:
    """A sweep whose trials end at the given seconds with the given objectives."""
    trials = tuple(
        TimedTrial(number, "complete", value, 0.0, end) for number, (end, value) in enumerate(steps, start=0)
    )
    return TimedSweep(f"{sampler}-{slots}-{repeat}", sampler, slots, repeat, began, trials, frozenset({host}))


ONE = sweep(1, [(10, 0.2), (40, 0.6), (80, 0.8)])
FOUR = sweep(4, [(5, 0.1), (10, 0.7), (20, 0.9)])
RANDOM = sweep(4, [(5, 0.3), (30, 0.5)], sampler="random")


def test_groups_are_ordered_by_slots_with_blind_samplers_last_and_their_repeats_in_order() -> None:
    again = sweep(1, [(10, 0.2)], repeat=1)
    groups = groups_of([RANDOM, FOUR, again, ONE])
    assert [(group.sampler, group.slots, len(group.repeats)) for group in groups] == [
        ("bayesian", 1, 2),
        ("bayesian", 4, 1),
        ("random", 4, 1),
    ]
    assert groups[0].repeats == (ONE, again)
    assert [group.blind for group in groups] == [False, False, True]


def test_the_common_level_is_the_lowest_of_the_best_means() -> None:
    groups = groups_of([ONE, FOUR, RANDOM])
    assert common_level(groups) == 0.5
    assert common_level(groups[:2]) == 0.8
    assert common_level([]) is None


def test_a_group_without_an_objective_leaves_no_common_level() -> None:
    failed = TimedSweep("n2-r0", "bayesian", 2, 0, 0.0, (TimedTrial(0, "failed", None, 0, 1),))
    assert common_level(groups_of([ONE, failed])) is None


def test_the_speed_is_relative_to_the_fewest_slots_of_the_same_sampler() -> None:
    # 0.5 is reached after 40 s with one, after 10 s with four; random search has nothing to be compared with.
    assert speeds(groups_of([FOUR, ONE, RANDOM]), 0.5) == (1.0, 4.0, None)


def test_a_level_that_one_never_reaches_gives_no_speed() -> None:
    assert speeds(groups_of([ONE, FOUR]), 0.85) == (None, None)


def test_means_are_taken_over_repeats_before_a_level_is_looked_for() -> None:
    slow = sweep(4, [(20, 0.1), (30, 0.7)], repeat=1)
    groups = groups_of([ONE, FOUR, slow])
    # The mean of both is (0.9 + 0.1) / 2 at 20 s and (0.9 + 0.7) / 2 at 30 s.
    assert groups[1].by_time.mean == pytest.approx([0.5, 0.8])
    assert speeds(groups, 0.6) == (pytest.approx(1.0), pytest.approx(40 / 30))


@pytest.mark.parametrize(
    ("began", "host", "expected"), [(79, "one", True), (80, "one", False), (79, "two", False)], ids=str
)
def test_sweeps_share_a_machine_where_they_ran_on_it_at_the_same_time(began: float, host: str, expected: bool) -> None:
    assert sharing([sweep(4, [(5, 0.1)], began=began, host=host), ONE]) is expected
