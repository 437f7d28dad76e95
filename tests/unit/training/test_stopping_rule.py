from __future__ import annotations

import pytest

from hakken.training.stopping_rule import Curve, median_rule

FIVE: list[Curve] = [[(10, 0.1), (20, 0.5)], [(10, 0.2), (20, 0.6)], [(10, 0.3)], [(10, 0.4), (20, 0.8)], [(10, 0.5)]]


def test_the_best_is_held_against_the_median_of_the_running_averages() -> None:
    # at step 20: (0.1 + 0.5)/2, (0.2 + 0.6)/2, 0.3, (0.4 + 0.8)/2, 0.5, in order 0.3, 0.3, 0.4, 0.5, 0.6
    assert median_rule([(10, 0.1), (20, 0.39)], FIVE) == (
        "best objective 0.390 at step 20, below 0.400, the median of the running averages of 5 finished trials"
    )
    assert median_rule([(10, 0.1), (20, 0.41)], FIVE) == ""


def test_it_is_the_best_so_far_that_counts_and_only_what_others_had_by_then() -> None:
    assert median_rule([(10, 0.41), (20, 0.0)], FIVE) == ""
    assert "below 0.300" in median_rule([(10, 0.29)], FIVE)
    assert median_rule([(10, 0.3)], FIVE) == "", "equal is good enough"


def test_who_measures_less_often_is_compared_with_the_averages_up_to_its_own_step() -> None:
    assert "at step 15, below 0.300" in median_rule([(15, 0.2)], FIVE)


@pytest.mark.parametrize("others", [[], FIVE[:4], [*FIVE[:4], []], [*FIVE[:4], [(30, 0.9)]]])
def test_fewer_than_five_with_a_measurement_by_then_say_nothing(others: list[Curve]) -> None:
    assert median_rule([(10, 0.0)], others) == ""
