"""Which segment comes next where trainings pause at rungs: decisions worked out by hand, and what always holds."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Mapping
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hakken.search.rungs import (
    FEWEST,
    Known,
    Rungs,
    Segment,
    agreement,
    decide,
    learnt,
    objectives_at,
    trainings_of,
)
from hakken.search.trial import State, Trial, Value

from .rung_search import THIRDS, Search, numbered

LARGE = 1000


def seen(training: int, since: int, until: int, state: State = "paused", job: int = 99, **objectives: float) -> Known:
    """Return a segment with its result; ``objectives`` at `r1`, `r2` and `end`."""
    stops = {"r1": 1, "r2": 2, "end": 3}
    told = {stops[name]: value for name, value in objectives.items()}
    return Known(Segment(job, training, since, until), {"x": training}, state, told)


def after_rung_1(values: Mapping[int, float]) -> list[Known]:
    """Return trainings that pause at the first rung, each of a job of its own."""
    return [seen(number, 0, 1, job=100 + number, r1=value) for number, value in values.items()]


def next_of(known: list[Known], job: int = 0, budget: int = LARGE, rungs: Rungs = THIRDS) -> tuple[int, int, int]:
    """Return training, since and until of the next segment of a job."""
    found, _ = decide(rungs, known, job=job, budget=budget, propose=numbered)
    assert found.job == job
    return found.training, found.since, found.until


def test_the_costs_of_segments() -> None:
    assert THIRDS.stops == (0, Fraction(1, 9), Fraction(1, 3), 1)
    assert [THIRDS.cost(stop, stop + 1) for stop in range(3)] == [Fraction(1, 9), Fraction(2, 9), Fraction(2, 3)]
    assert THIRDS.spent([Segment(4, 0, 0, 1), Segment(4, 0, 1, 2), Segment(5, 1, 0, 3)], 4) == Fraction(1, 3)


def test_the_first_training_begins_and_pauses_at_the_first_rung() -> None:
    assert next_of([]) == (0, 0, 1)


def test_the_study_s_own_parameters_are_trained_to_their_end() -> None:
    rungs = Rungs.of(["1/9", "1/3"], {"x": 0})
    assert next_of([], rungs=rungs) == (0, 0, 3)
    assert next_of([seen(0, 0, 3, "running")], rungs=rungs) == (1, 0, 1)


def test_of_two_none_is_in_the_best_third_and_of_three_the_best_is() -> None:
    assert next_of(after_rung_1({0: 0.1, 1: 0.9})) == (2, 0, 1)
    assert next_of(after_rung_1({0: 0.1, 1: 0.9, 2: 0.5})) == (1, 1, 2)


def test_of_equals_the_first_goes_on() -> None:
    assert next_of(after_rung_1({0: 0.5, 1: 0.5, 2: 0.5})) == (0, 1, 2)


def test_where_the_objective_is_to_be_low_the_lowest_goes_on() -> None:
    known = after_rung_1({0: 0.1, 1: 0.9, 2: 0.5})
    found, _ = decide(THIRDS, known, job=0, budget=LARGE, propose=numbered, maximise=False)
    assert (found.training, found.since) == (0, 1)


def test_what_goes_on_already_counts_at_its_rung_and_does_not_go_on_twice() -> None:
    known = [*after_rung_1({0: 0.1, 1: 0.9, 2: 0.5}), seen(1, 1, 2, "running")]
    assert next_of(known) == (3, 0, 1), "the best of three is on its way, and no second is in the best third"
    more = [*known, *after_rung_1({3: 0.2, 4: 0.3, 5: 0.4})]
    assert next_of(more) == (2, 1, 2), "of six the second best"


def test_what_failed_on_its_way_does_not_go_on() -> None:
    known = [*after_rung_1({0: 0.1, 1: 0.9, 2: 0.5}), seen(1, 1, 2, "failed")]
    assert next_of(known) == (3, 0, 1)


def test_the_highest_rung_comes_first() -> None:
    known = after_rung_1({number: number / 10 for number in range(12)})
    known += [seen(number, 1, 2, job=200 + number, r2=number / 10) for number in (9, 10, 11)]
    assert next_of(known) == (11, 2, 3), "the best of three at the second rung, although one waits at the first"


def test_a_segment_that_costs_more_than_is_left_is_left_to_another_job() -> None:
    known = after_rung_1({number: number / 10 for number in range(12)})
    known += [seen(number, 1, 2, job=200 + number, r2=number / 10) for number in (9, 10, 11)]
    own = [seen(number, 0, 1, job=7, r1=0.0) for number in (12, 13, 14, 15)]
    assert next_of([*known, *own], job=7) == (8, 1, 2), "5/9 are left, 2/3 too much; at the first rung one waits"


def spent(jobs: int) -> list[Known]:
    """Return jobs that have failed with all of their budget, so that they say nothing but that it is spent."""
    return [seen(number, 0, 3, "failed", job=300 + number) for number in range(jobs)]


def test_after_the_first_part_a_job_trains_a_new_training_to_its_end() -> None:
    assert next_of(spent(3), budget=10) == (3, 0, 1)
    assert next_of(spent(4), budget=10) == (4, 0, 3)


def test_after_it_one_that_is_among_the_best_third_of_the_last_rung_goes_on_first() -> None:
    paused = [seen(number, 0, 2, job=400 + number, r1=0.1, r2=number / 10) for number in (4, 5, 6)]
    assert next_of([*spent(4), *paused], budget=10) == (6, 2, 3)


def test_what_is_left_of_a_job_goes_to_the_best_that_pause_and_then_to_a_new_one() -> None:
    paused = [seen(number, 0, 2, job=400 + number, r1=0.1, r2=number / 10) for number in (4, 5, 6)]
    low = [seen(number, 0, 1, job=400 + number, r1=number / 10) for number in (7, 8)]
    own = [seen(6, 2, 3, "complete", job=0, end=0.9)]
    known = [*spent(4), *paused, *low, *own]
    assert next_of(known, budget=10) == (8, 1, 2), "1/3 is left, and the best at the first rung costs 2/9"
    known.append(seen(8, 1, 2, job=0, r2=0.2))
    assert next_of(known, budget=10) == (9, 0, 1), "1/9 is left, which only a new training takes"


def full(values: Mapping[int, tuple[float, float, float]]) -> list[Known]:
    return [
        seen(number, 0, 3, "complete", job=500 + number, r1=one, r2=other, end=end)
        for number, (one, other, end) in values.items()
    ]


def test_rungs_that_say_little_of_the_end_are_switched_off_and_stay_so() -> None:
    upside_down = full({number: (-number, number / 2, number) for number in range(FEWEST)})
    assert agreement(THIRDS, trainings_of(THIRDS, upside_down)) == (-1.0, 1.0)
    found, _ = decide(THIRDS, upside_down, job=0, budget=LARGE, propose=numbered)
    assert (found.until, found.whole, found.agreement) == (3, True, (-1.0, 1.0))
    agreed = full({number: (number, number, number) for number in range(FEWEST, 4 * FEWEST)})
    later = [*upside_down, Known(found, {"x": FEWEST}), *agreed]
    assert decide(THIRDS, later, job=1, budget=LARGE, propose=numbered)[0].whole


def test_fewer_complete_trainings_do_not_judge_the_rungs() -> None:
    upside_down = full({number: (-number, -number, number) for number in range(FEWEST - 1)})
    found, _ = decide(THIRDS, upside_down, job=0, budget=LARGE, propose=numbered)
    assert (found.whole, found.agreement) == (False, ())
    assert found.until == 1 or found.since > 0


def test_rungs_at_which_all_are_equal_say_nothing() -> None:
    equal = full({number: (0.5, number, number) for number in range(FEWEST)})
    assert agreement(THIRDS, trainings_of(THIRDS, equal)) == (0.0, 1.0)
    found, _ = decide(THIRDS, equal, job=0, budget=LARGE, propose=numbered)
    assert not found.whole, "0.5 on average is no less than 0.5"


def test_switched_off_a_job_that_has_begun_still_spends_its_budget() -> None:
    bad = full({number: (-number, -number, number) for number in range(FEWEST)})
    own = [seen(FEWEST, 0, 1, job=0, r1=3.0)]
    assert next_of([*bad, *own]) == (FEWEST, 1, 2)
    assert next_of([*bad, *own, seen(FEWEST, 1, 2, job=0, r2=3.0)]) == (FEWEST, 2, 3)


def test_the_model_learns_from_the_last_rung_and_the_end() -> None:
    known = [
        *full({0: (0.1, 0.4, 0.6), 1: (0.1, 0.5, 0.8), 2: (0.2, 0.3, 0.4)}),
        seen(3, 0, 1, r1=0.3),
        seen(4, 0, 1, r1=0.2),
        seen(4, 1, 2, r2=0.5),
        seen(5, 0, 1, "failed"),
        seen(6, 0, 1, "running"),
        Known(Segment(9, 7, 0, 1), {"x": 7}, silent=True),
    ]
    assert learnt(THIRDS, trainings_of(THIRDS, known)) == (
        Trial(0, {"x": 0}, "complete", 0.6),
        Trial(1, {"x": 1}, "complete", 0.8),
        Trial(2, {"x": 2}, "complete", 0.4),
        Trial(3, {"x": 3}, "running"),
        Trial(4, {"x": 4}, "complete", 0.5 + (0.6 - 0.4)),  # steps 0.2, 0.3, 0.1: the median is that of the first
        Trial(5, {"x": 5}, "failed"),
        Trial(6, {"x": 6}, "running"),
    )


def test_while_none_was_measured_at_both_nothing_is_moved() -> None:
    known = [seen(0, 0, 1, r1=0.1), seen(0, 1, 2, r2=0.5)]
    assert learnt(THIRDS, trainings_of(THIRDS, known)) == (Trial(0, {"x": 0}, "complete", 0.5),)


@pytest.mark.parametrize(("keep", "expected"), [("best", [None, 0.5, 0.7]), ("last", [None, 0.4, 0.7])])
def test_the_objective_at_a_step_is_what_was_known_by_then(keep: str, expected: list[float | None]) -> None:
    assert objectives_at([(10, 0.5), (20, 0.4), (30, 0.7)], [9, 20, 99], keep=keep) == expected


def test_an_objective_that_is_no_number_takes_no_part() -> None:
    known = [*after_rung_1({0: 0.1, 1: float("nan"), 2: 0.5, 3: 0.3})]
    assert next_of(known) == (2, 1, 2)


@st.composite
def searches(draw: st.DrawFn) -> Search:
    """Return a search of some jobs with some rungs, trainings of any objective, some of which fail."""
    shares = draw(st.sampled_from([["1/9", "1/3"], ["1/4", "1/2"], ["1/3"], ["1/27", "1/9", "1/3"], ["1/10", "1/5"]]))
    values = draw(st.integers(0, 2**32))

    def objective(number: int, stop: int) -> float | None:
        chance = random.Random(f"{values}/{number}/{stop}")
        return None if chance.random() < 0.1 else chance.random()

    unpaused: Mapping[str, Value] | None = draw(st.sampled_from([None, {"x": 0}]))
    return Search(Rungs.of(shares, unpaused), draw(st.integers(1, 20)), draw(st.integers(1, 8)), objective)


@settings(max_examples=60, deadline=None)
@given(searches(), st.integers(0, 2**32))
def test_what_holds_of_every_search(search: Search, seed: int) -> None:
    segments = search.run(random.Random(seed))
    rungs = search.rungs
    assert [rungs.spent(segments, job) for job in range(search.jobs)] == [1] * search.jobs
    claims = Counter((one.training, stop) for one in segments for stop in range(one.since, one.until))
    assert max(claims.values()) == 1, "nothing is trained twice"
    states = {one.segment.training: one.state for one in search.known}
    assert sorted(states) == list(range(len(states))), "trainings are numbered in the order of asking"
    for place, one in enumerate(segments):
        before = [other for other in search.known[:place] if other.segment.training == one.training]
        assert [other.segment.until for other in before][-1:] == ([one.since] if one.since else [])
    if rungs.unpaused is not None:
        assert segments[0] == Segment(0, 0, 0, rungs.end)


@settings(max_examples=20, deadline=None)
@given(searches(), st.integers(0, 2**32))
def test_each_decision_is_the_same_when_asked_again(search: Search, seed: int) -> None:
    segments = search.run(random.Random(seed))
    for one, before in zip(segments, search.asked, strict=True):
        again, _ = decide(search.rungs, before, job=one.job, budget=search.jobs, propose=numbered)
        assert again == one


def test_a_whole_search_of_one_slot_by_hand() -> None:
    """Training n has the objective n: later ones are better, so that of each three the last goes on."""
    search = Search(Rungs.of(["1/3"]), 4, 1, lambda number, stop: float(number))
    segments = [(one.job, one.training, one.since, one.until) for one in search.run(random.Random(0))]
    assert segments == [
        *((0, 0, 0, 1), (0, 1, 0, 1), (0, 2, 0, 1)),  # the first job begins three
        (1, 2, 1, 2),  # the best of which goes on for 2/3
        (1, 3, 0, 1),  # and of what is left another begins; 2 of 4 full trainings are asked for, more than 0.4
        *((2, 3, 1, 2), (2, 4, 0, 1)),  # of four the best is in the best third, and goes on before a new one begins
        *((3, 4, 1, 2), (3, 5, 0, 1)),
    ]
    falling = Search(Rungs.of(["1/3"]), 4, 1, lambda number, stop: float(-number))
    segments = [(one.job, one.training, one.since, one.until) for one in falling.run(random.Random(0))]
    assert segments[:5] == [*((0, number, 0, 1) for number in range(3)), (1, 0, 1, 2), (1, 3, 0, 1)]
    assert segments[5:] == [(2, 4, 0, 2), (3, 5, 0, 2)], "the best third has gone on: others are trained to their ends"
