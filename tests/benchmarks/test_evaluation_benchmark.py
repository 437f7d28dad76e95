from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from hakken.evaluation.delong import areas
from hakken.evaluation.matching import match


@pytest.fixture(scope="module")
def benchmark(benchmark: Any) -> Any:
    """The benchmark as a module."""
    return benchmark("evaluation")


def test_the_command_is_measured_on_a_cohort_that_has_what_it_needs(benchmark: Any) -> None:
    made = benchmark.cohort(np.random.default_rng(0), 30, 5)
    counts = match(*made).counts
    assert 0 < counts.true_positives < counts.lesions
    assert counts.false_positives > 30
    seconds, memory = benchmark.command(*made)
    assert 0.1 < seconds < 60
    assert memory > 20


def test_the_auc_of_the_simulation_is_the_auc(benchmark: Any) -> None:
    label, score, value = benchmark._scores(np.random.default_rng(1), 60)
    assert value == pytest.approx(areas(label, score[None]).auc[0])
    counts = np.random.default_rng(2).integers(0, 3, 60)
    again = areas(np.repeat(label, counts), (np.repeat(score, counts))[None]).auc[0]
    tied = benchmark._auc(label, score, counts[None].astype(float))[0]
    assert tied == pytest.approx(again)


def test_an_interval_holds_its_ends_and_nothing_when_undefined(benchmark: Any) -> None:
    assert benchmark._holds(0.1, 0.1, 0.2)
    assert not benchmark._holds(0.1, 0.3, 0.2)
    assert not benchmark._holds(None, 0.3, 0.4)
