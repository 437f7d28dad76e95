from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from hakken.core.errors import HakkenError
from hakken.evaluation.readers.merit import FIGURES, merit
from hakken.evaluation.readers.ratings import ReaderStudy

from .tables import by_hand, froc, roc, roc_study

LESIONS = [("c", 1), ("c", 2), ("d", 1)]
MARKS = [
    ("with", "A", "a", "NL", "", 0.4),
    ("with", "A", "c", "NL", "", 0.9),
    ("with", "A", "c", "LL", 1, 0.6),
    ("with", "A", "d", "LL", 1, 0.3),
]


def marked(lesions: list[Any] | None = None) -> ReaderStudy:
    """Normal cases a and b (unmarked), lesions c1 (0.6), c2 (unmarked) and d1 (0.3), a false mark on c (0.9)."""
    return froc(MARKS, lesions or LESIONS, "abcd").study(least=1, readers=1)


def test_the_auc_by_hand() -> None:
    found = merit(roc(by_hand()).study(["without", "with"]), "wilcoxon")
    # Reader A without: 2 beats 1 and ties 2, 3 beats both: (1 + 1/2 + 1 + 1) / 4. B without: 2 beats 1, not 3, twice.
    assert found.value.tolist() == [[7 / 8, 1 / 2], [1, 3 / 4]]
    # Without d1 (ties gone) 1, without d2 (1 + 1/2) / 2, without n1 (1/2 + 1) / 2, without n2 1.
    assert found.jackknife[0, 0].tolist() == [1, 3 / 4, 3 / 4, 1]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        # psi summed over a (0.4) and b (unmarked): c1 1 + 1, c2 0 + 1/2 (both unmarked), d1 0 + 1.
        ("afroc", Fraction(7, 2) / (2 * 3)),
        ("wafroc", (Fraction(1, 2) * 2 + Fraction(1, 2) * Fraction(1, 2) + 1) / (2 * 2)),
        # The highest mark of c is its false one, 0.9, of d 0.3: 1 + 1 + 0 + 1.
        ("inferred-roc", Fraction(3, 4)),
        # With the cases c (0.9) and d (unmarked) as noise too: c1 over b, d and a 3, c2 1/2 + 1/2, d1 over b and d 2.
        ("afroc1", Fraction(3 + 1 + 2) / (4 * 3)),
        ("wafroc1", (Fraction(1, 2) * 3 + Fraction(1, 2) * 1 + 2) / (4 * 2)),
        ("max-llf", Fraction(2, 3)),
        ("max-nlf", Fraction(2, 4)),
        ("max-nlf-normal", Fraction(1, 2)),
    ],
)
def test_free_response_figures_by_hand(name: str, expected: Fraction) -> None:
    assert merit(marked(), name).value.item() == pytest.approx(float(expected), abs=1e-15)


def test_the_wafroc_with_weights_by_hand() -> None:
    weighted = marked([("c", 1, 3), ("c", 2, 1), ("d", 1, 1)])
    # (3/4 * 2 + 1/4 * 1/2 + 1) / 4 = 21/32
    assert merit(weighted, "wafroc").value.item() == 21 / 32


def test_the_jackknife_of_the_wafroc_by_hand() -> None:
    # Without a: every lesion against b alone, (1/2 * 1 + 1/2 * 1/2 + 1) / 2. Without b: against 0.4, (1/2 + 0) / 2.
    # Without c: d1 against both, 1/2. Without d: (1/2 * 2 + 1/2 * 1/2) / 2.
    assert merit(marked(), "wafroc").jackknife[0, 0].tolist() == [7 / 8, 1 / 4, 1 / 2, 5 / 8]


def test_fractions_over_diseased_cases_leave_out_those_alone() -> None:
    found = merit(marked(), "max-llf")
    assert found.unit.tolist() == [2, 3]
    assert found.jackknife[0, 0].tolist() == [1, 1 / 2]


def without(study: ReaderStudy, case: int) -> ReaderStudy:
    """The same study as if the case had never been read."""
    return kept(study, np.arange(len(study.case_id)) != case)


def kept(study: ReaderStudy, keep: np.ndarray) -> ReaderStudy:
    """The same study of the cases ``keep`` (K,) alone."""
    lesions = keep[study.lesion_case]
    return replace(
        study,
        case_id=tuple(np.array(study.case_id)[keep]),
        diseased=study.diseased[keep],
        lesion_case=(np.cumsum(keep) - 1)[study.lesion_case[lesions]],
        weight=study.weight[lesions],
        noise=study.noise[..., keep],
        signal=study.signal[..., lesions],
        marks=study.marks[..., keep],
        patient=np.unique(study.patient[keep], return_inverse=True)[1],
    )


def random_froc(seed: int, *, patients: bool = False) -> ReaderStudy:
    """Two modalities, two readers, 4 normal and 4 diseased cases, ratings with ties and much unmarked.

    With ``patients`` the cases are of five patients, each of one, two or three cases of either kind.
    """
    rng = np.random.default_rng(seed)
    lesion_case = np.sort(np.concatenate([np.arange(4, 8), rng.integers(4, 8, 3)]))
    weight = rng.uniform(0.2, 1, len(lesion_case))

    def ratings(number: int) -> np.ndarray:
        return np.where(rng.random((2, 2, number)) < 0.4, -np.inf, rng.integers(0, 4, (2, 2, number)).astype(float))

    noise = ratings(8)
    return ReaderStudy(
        "froc",
        ("m0", "m1"),
        ("r0", "r1"),
        tuple("abcdefgh"),
        np.arange(8) >= 4,
        lesion_case,
        weight / np.bincount(lesion_case, weights=weight, minlength=8)[lesion_case],
        noise,
        ratings(len(lesion_case)),
        np.isfinite(noise).astype(np.int64) * rng.integers(1, 4, noise.shape),
        np.array([0, 0, 1, 2, 0, 1, 3, 4]) if patients else np.arange(8),
    )


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    name=st.sampled_from([key for key, f in FIGURES.items() if "froc" in f.designs]),
    patients=st.booleans(),
)
def test_the_jackknife_is_the_figure_recomputed_without_each_patient(seed: int, name: str, patients: bool) -> None:
    study = random_froc(seed, patients=patients)
    found = merit(study, name)
    for place, unit in enumerate(found.unit):
        rest = merit(kept(study, study.patient != unit), name)
        np.testing.assert_allclose(found.jackknife[..., place], rest.value, atol=1e-12)
    np.testing.assert_allclose(found.pseudovalues.mean(axis=-1), found.value, atol=1e-12)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_the_auc_is_that_of_a_known_library_and_a_monotone_transform_changes_nothing(seed: int) -> None:
    rng = np.random.default_rng(seed)
    diseased = np.arange(12) % 3 == 0
    ratings = rng.integers(0, 5, (2, 3, 12)).astype(float)
    found = merit(roc_study(ratings, diseased), "wilcoxon")
    for place in np.ndindex(2, 3):
        assert found.value[place] == pytest.approx(roc_auc_score(diseased, ratings[place]), abs=1e-12)
    bent = merit(roc_study(np.exp(3 * ratings) - 7, diseased), "wilcoxon")
    assert np.array_equal(bent.value, found.value)
    assert np.array_equal(bent.covariance, found.covariance)


def test_one_lesion_a_case_and_no_false_mark_beside_it_makes_all_areas_equal() -> None:
    marks = [("m", "A", case, "NL", "", rating) for case, rating in zip("abc", (1, 2, 2), strict=True)]
    marks += [("m", "A", case, "LL", 1, rating) for case, rating in zip("xyz", (2, 3, 1), strict=True)]
    study = froc(marks, [(case, 1) for case in "xyz"], "abcxyz").study(least=1, readers=1)
    areas = [merit(study, name) for name in ("wafroc", "afroc", "inferred-roc")]
    assert areas[0].value == areas[1].value == areas[2].value
    assert np.array_equal(areas[0].covariance, areas[2].covariance)


@pytest.mark.parametrize(
    ("name", "drop", "expected"),
    [
        ("wafroc", (0,), "two or more non-diseased cases, since the jackknife leaves one out; there is one"),
        ("afroc", (3,), "two or more diseased cases, since the jackknife leaves one out; there is one"),
        ("max-llf", (3, 2), "two or more diseased cases, since the jackknife leaves one out; there is none"),
        ("max-nlf", (3, 2, 1), "two or more cases, since the jackknife leaves one out; there is one"),
    ],
)
def test_too_few_cases_are_named(name: str, drop: tuple[int, ...], expected: str) -> None:
    study = marked()
    for case in drop:
        study = without(study, case)
    with pytest.raises(HakkenError) as caught:
        merit(study, name)
    assert str(caught.value) == f"`{name}` needs {expected}"


def test_cases_of_one_patient_alone_are_named() -> None:
    study = replace(marked(), patient=np.array([0, 0, 1, 2]))
    with pytest.raises(HakkenError) as caught:
        merit(study, "wafroc")
    assert str(caught.value) == (
        "`wafroc` needs non-diseased cases of two or more patients, since the jackknife leaves one out; all 2 are of "
        "one"
    )
    assert merit(study, "max-llf").unit.tolist() == [1, 2]


def test_the_jackknife_over_patients_by_hand() -> None:
    """Patient 0 has a and c, patient 1 b and d: what is left is one noise and the lesions of one case."""
    study = replace(marked(), patient=np.array([0, 1, 0, 1]))
    # Without a and c: d1 over b, 1. Without b and d: c1 over a 1, c2 under a 0, halves.
    assert merit(study, "wafroc").jackknife[0, 0].tolist() == [1, 1 / 2]


def test_a_figure_of_another_design_is_named() -> None:
    with pytest.raises(HakkenError) as caught:
        merit(marked(), "wilcoxon")
    assert str(caught.value) == (
        "`wilcoxon` does not exist for froc ratings; choose one of inferred-roc, wafroc, afroc, wafroc1, afroc1, "
        "max-llf, max-nlf, max-nlf-normal"
    )


def test_fewer_false_marks_do_not_need_normal_cases() -> None:
    study = without(without(marked(), 0), 0)
    assert merit(study, "max-nlf").value.item() == 1 / 2
