from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from hakken.core.errors import HakkenError
from hakken.evaluation.anova import Factor, anova
from hakken.evaluation.bootstrap import draw
from hakken.evaluation.intervals import cell_intervals, within_intervals
from hakken.evaluation.repeated import (
    Repeated,
    arrange,
    compare_levels,
    cousineau_morey,
    holm,
    repeated_measures,
    signed_ranks,
)

# Maxwell and Delaney, chapter 11: McCarthy scores of 12 children at 30, 36, 42 and 48 months.
MONTHS = """108 96 110 122 103 117 127 133 96 107 106 107 84 85 92 99 118 125 125 116 110 107 96 91
129 128 123 128 90 84 101 113 84 104 100 88 96 100 103 105 105 114 105 112 113 117 132 130"""
# Chapter 12: reaction times of 10 subjects without and with noise, at angles of 0, 4 and 8 degrees.
NOISE = """420 420 480 480 600 780 420 480 480 360 480 600 480 480 540 660 780 780 420 540 540 480 780 900
540 660 540 480 660 720 360 420 360 360 480 540 480 480 600 540 720 840 480 600 660 540 720 900
540 600 540 480 720 780 480 420 540 540 660 780"""
# Winer, Statistical Principles in Experimental Design, chapter 4: reaction times of 5 subjects under 4 drugs.
DRUGS = "30 28 16 34 14 18 10 22 24 20 18 30 38 34 20 44 26 28 14 30"


def given_(values: np.ndarray, *names: str) -> Repeated:
    """A table of (cases, levels ...) as it is read from rows."""
    places = list(np.ndindex(values.shape))
    factors = [Factor.of(name, [str(place[axis + 1]) for place in places]) for axis, name in enumerate(names)]
    return arrange([f"c{place[0]}" for place in places], factors, values.ravel(), "t.csv")


def numbers(text: str, *shape: int) -> np.ndarray:
    return np.array(text.split(), float).reshape(-1, *shape)


def test_the_scores_of_maxwell_and_delaney() -> None:
    [found] = repeated_measures(given_(numbers(MONTHS, 4), "months"))
    assert (found.ss, found.df, found.error_ss, found.error_df) == (pytest.approx(552), 3, pytest.approx(2006), 33)
    assert found.f is not None and round(found.f, 2) == 3.03
    assert found.epsilon is not None and round(found.epsilon, 3) == 0.610
    assert (round(found.p or 0, 3), round(found.p_corrected or 0, 3)) == (0.043, 0.075)


def test_the_reaction_times_of_maxwell_and_delaney() -> None:
    found = repeated_measures(given_(numbers(NOISE, 2, 3), "noise", "angle"))
    assert [effect.effect for effect in found] == ["noise", "angle", "noise:angle"]
    assert [round(effect.f or 0, 2) for effect in found] == [33.77, 40.72, 45.31]
    assert [(effect.df, effect.error_df) for effect in found] == [(1, 9), (2, 18), (2, 18)]
    assert [round(effect.epsilon or 0, 3) for effect in found] == [1, 0.962, 0.904]


def test_the_drugs_of_winer() -> None:
    [found] = repeated_measures(given_(numbers(DRUGS, 4), "drug"))
    assert (round(found.ss, 2), round(found.error_ss, 2), round(found.f or 0, 2)) == (698.2, 112.8, 24.76)


def test_three_cases_by_hand() -> None:
    # The example of docs/reference/anova.md: levels a, b, c of three cases.
    values = np.array([[1.0, 3, 5], [2, 4, 9], [3, 5, 4]])
    [found] = repeated_measures(given_(values, "network"))
    # Means a 2, b 4, c 6, grand mean 4; SS = 3 * (4 + 0 + 4) = 24. Means of the cases 3, 5, 4. What remains,
    # y - case - level + 4: (0, 0, 0), (-1, -1, 2), (1, 1, -2): SS = 6 + 6 = 12 with 2 * 2 degrees of freedom.
    assert (found.ss, found.df, found.error_ss, found.error_df) == (pytest.approx(24), 2, pytest.approx(12), 4)
    assert (found.f, found.partial_eta_squared) == (pytest.approx(4), pytest.approx(2 / 3))
    # All that remains lies on one line, (1, 1, -2): the covariance has rank 1 and epsilon is 1 / 2.
    assert found.epsilon == pytest.approx(0.5)
    assert found.p == pytest.approx(1 / 9)  # F with 2 and 4: (1 + f / 2)^-2
    assert found.p_corrected == pytest.approx(stats.f.sf(4, 1, 2))


@pytest.mark.parametrize("shape", [(6, 3, 2), (5, 2, 2, 2)])
def test_effects_are_those_of_a_model_with_the_case_as_a_factor(shape: tuple[int, ...]) -> None:
    values = np.random.default_rng(2).normal(size=shape)
    given_table = given_(values, *"ABC"[: len(shape) - 1])
    case = Factor.of("case", [str(place[0]) for place in np.ndindex(shape)])
    doubled = [Factor(f.name, f.levels, np.tile(f.index, 2)) for f in (case, *given_table.factors)]
    noise = np.tile([1.0, -1.0], (values.size, 1)).T.ravel()  # replicates of +-1, so that there is an error
    model = {effect.effect: effect for effect in anova(doubled, np.tile(values.ravel(), 2) + noise).type_iii}
    for effect in repeated_measures(given_table):
        own, error = model[effect.effect], model[f"case:{effect.effect}"]
        assert (2 * effect.ss, effect.df) == (pytest.approx(own.ss), own.df)
        assert (2 * effect.error_ss, effect.error_df) == (pytest.approx(error.ss), error.df)


@given(st.integers(0, 10_000), st.integers(3, 6), st.integers(2, 4))
def test_epsilon_is_between_its_bounds_and_that_of_the_covariance_of_the_levels(seed: int, n: int, k: int) -> None:
    values = np.random.default_rng(seed).normal(size=(n, k))
    [found] = repeated_measures(given_(values, "A"))
    assert found.epsilon is not None
    assert 1 / (k - 1) - 1e-9 <= found.epsilon <= 1 + 1e-9
    # Box's formula on the covariance S of the levels (Maxwell and Delaney, chapter 11).
    s = np.cov(values.T)
    above = k**2 * (np.trace(s) / k - s.mean()) ** 2
    below = (k - 1) * ((s**2).sum() - 2 * k * (s.mean(axis=1) ** 2).sum() + k**2 * s.mean() ** 2)
    assert found.epsilon == pytest.approx(above / below)


@given(st.integers(0, 10_000), st.floats(-50, 50), st.floats(0.01, 50), st.permutations(range(3)))
def test_f_does_not_change_with_unit_order_or_the_level_of_a_case(
    seed: int, shift: float, scale: float, order: list[int]
) -> None:
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(5, 2, 3))
    found = repeated_measures(given_(values, "A", "B"))
    other = shift + scale * values[:, :, order] + rng.normal(size=(5, 1, 1))
    for one, two in zip(found, repeated_measures(given_(other, "A", "B")), strict=True):
        assert (two.f, two.epsilon) == (pytest.approx(one.f, rel=1e-6, abs=1e-9), pytest.approx(one.epsilon, rel=1e-6))
        assert two.p_corrected == pytest.approx(one.p_corrected, rel=1e-6)


def test_two_levels_are_a_paired_t_test() -> None:
    values = np.random.default_rng(3).normal(size=(8, 2))
    [effect] = repeated_measures(given_(values, "A"))
    [pair] = compare_levels(given_(values, "A"), np.arange(8), draw(8, 200, 0))
    expected = stats.ttest_rel(values[:, 0], values[:, 1])
    ends = expected.confidence_interval()
    assert pair.t is not None and pair.t_interval is not None and pair.p_t is not None
    assert effect.f == pytest.approx(pair.t**2)
    assert (pair.t, pair.p_t) == (pytest.approx(expected.statistic), pytest.approx(expected.pvalue))
    assert pair.t_interval == (pytest.approx(ends.low), pytest.approx(ends.high))
    assert (effect.epsilon, effect.p_corrected) == (1, pytest.approx(pair.p_t))


def test_pairs_of_levels_are_compared_over_cases() -> None:
    values = np.array([[1.0, 3, 5], [2, 4, 9], [3, 5, 4]])
    found = compare_levels(given_(values, "network"), np.arange(3), draw(3, 500, 1))
    assert [(one.level, one.reference) for one in found] == [("0", "1"), ("0", "2"), ("1", "2")]
    assert [one.mean.value for one in found] == [pytest.approx(-2), pytest.approx(-4), pytest.approx(-2)]
    # 0 - 1 is -2 in every case: no variation, no t. 0 - 2: -4, -7, -1, SD 3, t = -4 / (3 / sqrt(3)).
    assert (found[0].t, found[0].p_t, found[0].t_interval, found[0].sd) == (None, None, None, 0)
    assert found[1].t == pytest.approx(-4 / np.sqrt(3))
    # Wilcoxon: all three differences negative, W+ = 0, p = 2 / 8; 1 - 2: -2, -5, 1 with ranks 2, 3, 1: W+ = 1, of
    # the 8 choices of signs 2 have a sum of 1 or less: p = 4 / 8.
    assert [(one.w, one.p_wilcoxon) for one in found] == [(0, 0.25), (0, 0.25), (1, 0.5)]
    assert [one.p_wilcoxon_holm for one in found] == [0.75, 0.75, 0.75]
    assert found[0].p_t_holm is None
    # Of the other two p-values the smaller is doubled and the greater is at least that.
    assert found[1].p_t_holm == pytest.approx(2 * (found[1].p_t or 0))
    assert found[2].p_t_holm == pytest.approx(max(found[2].p_t or 0, 2 * (found[1].p_t or 0)))


def test_levels_are_averaged_over_the_other_factors_and_patients_are_drawn() -> None:
    values = np.random.default_rng(4).normal(size=(6, 2, 3))
    patient = np.array([0, 0, 1, 1, 2, 2])
    counts = draw(3, 400, 7)
    found = compare_levels(given_(values, "A", "B"), patient, counts)
    assert [one.factor for one in found] == ["A", "B", "B", "B"]
    difference = values.mean(axis=2) @ [1, -1]
    assert found[0].mean.value == pytest.approx(difference.mean())
    replicates = [np.repeat(difference, row[patient]).mean() for row in counts]
    ends = np.quantile(replicates, (0.025, 0.975))
    assert (found[0].mean.low, found[0].mean.high) == (pytest.approx(ends[0]), pytest.approx(ends[1]))


@given(st.lists(st.integers(-4, 4), min_size=1, max_size=9))
def test_signed_ranks_count_every_choice_of_signs(values: list[int]) -> None:
    differences = np.array(values, float)
    w, method, p = signed_ranks(differences)
    some = differences[differences != 0]
    if not len(some):
        assert (w, method, p) == (None, None, None)
        return
    ranks = stats.rankdata(np.abs(some))
    sums = np.array([ranks[np.array(signs)].sum() for signs in itertools.product([False, True], repeat=len(some))])
    assert (w, method) == (ranks[some > 0].sum(), "exact")
    assert p == pytest.approx(min(1, 2 * min((sums <= w).mean(), (sums >= w).mean())))
    assert signed_ranks(-differences)[2] == pytest.approx(p)


@pytest.mark.parametrize("n", [5, 20, 50])
def test_signed_ranks_without_ties_are_those_of_scipy(n: int) -> None:
    values = np.random.default_rng(n).normal(0.3, 1, n)
    assert signed_ranks(values)[2] == pytest.approx(stats.wilcoxon(values, method="exact").pvalue)


def test_many_signed_ranks_are_taken_as_normal() -> None:
    values = np.round(np.random.default_rng(5).normal(0.2, 1, 80), 1)
    some = values[values != 0]
    ranks = stats.rankdata(np.abs(some))
    n, ties = len(some), np.unique(np.abs(some), return_counts=True)[1]
    variance = n * (n + 1) * (2 * n + 1) / 24 - (ties**3 - ties).sum() / 48
    z = (ranks[some > 0].sum() - n * (n + 1) / 4) / np.sqrt(variance)
    w, method, p = signed_ranks(values)
    assert (w, method, p) == (ranks[some > 0].sum(), "normal", pytest.approx(2 * stats.norm.sf(abs(z))))


def test_holm_by_hand() -> None:
    # Sorted 0.01, 0.02, 0.03, 0.04 times 4, 3, 2, 1: 0.04, 0.06, 0.06, 0.04; no smaller than the one before.
    assert holm([0.04, 0.01, 0.03, 0.02]) == [pytest.approx(value) for value in (0.06, 0.04, 0.06, 0.06)]
    assert holm([0.5, None, 0.6]) == [1, None, 1]
    assert holm([]) == []


def test_within_case_intervals_leave_out_the_level_of_the_case() -> None:
    values = np.array([[1.0, 2], [11, 13], [21, 21]])
    mean, half = cousineau_morey(values)
    assert mean.tolist() == [11, 12]
    # Differences 1, 2, 0 have SD 1; each condition gets SD / 2 * sqrt(2 / 1), so 2 sqrt(...) is that of a difference.
    assert half == pytest.approx(stats.t.ppf(0.975, 2) * 0.5 * np.sqrt(2 / 3) * np.ones(2))


@given(st.integers(0, 10_000), st.integers(2, 5))
def test_of_two_levels_the_interval_is_that_of_their_difference_over_root_two(seed: int, n: int) -> None:
    values = np.random.default_rng(seed).normal(size=(n + 1, 2))
    half = cousineau_morey(values)[1]
    difference = values @ [1, -1]
    t = stats.t.ppf(0.975, n)
    assert half == pytest.approx(t * difference.std(ddof=1) / np.sqrt(n + 1) / np.sqrt(2))


def test_intervals_for_the_plot() -> None:
    factors = [Factor.of("A", ["1", "1", "1", "2", "2", "2"]), Factor.of("B", ["1", "1", "2", "1", "2", "2"])]
    means = cell_intervals(factors, np.array([1.0, 3, 4, 6, 11, 13]))
    # The example of docs/reference/anova.md: mean square of the error 2 with 2 degrees of freedom.
    t = stats.t.ppf(0.975, 2)
    np.testing.assert_allclose(means.mean, [[2, 4], [6, 12]])
    np.testing.assert_allclose(means.half, t * np.sqrt([[1, 2], [2, 1]]))
    gap = cell_intervals(factors, np.array([1.0, 3, 4, 6, 11, 13]), 1)
    assert np.isfinite(gap.half).all()
    empty = [Factor(factor.name, factor.levels, factor.index[:4]) for factor in factors]
    found = cell_intervals(empty, np.array([1.0, 3, 4, 6]), 1)
    assert np.isnan([found.mean[1, 1], found.half[1, 1]]).all()
    assert np.isfinite(found.mean[0]).all()


def test_a_fourth_factor_is_averaged_over() -> None:
    rng = np.random.default_rng(6)
    values = rng.normal(size=(4, 2, 2, 2, 3))
    shown = within_intervals(given_(values, *"ABCD"))
    assert shown.mean.shape == (2, 2, 2)
    np.testing.assert_allclose(shown.mean, values.mean(axis=(0, 4)))
    places = list(np.ndindex(2, 2, 2, 2, 2))
    factors = [Factor.of("ABCD"[axis], [str(place[axis]) for place in places]) for axis in range(4)]
    y = rng.normal(size=len(places))
    means = cell_intervals(factors, y)
    found = anova(factors, y)
    np.testing.assert_allclose(means.mean, y.reshape(2, 2, 2, 2, 2).mean(axis=(3, 4)))
    # Two combinations of two observations each: sqrt(MS (1/2 + 1/2)) / 2.
    expected = stats.t.ppf(0.975, found.error_df) * np.sqrt(found.error_ms) / 2
    np.testing.assert_allclose(means.half, expected)


def test_cases_that_respond_alike_leave_no_error() -> None:
    values = np.array([[1.0, 2, 4]]).T.T + np.array([[0.1], [0.2], [0.3]])
    [found] = repeated_measures(given_(values, "A"))
    assert (found.f, found.p, found.epsilon, found.p_corrected) == (None, None, None, None)
    assert found.ss > 0
    same = compare_levels(given_(np.full((3, 2), 0.7), "A"), np.arange(3), draw(3, 10, 0))[0]
    assert (same.t, same.w, same.p_wilcoxon, same.p_t_holm) == (None, None, None, None)
    assert same.mean.value == 0


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (
            [("c", "x"), ("c", "y"), ("d", "x"), ("c", "y")],
            "t.csv, row 5: case `c` with network = y stands already in row 3; keep one, or average them",
        ),
        (
            [("c", "x"), ("c", "y"), ("d", "x"), ("e", "x")],
            "t.csv: case `d` has no row with network = y (2 of 3 cases are incomplete); each case needs every "
            "combination of levels",
        ),
        ([("c", "x"), ("c", "y")], "t.csv: one case (c); effects within cases need two or more"),
    ],
)
def test_what_is_no_complete_design_is_named(rows: list[tuple[str, str]], message: str) -> None:
    factor = Factor.of("network", [level for _, level in rows])
    with pytest.raises(HakkenError) as caught:
        arrange([case for case, _ in rows], [factor], np.arange(float(len(rows))), "t.csv")
    assert str(caught.value) == message
