from __future__ import annotations

import itertools
import math
from dataclasses import asdict

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from hakken.evaluation.readers import dbm, obuchowski_rockette
from hakken.evaluation.readers.intervals import difference, f_test, hillis, level, single_modality
from hakken.evaluation.readers.merit import Merit, merit
from hakken.evaluation.readers.standalone import compare

from .tables import by_hand, roc, roc_study, roe_metz


def analyse(ratings: np.ndarray, diseased: np.ndarray) -> obuchowski_rockette.Analysis:
    study = roc_study(ratings, diseased)
    return obuchowski_rockette.analyse(merit(study, "wilcoxon"), study.modality, study.reader)


def same(one: float | None, other: float | None) -> bool:
    """Whether two numbers are equal but for rounding; a null, where nothing varies, must be one in both."""
    if one is None or other is None:
        return one is other
    return math.isclose(one, other, rel_tol=1e-8, abs_tol=1e-9)


def test_the_components_by_hand() -> None:
    study = roc(by_hand()).study(["without", "with"])
    found = obuchowski_rockette.analyse(merit(study, "wilcoxon"), study.modality, study.reader)
    # theta = 7/8 1/2 | 1 3/4: row means 11/16 and 14/16, column means 15/16 and 10/16, mean 25/32.
    # MS(T) = 2 * 2 * (3/32)^2, MS(R) = 2 * 2 * (5/32)^2, MS(TR) = 4 * (1/32)^2 (each residual is 1/32).
    assert (found.components.ms_t, found.components.ms_r) == (9 / 256, 25 / 256)
    assert found.components.ms_tr == 1 / 256
    rrfc = found.inference["RRFC"]
    # F = 9 with 1 and 1 degrees of freedom, t = 3: p = 1 - 2/pi atan 3.
    assert (rrfc.test.f, rrfc.test.df1, rrfc.test.df2) == (9, 1, 1)
    assert rrfc.test.p == pytest.approx(1 - 2 / math.pi * math.atan(3), abs=1e-12)
    assert (rrfc.differences[0].estimate, rrfc.differences[0].of, rrfc.differences[0].minus) == (
        3 / 16,
        "with",
        "without",
    )
    assert rrfc.differences[0].se == pytest.approx(1 / 16)  # sqrt(2/2 * 1/256)


def test_the_covariance_by_hand() -> None:
    study = roc(by_hand()).study(["without", "with"])
    found = merit(study, "wilcoxon")
    # Reader A without: 1, 3/4, 3/4, 1 without each case, deviations 1/8: 3/4 * 4/64. Reader A with: 1 four times.
    assert found.covariance[0, 0, 0, 0] == 3 / 64
    assert found.covariance[1, 0, 1, 0] == 0
    # Reader B: without d1 or d2 1/2, without n1 0 (2 below 3), without n2 1; with 3/4, 3/4, 1/2, 1.
    assert found.covariance[0, 1, 0, 1] == pytest.approx(3 / 4 * (1 / 4 + 1 / 4))
    assert found.covariance[0, 1, 1, 1] == pytest.approx(3 / 4 * (1 / 2 * 1 / 4 + 1 / 2 * 1 / 4))
    var, cov1, cov2, cov3 = obuchowski_rockette.error_covariances(found.covariance)
    assert var == pytest.approx((3 / 64 + 0 + 3 / 8 + 3 / 4 * (1 / 16 + 1 / 16)) / 4)
    assert cov1 == pytest.approx((0 + 3 / 16) / 2)
    # A without (d1, d2, n1, n2) deviates 1/8 -1/8 -1/8 1/8, B without 0 0 -1/2 1/2, B with 0 0 -1/4 1/4.
    assert cov2 == pytest.approx(3 / 4 * (1 / 16 + 1 / 16) / 2)
    assert cov3 == pytest.approx(3 / 4 * (1 / 32 + 1 / 32) / 2)


seeds = st.integers(0, 10**6)


@settings(max_examples=30, deadline=None)
@given(seed=seeds, modalities=st.integers(2, 3))
def test_error_covariances_are_the_means_of_their_kind(seed: int, modalities: int) -> None:
    rng = np.random.default_rng(seed)
    found = merit(roc_study(rng.normal(size=(modalities, 3, 10)), np.arange(10) < 5), "wilcoxon").covariance
    kinds: dict[tuple[bool, bool], list[float]] = {}
    for i, j, k, m in itertools.product(range(modalities), range(3), range(modalities), range(3)):
        kinds.setdefault((i == k, j == m), []).append(found[i, j, k, m])
    expected = [np.mean(kinds[kind]) for kind in ((True, True), (False, True), (True, False), (False, False))]
    assert obuchowski_rockette.error_covariances(found) == pytest.approx(expected, abs=1e-15)


@settings(max_examples=40, deadline=None)
@given(seed=seeds, modalities=st.integers(2, 3))
@example(seed=318, modalities=2)  # no difference varies: null in both
def test_pseudovalues_and_covariances_lead_to_the_same_inference(seed: int, modalities: int) -> None:
    """Hillis, Obuchowski, Schartz and Berbaum 2005: with jackknife covariances RRRC and RRFC are the same."""
    rng = np.random.default_rng(seed)
    ratings = rng.normal(size=(modalities, 3, 14)).round(1) + rng.normal(size=14)
    study = roc_study(ratings, np.arange(14) < 6)
    measured = merit(study, "wilcoxon")
    one = obuchowski_rockette.analyse(measured, study.modality, study.reader)
    other = dbm.analyse(measured, study.modality)
    for scope in ("RRRC", "RRFC"):
        left, right = one.inference[scope], other.inference[scope]
        assert same(left.test.f, right.test.f)
        assert same(left.test.p, right.test.p)
        for first, second in zip(left.differences + left.levels, right.differences + right.levels, strict=True):
            assert same(first.low, second.low)
    # The variance of readers by modalities is the same number in both models.
    if one.components.cov2 > one.components.cov3:
        assert one.components.var_tr == pytest.approx(other.components.tr, abs=1e-12)


@settings(max_examples=30, deadline=None)
@given(seed=seeds)
def test_swapped_modalities_change_the_sign_alone(seed: int) -> None:
    ratings, diseased = roe_metz(np.random.default_rng(seed), 3, 8, 7)
    one, other = analyse(ratings, diseased), analyse(ratings[::-1], diseased)
    for scope in one.inference:
        here, there = one.inference[scope].differences[0], other.inference[scope].differences[0]
        assert here.estimate == pytest.approx(-there.estimate, abs=1e-15)
        assert same(here.p, there.p)
        assert same(here.low, None if there.high is None else -there.high)


@settings(max_examples=30, deadline=None)
@given(seed=seeds)
def test_the_order_of_readers_and_cases_changes_nothing(seed: int) -> None:
    rng = np.random.default_rng(seed)
    ratings, diseased = roe_metz(rng, 4, 8, 7)
    cases = rng.permutation(15)
    one, other = analyse(ratings, diseased), analyse(ratings[:, rng.permutation(4)][..., cases], diseased[cases])
    assert asdict(one.components) == pytest.approx(asdict(other.components), abs=1e-14)
    assert same(one.inference["RRRC"].test.p, other.inference["RRRC"].test.p)


@pytest.mark.parametrize("modalities", [2, 3])
def test_identical_modalities_differ_by_nothing_and_have_no_p(modalities: int) -> None:
    ratings, diseased = roe_metz(np.random.default_rng(1), 5, 20, 17)
    same = np.repeat(ratings[:1], modalities, axis=0)
    study = roc_study(same, diseased)
    measured = merit(study, "wilcoxon")
    for found in (
        obuchowski_rockette.analyse(measured, study.modality, study.reader),
        dbm.analyse(measured, study.modality),
    ):
        for inference in found.inference.values():
            assert (inference.test.f, inference.test.p) == (None, None)
            for step in inference.differences:
                assert (step.estimate, step.se, step.p, step.low) == (pytest.approx(0, abs=1e-15), 0, None, None)
            assert all(entry.low is not None for entry in inference.levels)


def test_an_interval_by_hand() -> None:
    # 4 degrees of freedom: the 97.5th percentile of t is 2.776445; of the normal distribution 1.959964.
    assert level("m", 0.5, 0.01, 4).low == pytest.approx(0.5 - 0.2776445, abs=1e-7)
    assert level("m", 0.5, 0.01, None).high == pytest.approx(0.5 + 0.1959964, abs=1e-7)
    assert level("m", 0.5, 0.0, 4) == level("m", 0.5, 1e-30, 4)
    assert level("m", 0.5, 0.0, 4).low is None
    assert difference("a", "b", 0.2, 0.01, 1).p == pytest.approx(1 - 2 / math.pi * math.atan(2))
    assert difference("a", "b", 0.2, 0.0, 1).p is None
    assert f_test(3.841459, 1.0, 1, None).p == pytest.approx(0.05, abs=1e-6)
    assert f_test(1.0, 0.0, 1, 5).f is None


def test_degrees_of_freedom_by_hand() -> None:
    assert hillis(3.0, 1.5, 4) == 16
    assert hillis(3.0, 3.0, 4) == 4
    assert hillis(3.0, 0.0, 4) is None


def test_one_modality_by_hand() -> None:
    # values 0.8 0.9 1: MS(R) 0.01; Var 0.003, Cov2 0.001. RRRC (0.01 + 3 * 0.001)/3, df (0.013/0.01)^2 * 2 = 3.38.
    covariance = np.full((3, 3), 0.001) + 0.002 * np.eye(3)
    found = single_modality(np.array([0.8, 0.9, 1.0]), covariance, "m")
    assert found["RRRC"].se == pytest.approx(math.sqrt(0.013 / 3))
    assert found["RRRC"].df == pytest.approx(3.38)
    assert found["FRRC"].se == pytest.approx(math.sqrt(0.005 / 3))
    assert found["FRRC"].df is None
    assert (found["RRFC"].se, found["RRFC"].df) == (pytest.approx(math.sqrt(0.01 / 3)), 2)


def test_a_negative_covariance_of_readers_counts_as_none() -> None:
    covariance = np.full((3, 3), -0.001) + 0.002 * np.eye(3)
    found = single_modality(np.array([0.8, 0.9, 1.0]), covariance, "m")
    assert found["RRRC"].se == found["RRFC"].se
    assert found["RRRC"].df == pytest.approx(2)


def test_three_modalities_have_three_pairs_and_one_test() -> None:
    rng = np.random.default_rng(0)
    found = analyse(rng.normal(size=(3, 4, 12)), np.arange(12) < 6)
    rrrc = found.inference["RRRC"]
    assert [(step.of, step.minus) for step in rrrc.differences] == [("m1", "m0"), ("m2", "m0"), ("m2", "m1")]
    assert rrrc.test.df1 == 2
    assert len(found.reader_differences) == 12


def test_a_system_without_variance_is_a_constant() -> None:
    """With a system of AUC 1/2 on any cases, the comparison is that of the readers' own level against 1/2."""
    ratings, diseased = roe_metz(np.random.default_rng(3), 5, 30, 30)
    readers = merit(roc_study(ratings[:1], diseased), "wilcoxon")
    system = merit(roc_study(np.zeros((1, 1, 60)), diseased), "wilcoxon")
    found = compare(system, readers, system_name="system", readers_name="readers", reader=tuple("ABCDE"))
    for scope, own in found.readers_level.items():
        assert found.difference[scope].estimate == pytest.approx(0.5 - own.estimate)
        assert found.difference[scope].se == pytest.approx(own.se)
        assert found.difference[scope].low == pytest.approx(0.5 - own.high)
    assert found.system_level.low is None


def test_a_system_that_reads_as_all_readers_do_differs_by_nothing() -> None:
    ratings, diseased = roe_metz(np.random.default_rng(3), 1, 30, 30)
    one = merit(roc_study(ratings[:1], diseased), "wilcoxon")
    many = merit(roc_study(np.repeat(ratings[:1], 3, axis=1), diseased), "wilcoxon")
    found = compare(one, many, system_name="system", readers_name="readers", reader=tuple("ABC"))
    assert {step.estimate for step in found.difference.values()} == {0}
    assert {step.p for step in found.difference.values()} == {None}


def test_a_system_against_readers_by_hand() -> None:
    study = roc(by_hand()).study(["without", "with"])
    both = merit(study, "wilcoxon")
    readers = Merit("wilcoxon", both.value[:1], both.jackknife[:1], both.unit)  # 7/8 and 1/2
    system = Merit("wilcoxon", both.value[1:, :1], both.jackknife[1:, :1], both.unit)  # 1, also without any case
    found = compare(system, readers, system_name="system", readers_name="without", reader=("A", "B"))
    # psi = 1/8 and 1/2: mean 5/16, MS(R) = 2 * (3/16)^2 = 9/128; t = 5/16 / sqrt(9/256) = 5/3 with 1 degree of freedom.
    assert found.ms_r == 9 / 128
    rrfc = found.difference["RRFC"]
    assert (rrfc.estimate, rrfc.t) == (5 / 16, pytest.approx(5 / 3))
    assert rrfc.p == pytest.approx(1 - 2 / math.pi * math.atan(5 / 3))
    # Var = (3/64 + 3/8)/2 and Cov2 = 3/4 * (1/16 + 1/16), of the readers alone, since the system has no variance.
    assert found.var == pytest.approx(27 / 128)
    assert found.cov2 == pytest.approx(3 / 32)
    first = found.reader_differences[0]
    assert (first.reader, first.difference.estimate) == ("A", 1 / 8)
    assert first.difference.se == pytest.approx(math.sqrt(3 / 64))
    assert found.difference["RRRC"].se == pytest.approx(math.sqrt((9 / 128 + 2 * 3 / 32) / 2))
    assert found.difference["FRRC"].se == pytest.approx(math.sqrt((27 / 128 + 3 / 32) / 2))


def test_the_test_keeps_its_level_under_roe_and_metz() -> None:
    """Under the null hypothesis 5 % of 600 studies are significant; three standard errors are 2.7 %."""
    rng = np.random.default_rng(2026)
    rejected = 0
    for _ in range(600):
        found = analyse(*roe_metz(rng, 5, 25, 25)).inference["RRRC"].test.p
        rejected += found is not None and found < 0.05
    assert 0.023 < rejected / 600 < 0.077
