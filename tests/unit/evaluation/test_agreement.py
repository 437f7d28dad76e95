from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy.stats import binomtest
from sklearn.metrics import balanced_accuracy_score, cohen_kappa_score, f1_score, precision_score, recall_score

from hakken.evaluation.agreement import (
    Kappa,
    McNemar,
    Weighting,
    accuracy,
    balanced_accuracy,
    confusion,
    f1,
    kappa,
    macro_f1,
    mcnemar,
    precision,
    recall,
    rows_kappa,
    rows_mcc,
    weights,
)
from hakken.evaluation.agreement_measure import Labels, measure, warnings

# Two dermatologists, as printed in the documentation of SAS, PROC FREQ, agreement study (table Skin Condition Data).
SKIN = np.array([[10, 4, 1, 0], [5, 10, 12, 2], [2, 4, 12, 5], [0, 2, 6, 13]])
WEIGHTINGS: tuple[Weighting, ...] = ("unweighted", "linear", "quadratic")


@st.composite
def labelled(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    """Truth and prediction of up to 40 cases in three classes, each of which occurs in the truth."""
    number = draw(st.integers(3, 40))
    truth = [0, 1, 2, *draw(st.lists(st.integers(0, 2), min_size=number - 3, max_size=number - 3))]
    return np.array(truth), np.array(draw(st.lists(st.integers(0, 2), min_size=number, max_size=number)))


class TestByHand:
    # Truth a a a b b c, called a a b b c c
    MATRIX = confusion(np.array([0, 0, 0, 1, 1, 2]), np.array([0, 0, 1, 1, 2, 2]), 3)

    def test_matrix(self) -> None:
        assert self.MATRIX.tolist() == [[2, 1, 0], [0, 1, 1], [0, 0, 1]]

    def test_measures(self) -> None:
        every = np.ones(3, bool)
        assert float(accuracy(self.MATRIX)) == 4 / 6
        assert recall(self.MATRIX).tolist() == [2 / 3, 1 / 2, 1]
        assert precision(self.MATRIX).tolist() == [1, 1 / 2, 1 / 2]
        assert f1(self.MATRIX).tolist() == [4 / 5, 2 / 4, 2 / 3]
        assert float(balanced_accuracy(self.MATRIX, every)) == pytest.approx(13 / 18)
        assert float(macro_f1(self.MATRIX, every)) == pytest.approx((4 / 5 + 1 / 2 + 2 / 3) / 3)

    def test_kappa(self) -> None:
        # p_o = 4/6, p_e = (3 · 2 + 2 · 2 + 1 · 2) / 36 = 1/3: (2/3 - 1/3) / (2/3)
        assert float(rows_kappa(self.MATRIX, weights(3, "unweighted"))) == pytest.approx(1 / 2)
        # linear weights 1, 1/2, 0: p_o = (4 + 2/2) / 6, p_e = (12 + (3 · 2 + 2 · 2 + 2 · 2 + 1 · 2) / 2) / 36 = 20/36
        assert float(rows_kappa(self.MATRIX, weights(3, "linear"))) == pytest.approx((30 - 20) / (36 - 20))

    def test_weights(self) -> None:
        assert weights(3, "linear").tolist() == [[1, 0.5, 0], [0.5, 1, 0.5], [0, 0.5, 1]]
        assert weights(3, "quadratic")[0].tolist() == [1, 0.75, 0]

    def test_mcnemar(self) -> None:
        first = np.array([1, 1, 1, 1, 1, 1, 0, 1, 0], bool)
        second = np.array([0, 0, 0, 0, 0, 0, 1, 1, 0], bool)
        # 6 and 1 of 7: p = 2 · (1 + 7) / 2^7; (|6 - 1| - 1)² / 7
        found = mcnemar(first, second)
        assert (found.only_first, found.only_second, found.exact_p) == (6, 1, pytest.approx(16 / 128))
        assert found.chi_square == pytest.approx(16 / 7)


class TestPublished:
    def test_skin_condition(self) -> None:
        found = kappa(SKIN, weights(4, "unweighted"))
        assert [
            round(number, 4) for number in (found.value, found.se, found.low, found.high) if number is not None
        ] == [
            0.3449,
            0.0724,
            0.2030,
            0.4868,
        ]

    def test_diagnoses_of_fleiss(self) -> None:
        # Fleiss, Statistical Methods for Rates and Proportions, 2nd edition, table 13.1: kappa 0.68
        found = kappa(np.array([[75, 1, 4], [5, 4, 1], [0, 0, 10]]), weights(3, "unweighted"))
        assert found.value == pytest.approx((0.89 - 0.66) / (1 - 0.66))  # 0.676

    def test_approval_of_the_prime_minister(self) -> None:
        # Agresti, Categorical Data Analysis, 2nd edition, table 10.1: 150 and 86 changed; z² = 64² / 236 uncorrected
        first = np.repeat([True, True, False, False], [794, 150, 86, 570])
        second = np.repeat([True, False, True, False], [794, 150, 86, 570])
        found = mcnemar(first, second)
        assert found.chi_square == pytest.approx(63**2 / 236)
        assert found.exact_p == pytest.approx(binomtest(86, 236).pvalue)
        assert found.chi_square_p == pytest.approx(4.1146e-05, rel=1e-4)


class TestAgainstOthers:
    @given(labelled())
    def test_measures_are_those_of_sklearn(self, both: tuple[np.ndarray, np.ndarray]) -> None:
        matrix, every = confusion(*both, 3), np.ones(3, bool)
        assert float(balanced_accuracy(matrix, every)) == pytest.approx(balanced_accuracy_score(*both))
        assert float(macro_f1(matrix, every)) == pytest.approx(f1_score(*both, average="macro", zero_division=0))
        np.testing.assert_allclose(recall(matrix), recall_score(*both, average=None))
        called = matrix.sum(axis=0) > 0
        reference = precision_score(*both, average=None, zero_division=0)
        np.testing.assert_allclose(precision(matrix)[called], reference[called])
        assert np.isnan(precision(matrix)[~called]).all()

    @given(labelled(), st.sampled_from(WEIGHTINGS))
    def test_kappa_is_that_of_sklearn(self, both: tuple[np.ndarray, np.ndarray], weighting: Weighting) -> None:
        reference = cohen_kappa_score(*both, weights=None if weighting == "unweighted" else weighting, labels=[0, 1, 2])
        assert float(rows_kappa(confusion(*both, 3), weights(3, weighting))) == pytest.approx(reference)

    @pytest.mark.parametrize("weighting", WEIGHTINGS)
    def test_the_standard_error_is_the_delta_method(self, weighting: Weighting) -> None:
        # Derivatives of kappa by each cell, taken numerically: variance of a function of multinomial shares.
        weight, share = weights(4, weighting), SKIN / SKIN.sum()
        steps = np.eye(16).reshape(16, 4, 4) * 1e-6
        slope = (rows_kappa(share + steps, weight) - rows_kappa(share - steps, weight)) / 2e-6
        flat = share.ravel()
        variance = (flat @ slope**2 - (flat @ slope) ** 2) / SKIN.sum()
        assert kappa(SKIN, weight).se == pytest.approx(math.sqrt(variance), rel=1e-6)


class TestProperties:
    @given(labelled(), st.sampled_from(WEIGHTINGS))
    def test_kappa_is_symmetric_and_its_interval_holds_it(
        self, both: tuple[np.ndarray, np.ndarray], weighting: Weighting
    ) -> None:
        matrix, weight = confusion(*both, 3), weights(3, weighting)
        found = kappa(matrix, weight)
        assert found.value is not None and found.low is not None and found.high is not None
        assert -1 <= found.low <= found.value <= found.high <= 1
        other = kappa(matrix.T, weight)
        assert (other.value, other.se) == (pytest.approx(found.value), pytest.approx(found.se, abs=1e-12))

    @given(labelled())
    def test_a_doubled_table_has_the_same_kappa_and_a_smaller_error(self, both: tuple[np.ndarray, np.ndarray]) -> None:
        once, twice = (kappa(factor * confusion(*both, 3), weights(3, "linear")) for factor in (1, 2))
        assert once.se is not None and twice.se is not None
        assert twice.value == pytest.approx(once.value)
        assert twice.se == pytest.approx(once.se / math.sqrt(2))

    def test_matrices_of_resamples_are_measured_at_once(self) -> None:
        rng = np.random.default_rng(3)
        stack = rng.integers(1, 9, (4, 3, 3))
        weight, every = weights(3, "quadratic"), np.ones(3, bool)
        assert rows_kappa(stack, weight) == pytest.approx([float(rows_kappa(one, weight)) for one in stack])
        assert macro_f1(stack, every) == pytest.approx([float(macro_f1(one, every)) for one in stack])

    @given(labelled())
    def test_mcnemar_changes_sides_with_the_order(self, both: tuple[np.ndarray, np.ndarray]) -> None:
        first, second = both[0] > 0, both[1] > 0
        assume((first != second).any())
        one, other = mcnemar(first, second), mcnemar(second, first)
        assert (one.only_first, one.exact_p) == (other.only_second, pytest.approx(other.exact_p))
        assert one.chi_square == other.chi_square


class TestEdges:
    def test_one_class_has_no_kappa(self) -> None:
        assert kappa(np.array([[5, 0], [0, 0]]), np.eye(2)) == Kappa(None, None, None, None)

    def test_predictions_that_are_right_together_cannot_be_told_apart(self) -> None:
        assert mcnemar(np.array([True, False]), np.array([True, False])) == McNemar(0, 0, None, None, None)

    def test_undefined_classes_are_null_with_a_warning(self) -> None:
        labels = Labels(list("aab"), np.arange(3), {"prediction": list("aaa")}, ("a", "b", "c"))
        found = measure(labels, 200, 0)
        (part,) = found.predictions
        assert (part.classes["b"].precision.value, part.classes["b"].f1.value) == (None, 0)
        assert (part.classes["c"].recall.value, part.classes["c"].f1.value) == (None, None)
        assert part.balanced_accuracy.value == 1 / 2  # of a and b
        assert part.macro_f1.value == pytest.approx((4 / 5 + 0) / 2)
        said = warnings(found)
        assert "3 patients: intervals from so few are rough and rather too narrow; they are no certainty" in said
        assert "prediction, class b: precision is null, no case was called so" in said
        assert "prediction, class c: recall is null, no case has this truth; balanced accuracy leaves it out" in said
        assert "prediction, class c: F1 is null, neither truth nor prediction has it; macro F1 leaves it out" in said
        skipped = part.balanced_accuracy.bootstrap.undefined  # resamples without a, 1/27, or without b, 8/27, of all
        assert 40 < skipped < 95
        assert (
            f"prediction balanced accuracy is undefined in {skipped} of 200 resamples, which its interval leaves out"
            in said
        )

    def test_the_bootstrap_keeps_patients_together_and_repeats_by_seed(self) -> None:
        rng = np.random.default_rng(5)
        truth = rng.integers(0, 2, 60)
        called = np.where(rng.random(60) < 0.8, truth, 1 - truth)
        words = [[("no", "yes")[value] for value in column] for column in (truth, called)]
        single = Labels(words[0], np.arange(60), {"prediction": words[1]}, ("no", "yes"))
        tripled = Labels(words[0] * 3, np.tile(np.arange(60), 3), {"prediction": words[1] * 3}, ("no", "yes"))
        once, again, clustered = measure(single, 300, 1), measure(single, 300, 1), measure(tripled, 300, 1)
        assert once.as_dict() == again.as_dict()
        assert clustered.predictions[0].accuracy_ends == once.predictions[0].accuracy_ends
        assert measure(single, 300, 2).predictions[0].accuracy_ends != once.predictions[0].accuracy_ends
        assert warnings(clustered)[0].startswith("180 cases of 60 patients: ")


class TestMatthews:
    @pytest.mark.parametrize(
        ("matrix", "value"),
        [
            ([[3, 1], [2, 2]], 4 / np.sqrt(240)),
            ([[5, 0], [0, 5]], 1),
            ([[0, 5], [5, 0]], -1),
            ([[2, 2], [2, 2]], 0),
            # three classes: 6 cases, 5 right, truth 2, 2, 2, called 2, 3, 1
            ([[2, 0, 0], [0, 2, 0], [0, 1, 1]], (30 - 12) / np.sqrt((36 - 14) * (36 - 12))),
        ],
    )
    def test_by_hand(self, matrix: list[list[int]], value: float) -> None:
        assert float(rows_mcc(np.array(matrix))) == pytest.approx(value)

    def test_is_undefined_where_truth_or_calls_are_all_alike(self) -> None:
        assert np.isnan(rows_mcc(np.array([[[3, 2], [0, 0]], [[3, 0], [2, 0]]]))).all()

    @pytest.mark.parametrize("seed", range(10))
    def test_is_the_correlation_of_two_classes(self, seed: int) -> None:
        truth, called = np.random.default_rng(seed).integers(0, 2, (2, 40))
        assert float(rows_mcc(confusion(truth, called, 2))) == pytest.approx(np.corrcoef(truth, called)[0, 1])
