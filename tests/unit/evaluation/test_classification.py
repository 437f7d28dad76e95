from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import balanced_accuracy_score, roc_auc_score

from hakken.core.errors import HakkenError
from hakken.evaluation.classification import (
    Classified,
    balanced,
    compare,
    macro_auc,
    measure_classes,
    rows_accuracy,
    rows_balanced,
)

CLASSES = ("a", "b", "c")


def drawn(n: int = 60, seed: int = 0, skill: float = 1.0) -> Classified:
    random = np.random.default_rng(seed)
    truth = random.integers(3, size=n)
    logits = random.normal(size=(n, 3)) + skill * np.eye(3)[truth]
    probability = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    return Classified(CLASSES, truth, [f"p{number // 2}" for number in range(n)], probability)


def test_by_hand() -> None:
    # Truth a a a b; called a a b b: recall of a 2/3, of b 1; c has no lesion.
    probability = np.array([[0.8, 0.1, 0.1], [0.6, 0.3, 0.1], [0.2, 0.7, 0.1], [0.1, 0.8, 0.1]])
    given = Classified(CLASSES, np.array([0, 0, 0, 1]), ["p", "q", "r", "s"], probability)
    assert balanced(given) == pytest.approx(5 / 6)
    assert given.most_frequent == pytest.approx(3 / 4)
    # a: scores of a lesions 0.8, 0.6, 0.2 against 0.1: 1; b: 0.8 against 0.1, 0.3, 0.7: 1; c: none.
    assert macro_auc(given, np.ones((1, 4)))[0] == pytest.approx(1)
    found = measure_classes(given, resamples=200, seed=0)
    assert found.accuracy.value == pytest.approx(3 / 4)
    assert found.as_dict()["confusion"]["matrix"] == [[2, 1, 0], [0, 1, 0], [0, 0, 0]]
    assert found.as_dict()["chance"] == {"accuracy": 0.75, "balanced_accuracy": pytest.approx(1 / 3)}


@pytest.mark.parametrize("seed", range(5))
def test_measures_are_those_of_scikit_learn(seed: int) -> None:
    given = drawn(seed=seed)
    ones = np.ones((1, len(given.truth)))
    assert balanced(given) == pytest.approx(balanced_accuracy_score(given.truth, given.called))
    expected = roc_auc_score(given.truth, given.probability, multi_class="ovr", average="macro")
    assert macro_auc(given, ones)[0] == pytest.approx(expected)
    assert rows_balanced(given.truth, given.called, ones)[0] == pytest.approx(balanced(given))
    assert rows_accuracy(given.truth, given.called, ones)[0] == pytest.approx((given.called == given.truth).mean())


def test_weights_are_repetitions() -> None:
    given = drawn(20)
    weights = np.random.default_rng(3).integers(0, 4, size=(1, 20))
    rows = np.repeat(np.arange(20), weights[0])
    again = Classified(CLASSES, given.truth[rows], [given.patient[row] for row in rows], given.probability[rows])
    assert macro_auc(given, weights.astype(float))[0] == pytest.approx(macro_auc(again, np.ones((1, len(rows))))[0])
    assert rows_balanced(given.truth, given.called, weights.astype(float))[0] == pytest.approx(balanced(again))


def test_the_interval_holds_the_value_and_narrows_with_patients() -> None:
    few, many = (measure_classes(drawn(n), resamples=400, seed=1) for n in (40, 400))
    for found in (few, many):
        for one in (found.accuracy, found.balanced_accuracy, found.macro_auc):
            assert one.low is not None
            assert one.high is not None
            assert one.value is not None
            assert one.low <= one.value <= one.high
    assert many.accuracy.high - many.accuracy.low < few.accuracy.high - few.accuracy.low  # type: ignore[operator]


def test_the_difference_of_two() -> None:
    good, bad = drawn(200, skill=3.0), drawn(200, skill=0.0)
    found = compare(good.truth, good.patient_index, good.called, bad.called, resamples=300, seed=0)
    assert found.accuracy.low is not None
    assert found.accuracy.low > 0.2
    same = compare(good.truth, good.patient_index, good.called, good.called, resamples=300, seed=0)
    assert (same.accuracy.value, same.accuracy.low, same.accuracy.high) == (0, 0, 0)


def test_what_cannot_be_measured() -> None:
    with pytest.raises(HakkenError, match="no lesion with a class"):
        Classified(CLASSES, np.empty(0, np.int64), [], np.empty((0, 3)))
    with pytest.raises(HakkenError, match="lesion 1: no finite probability"):
        Classified(CLASSES, np.array([0, 1]), ["p", "q"], np.array([[1, 0, 0], [np.nan, 0, 1]]))


def test_all_right_is_no_certainty() -> None:
    # four lesions of two patients, all called rightly: Wilson's interval of 2 of 2, from 1 / (1 + z² / 2)
    probability = np.array([[0.9, 0.1], [0.2, 0.8], [0.7, 0.3], [0.4, 0.6]])
    classified = Classified(("one", "two"), np.array([0, 1, 0, 1]), ["p", "p", "q", "q"], probability)
    found = measure_classes(classified, resamples=100, seed=0).accuracy
    assert (found.value, found.low, found.high) == (1, pytest.approx(0.3424, abs=1e-4), 1)
