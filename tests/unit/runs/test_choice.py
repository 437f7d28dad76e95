"""The choice among trials by hand: tables of validation objectives by seed, and who is taken."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from hakken.core.errors import HakkenError
from hakken.runs.averages import Average, Averages
from hakken.runs.choice import candidates, chosen, confirmed_by, number_of, ranked, shortlist

SEEDS = Mapping[int, Sequence[float | None]]


def record(number: int, objective: float | None, **more: Any) -> dict[str, Any]:
    state = "failed" if objective is None else "complete"
    reason = "diverged" if objective is None else None
    said = {"sweep": "search", "number": number, "state": state, "objective": objective, "reason": reason}
    return said | {"parameters": {"dropout": number / 10}} | more


def again(number: int, seed: int, objective: float | None, **more: Any) -> dict[str, Any]:
    said = record(number, objective) | {"sweep": "confirm", "number": 2 * number + seed - 1}
    return said | {"confirms": {"trial": number, "seed": seed}} | more


def table(searched: Sequence[float | None], further: SEEDS) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The trials of a search in the order of asking, and by number the objectives with two more seeds."""
    trials = [record(number, objective) for number, objective in enumerate(searched)]
    return trials, [
        again(number, seed, value) for number, values in further.items() for seed, value in enumerate(values, start=1)
    ]


@pytest.mark.parametrize(
    ("searched", "further", "count", "number", "worth", "seed"),
    [
        # Trial 1 was lucky: 0.60 in the search, a mean of 0.50; trial 3 has a mean of 0.54, and 0.53 is nearest to it.
        ([0.40, 0.60, 0.30, 0.58], {1: [0.46, 0.44], 3: [0.53, 0.51]}, 2, 3, 0.54, 1),
        # The search's own is nearest to the mean of 0.55, then the first of two equally near.
        ([0.55, 0.50], {0: [0.65, 0.45]}, 1, 0, 0.55, 0),
        ([0.50, 0.25], {0: [0.75, 0.25], 1: [0.0, 0.0]}, 2, 0, 0.50, 0),
        # The same seeds in another order are equal to the last bit.
        ([0.7, 0.9], {0: [0.9, 0.1], 1: [0.1, 0.7]}, 2, 0, 1.7 / 3, 0),
        # Of equals the one that asked first, with whatever rank.
        ([0.50, 0.75], {0: [0.75, 0.5], 1: [0.5, 0.5]}, 2, 0, 7 / 12, 0),
        # The best that was not trained again is not taken, although 0.52 is above every mean.
        ([0.53, 0.52, 0.54], {0: [0.4, 0.4], 2: [0.3, 0.3]}, 2, 0, (0.53 + 0.8) / 3, 1),
        # One that fails with another seed gives way, however good its others are; not where all do.
        ([0.9, 0.5], {0: [0.9, None], 1: [0.4, 0.4]}, 2, 1, 1.3 / 3, 1),
        ([0.9, 0.5], {0: [0.7, None], 1: [None, 0.4]}, 2, 0, 0.8, 0),
    ],
)
def test_the_mean_over_seeds_decides(  # noqa: PLR0917
    searched: list[float], further: SEEDS, count: int, number: int, worth: float, seed: int
) -> None:
    found = chosen(candidates(*table(searched, further), count))
    assert (found.trial["number"], found.worth) == (number, pytest.approx(worth))
    assert found.typical.get("confirms", {"seed": 0})["seed"] == seed


def test_without_further_seeds_it_is_the_best_and_of_equals_the_first() -> None:
    trials, _ = table([0.2, None, 0.5, 0.5], {})
    assert chosen(candidates(trials, [], 0)).trial["number"] == 2
    assert [one["number"] for one in shortlist(trials, 2)] == [2, 3]
    assert [one["number"] for one in shortlist(trials, 9)] == [2, 3, 0]


def test_a_pruned_trial_is_neither_trained_again_nor_taken() -> None:
    trials = [record(0, 0.3), record(1, 0.9, state="pruned")]
    assert [one["number"] for one in shortlist(trials, 2)] == [0]


def test_jobs_share_out_the_best_with_two_seeds_each() -> None:
    trials, _ = table([0.1, 0.4, 0.2, 0.3], {})
    shared = [confirmed_by(trials, 3, job) for job in range(6)]
    assert [(trial["number"], seed) for trial, seed in shared] == [(1, 1), (1, 2), (3, 1), (3, 2), (2, 1), (2, 2)]
    assert [number_of(trial, seed) for trial, seed in shared] == [2, 3, 6, 7, 4, 5]


def test_jobs_left_over_share_the_trainings_of_others() -> None:
    trials, _ = table([None, 0.4, None], {})
    shared = [confirmed_by(trials, 3, job) for job in range(6)]
    assert [(trial["number"], seed) for trial, seed in shared] == [(1, 1), (1, 2)] * 3
    found = candidates(trials, [again(1, seed, 0.3) for seed in (1, 2, 1, 2, 1, 2)], 3)
    assert [one.objectives for one in found] == [(0.4, 0.3, 0.3)]


def test_a_grown_sweep_keeps_the_numbers_of_what_is_trained_again() -> None:
    before, _ = table([0.1, 0.4], {})
    after, _ = table([0.1, 0.4, 0.5], {})
    assert number_of(*confirmed_by(before, 1, 0)) == number_of(*confirmed_by(after, 2, 2)) == 2


@pytest.mark.parametrize("harm", [{"parameters": {"dropout": 0.9}}, None])
def test_what_was_not_trained_again_as_it_is_now_is_refused(harm: dict[str, Any] | None) -> None:
    trials, further = table([0.1, 0.4], {1: [0.3, 0.3]})
    further = [further[0], *([] if harm is None else [further[1] | harm])]
    with pytest.raises(HakkenError) as caught:
        candidates(trials, further, 1)
    assert str(caught.value) == (
        "trial 1 of search was not trained again with seed 2 as it is now; delete the folder of the sweep that "
        "confirms it to train again"
    )


def test_where_none_is_complete_there_is_nothing_to_train_again() -> None:
    with pytest.raises(HakkenError, match="none of the 2 trials finished: diverged; see logs/trial/"):
        confirmed_by(table([None, None], {})[0], 1, 0)


def test_what_was_trained_again_ranks_before_the_rest() -> None:
    found = ranked(candidates(*table([0.53, 0.52, 0.54, 0.1], {0: [0.4, 0.4], 2: [0.3, 0.3]}), 2))
    assert [one.trial["number"] for one in found] == [0, 2, 1, 3]


def averages(*objectives: float) -> Averages:
    return Averages(tuple(Average(size, value, 1.0, (), {}, {}) for size, value in enumerate(objectives, start=2)), 0.5)


@pytest.mark.parametrize(
    ("objectives", "size"),
    [((0.6, 0.7), 3), ((0.7, 0.7), 2), ((0.5, 0.4), None), ((0.4, 0.3), None), ((), None)],
    ids=["best", "the smallest of equals", "equal to the best alone", "worse", "none"],
)
def test_an_average_is_taken_where_it_is_better_than_the_best_alone(
    objectives: Sequence[float], size: int | None
) -> None:
    best = chosen(candidates(*table([0.2, 0.5], {}), 0))
    found = averages(*objectives).better_than(best)
    assert (found and found.size) == size
