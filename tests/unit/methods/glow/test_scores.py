from __future__ import annotations

import numpy as np
import pytest

from hakken.methods.glow.scores import Seen, choose, compressed_bits, recorded


def test_scores_are_by_name_and_those_that_cannot_be_are_left_out() -> None:
    seen = Seen(likelihood=2.0, two_flows=0.25, latent=1.5, compression=-1.0)
    assert seen.scores(2.75) == {
        "likelihood": 2.0,
        "two_flows": 0.25,
        "distance": 0.75,
        "latent": 1.5,
        "compression": -1.0,
    }
    assert [*Seen(2.0, None, 1.5, -1.0).scores(None)] == ["likelihood", "latent", "compression"]


def test_windows_are_summed_up_number_by_number() -> None:
    windows = [Seen(1.0, 0.5, 2.0, -1.0), Seen(3.0, -0.5, 1.0, 0.0)]
    assert Seen.over_windows(windows, "mean") == Seen(2.0, 0.0, 1.5, -0.5)
    assert Seen.over_windows(windows, "max") == Seen(3.0, 0.5, 2.0, 0.0)
    assert Seen.over_windows(windows, "p99").likelihood == pytest.approx(2.98)
    assert Seen.over_windows([Seen(1.0, None, 2.0, 0.0)], "mean").two_flows is None


def test_what_repeats_itself_is_small() -> None:
    random = np.random.default_rng(0).integers(0, 32, 4096).astype(np.uint8)
    assert compressed_bits(np.zeros(4096, np.uint8)) < 0.1
    assert 5 <= compressed_bits(random) < 6


def test_the_best_score_is_chosen_and_none_is_turned_round() -> None:
    """One that is always wrong is worse than one that says nothing."""
    abnormal = np.array([False] * 10 + [True] * 10)
    random = np.random.default_rng(1)
    right = abnormal + random.normal(0, 0.5, 20)
    scores = {"wrong": -2.0 * abnormal, "right": right, "nothing": np.zeros(20)}
    choice = choose(scores, abnormal, np.arange(20), resamples=200, seed=3)
    assert choice.best == "right"
    assert choice.areas["wrong"] == 0.0
    assert choice.areas["nothing"] == 0.5
    said = recorded(choice)
    assert said["validation_auc_wrong"] == 0.0
    assert said["validation_auc_chosen"] == choice.areas["right"]
    assert said["validation_auc_chosen_corrected"] <= said["validation_auc_chosen"]


def test_the_best_of_many_that_say_nothing_is_corrected_downwards() -> None:
    random = np.random.default_rng(0)
    abnormal = np.arange(40) % 2 == 0
    scores = {f"score {number}": random.normal(size=40) for number in range(8)}
    choice = choose(scores, abnormal, np.arange(40), resamples=300, seed=3)
    cost = choice.cost
    assert cost.naive.value == max(choice.areas.values())
    assert cost.optimism > 0.03
    assert cost.corrected.value == pytest.approx(cost.naive.value - cost.optimism)
