from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from hakken.core.errors import HakkenError
from hakken.evaluation.anova import Anova, Effect, Factor, anova, cells_of, effects_of

Rows = Sequence[tuple[str, str, float]]

# Maxwell and Delaney, Designing Experiments and Analyzing Data, chapter 7: salaries by sex and college degree.
SALARIES: Mapping[tuple[str, str], list[float]] = {
    ("female", "degree"): [24, 26, 25, 24, 27, 24, 27, 23],
    ("female", "none"): [15, 17, 20, 16],
    ("male", "degree"): [25, 29, 27],
    ("male", "none"): [19, 18, 21, 20, 21, 22, 19],
}
# Neter, Wasserman and Kutner, Applied Linear Statistical Models, chapter 20: growth by sex and bone development.
GROWTH: Mapping[tuple[str, str], list[float]] = {
    ("male", "severe"): [1.4, 2.4, 2.2],
    ("male", "moderate"): [2.1, 1.7],
    ("male", "mild"): [0.7, 1.1],
    ("female", "severe"): [2.4],
    ("female", "moderate"): [2.5, 1.8, 2.0],
    ("female", "mild"): [0.5, 0.9, 1.3],
}


def table(cells: Mapping[tuple[str, ...], list[float]]) -> tuple[list[Factor], np.ndarray]:
    rows = [(levels, value) for levels, values in cells.items() for value in values]
    names = "ABCD"[: len(rows[0][0])]
    factors = [Factor.of(name, [levels[place] for levels, _ in rows]) for place, name in enumerate(names)]
    return factors, np.array([value for _, value in rows])


def random_table(seed: int, shape: tuple[int, ...] = (2, 3)) -> tuple[list[Factor], np.ndarray]:
    """An unbalanced table, every cell of it filled."""
    rng = np.random.default_rng(seed)
    cells = [tuple(map(str, place)) for place in np.ndindex(shape) for _ in range(rng.integers(1, 5))]
    cells += [tuple(map(str, place)) for place in list(np.ndindex(shape))[:2]]
    factors = [Factor.of("ABCD"[axis], [cell[axis] for cell in cells]) for axis in range(len(shape))]
    return factors, rng.normal(size=len(cells))


def rss(columns: Sequence[np.ndarray], y: np.ndarray) -> float:
    design = np.column_stack(columns)
    return float(((y - design @ np.linalg.lstsq(design, y, rcond=None)[0]) ** 2).sum())


def test_the_salaries_of_maxwell_and_delaney() -> None:
    found = anova(*table(SALARIES))
    assert [round(effect.ss, 3) for effect in found.type_iii] == [29.371, 264.336, 1.175]
    assert [round(effect.ss, 3) for effect in found.type_ii] == [30.462, 272.392, 1.175]
    assert [round(effect.f or 0, 3) for effect in found.type_iii] == [10.573, 95.161, 0.423]
    assert found.type_iii[0].p == pytest.approx(0.0044, abs=5e-5)
    assert (found.error_ss, found.error_df) == (pytest.approx(50), 18)


def test_the_growth_of_neter_wasserman_and_kutner() -> None:
    found = anova(*table(GROWTH))
    assert [round(effect.ss, 4) for effect in found.type_iii] == [0.12, 4.1897, 0.0754]
    assert [round(effect.f or 0, 2) for effect in found.type_iii] == [0.74, 12.89, 0.23]
    assert [effect.df for effect in found.type_iii] == [1, 2, 2]
    assert (found.error_ss, found.error_df) == (pytest.approx(1.3), 8)


def test_two_by_two_by_hand() -> None:
    # The example of docs/reference/anova.md. Means: A1B1 2, A1B2 4, A2B1 6, A2B2 12, with 2, 1, 1, 2 observations.
    found = anova(*table({("1", "1"): [1, 3], ("1", "2"): [4], ("2", "1"): [6], ("2", "2"): [11, 13]}))
    # Error: (1 + 1) + 0 + 0 + (1 + 1) = 4 with 6 - 4 = 2 degrees of freedom.
    assert (found.error_ss, found.error_df, found.error_ms) == (pytest.approx(4), 2, pytest.approx(2))
    # With one degree of freedom a Type III sum of squares is psi^2 / sum(c^2 / n); sum(1/n) = 1/2 + 1 + 1 + 1/2 = 3.
    # A: psi = (6 + 12 - 2 - 4) = 12, 144 / 3. B: (4 + 12 - 2 - 6) = 8, 64 / 3. AB: (2 - 4 - 6 + 12) = 4, 16 / 3.
    assert [effect.ss for effect in found.type_iii] == [pytest.approx(value) for value in (48, 64 / 3, 16 / 3)]
    assert [effect.f for effect in found.type_iii] == [pytest.approx(value) for value in (24, 32 / 3, 8 / 3)]
    assert found.type_iii[0].partial_eta_squared == pytest.approx(48 / 52)
    assert found.type_iii[0].p == pytest.approx(stats.f.sf(24, 1, 2))
    # Type II, A given B: within B1 the means differ by 6 - 2 = 4, within B2 by 12 - 4 = 8, each with weight
    # 1 / (1 + 1/2) = 2/3; their mean is 6 and the sum of squares 6^2 * (2/3 + 2/3) = 48. B given A: within A1 2,
    # within A2 6, weights 2/3: mean 4, 16 * 4/3 = 64/3.
    assert [effect.ss for effect in found.type_ii] == [pytest.approx(value) for value in (48, 64 / 3, 16 / 3)]


def test_type_two_and_three_differ_where_cells_do() -> None:
    found = anova(*table({("1", "1"): [1, 3, 2], ("1", "2"): [4], ("2", "1"): [6], ("2", "2"): [11, 13]}))
    # A given B: differences 6 - 2 = 4 with weight 1 / (1 + 1/3) = 3/4 and 12 - 4 = 8 with weight 2/3. Their mean is
    # (3 + 16/3) / (17/12) = 100/17 and the sum of squares (100/17)^2 * 17/12 = 10000/204.
    assert found.type_ii[0].ss == pytest.approx(10_000 / 204)
    # Type III: psi = 12 as above, sum(1/n) = 1/3 + 1 + 1 + 1/2 = 17/6: 144 * 6/17.
    assert found.type_iii[0].ss == pytest.approx(144 * 6 / 17)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("shape", [(2, 3), (3, 2, 2)])
def test_sums_of_squares_are_differences_of_least_squares_fits(seed: int, shape: tuple[int, ...]) -> None:
    factors, y = random_table(seed, shape)
    found = anova(factors, y)
    terms = effects_of(len(shape))
    blocks = {}
    for term in terms:  # deviation coding written out: +1, -1 for the last level, 0 else; products for interactions
        columns = [np.ones(len(y))]
        for place in term:
            k = shape[place]
            codes = [
                (factors[place].index == level).astype(float) - (factors[place].index == k - 1)
                for level in range(k - 1)
            ]
            columns = [column * code for column in columns for code in codes]
        blocks[term] = columns

    def together(chosen: Iterable[tuple[int, ...]]) -> list[np.ndarray]:
        return [np.ones(len(y)), *(column for term in chosen for column in blocks[term])]

    whole = rss(together(terms), y)
    assert found.error_ss == pytest.approx(whole)
    for place, term in enumerate(terms):
        others = together(other for other in terms if other != term)
        assert found.type_iii[place].ss == pytest.approx(rss(others, y) - whole)
        apart = together(other for other in terms if not set(term) <= set(other))
        assert found.type_ii[place].ss == pytest.approx(rss(apart, y) - rss(apart + blocks[term], y))
        assert found.type_ii[place].f == pytest.approx(
            found.type_ii[place].ss / len(blocks[term]) / (whole / found.error_df)
        )


def test_a_balanced_one_way_table_is_that_of_scipy() -> None:
    groups = [[6.0, 8, 4, 5, 3, 4], [8.0, 12, 9, 11, 6, 8], [13.0, 9, 11, 8, 7, 12]]
    found = anova(*table({(str(number),): values for number, values in enumerate(groups)}))
    expected = stats.f_oneway(*groups)
    assert found.type_ii == found.type_iii
    assert (found.type_iii[0].f, found.type_iii[0].p) == (
        pytest.approx(expected.statistic),
        pytest.approx(expected.pvalue),
    )


def test_the_order_leaves_interactions_out() -> None:
    factors, y = random_table(1, (2, 2, 2))
    assert effects_of(3, 2) == ((0,), (1,), (2,), (0, 1), (0, 2), (1, 2))
    found = anova(factors, y, 1)
    assert [effect.effect for effect in found.type_iii] == ["A", "B", "C"]
    assert [effect.ss for effect in found.type_ii] == [pytest.approx(effect.ss) for effect in found.type_iii]
    assert found.error_df == len(y) - 4


def by_name(found: Anova) -> dict[str, tuple[Effect, Effect]]:
    return {one.effect: (one, other) for one, other in zip(found.type_ii, found.type_iii, strict=True)}


@given(st.integers(0, 10_000), st.floats(-100, 100), st.floats(0.01, 100), st.booleans(), st.permutations(range(3)))
def test_f_does_not_change_with_the_unit_or_the_names_of_levels(
    seed: int, shift: float, scale: float, turned: bool, order: list[int]
) -> None:
    factors, y = random_table(seed)
    found = by_name(anova(factors, y))
    renamed = Factor("B", factors[1].levels, np.array(order)[factors[1].index])
    other = by_name(anova([factors[0], renamed], shift + (-scale if turned else scale) * y))
    swapped = by_name(anova(factors[::-1], y))
    for name, effects in found.items():
        for one, two, three in zip(effects, other[name], swapped[":".join(reversed(name.split(":")))], strict=True):
            assert two.f == pytest.approx(one.f, rel=1e-6, abs=1e-9)
            assert two.partial_eta_squared == pytest.approx(one.partial_eta_squared, rel=1e-6, abs=1e-9)
            assert two.ss == pytest.approx(scale**2 * one.ss, rel=1e-6, abs=1e-9)
            assert three.f == pytest.approx(one.f, abs=1e-9)
            assert three.df == one.df


def test_levels_ascend_where_they_are_numbers_and_else_keep_their_order() -> None:
    assert Factor.of("mm", ["10", "2", "0.5", "2"]).levels == ("0.5", "2", "10")
    assert Factor.of("network", ["b", "a", "b"]).levels == ("b", "a")
    assert Factor.of("mixed", ["10", "two"]).index.tolist() == [0, 1]


def test_the_cells() -> None:
    cells = cells_of(*table(GROWTH))
    assert [cell.levels for cell in cells][:2] == [("male", "severe"), ("male", "moderate")]
    assert [cell.n for cell in cells] == [3, 2, 2, 1, 3, 3]
    assert (cells[0].mean, cells[3].sd) == (pytest.approx(2.0), None)
    assert cells[1].sd == pytest.approx(np.sqrt(0.08))


@pytest.mark.parametrize("values", [[1.0, 1, 2, 2], [0.1 + 0.2, 0.3, 0.7, 0.7], [5.0, 5, 5, 5], [1e9, 1e9, 2e9, 2e9]])
def test_without_error_there_is_no_f(values: list[float]) -> None:
    factors = [Factor.of("A", ["x", "x", "y", "y"])]
    [effect] = anova(factors, np.array(values)).type_iii
    assert (effect.f, effect.p, effect.partial_eta_squared) == (None, None, None)


@pytest.mark.parametrize(
    ("cells", "order", "message"),
    [
        (
            {("1", "1"): [1, 2], ("1", "2"): [3, 4], ("2", "1"): [5, 7]},
            None,
            "effect A:B cannot be told from the others (it is aliased): no row has A = 2, B = 2; "
            "fill the cells, or lower the order of the interactions",
        ),
        (
            {("1", "x"): [1, 2], ("2", "y"): [3, 4]},
            1,
            "effect B cannot be told from the others (it is aliased): no row has A = 1, B = y; A = 2, B = x; "
            "fill the cells, or lower the order of the interactions",
        ),
        (
            {(str(level), str(level)): [1.0, 2.0] for level in range(3)},
            None,
            "effect B cannot be told from the others (it is aliased): no row has A = 0, B = 1; A = 0, B = 2; "
            "A = 1, B = 0 and 3 cells more; fill the cells, or lower the order of the interactions",
        ),
        (
            {("1", "1"): [1], ("1", "2"): [3], ("2", "1"): [5], ("2", "2"): [6]},
            None,
            "4 rows for as many parameters leave no degree of freedom for the error; repeat the observations, or lower "
            "the order of the interactions",
        ),
        (SALARIES, 3, "order 3: use 1 (main effects alone) to 2, the number of factors"),
    ],
)
def test_what_cannot_be_tested_is_named(
    cells: Mapping[tuple[str, ...], list[float]], order: int | None, message: str
) -> None:
    with pytest.raises(HakkenError) as caught:
        anova(*table(cells), order)
    assert str(caught.value) == message


def test_an_empty_cell_is_no_matter_where_its_interaction_is_left_out() -> None:
    cells = {("1", "1"): [1.0, 2], ("1", "2"): [3.0, 4], ("2", "1"): [5.0, 7]}
    found = anova(*table(cells), 1)
    assert [effect.df for effect in found.type_iii] == [1, 1]
    assert found.cells[3].n == 0 and found.cells[3].mean is None


def test_an_empty_cell_of_two_factors_is_named_without_the_third() -> None:
    cells = {place: [1.0, 2.0] for place in itertools.product("12", "12", "12") if place[:2] != ("2", "2")}
    with pytest.raises(HakkenError, match=r"^effect A:B cannot .*: no row has A = 2, B = 2; fill the cells"):
        anova(*table(cells), 2)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (["a", "a"], "factor network: one level (a) in every row; a factor needs two levels or more"),
        ([], "factor network: no row; a factor needs two levels or more"),
    ],
)
def test_a_factor_needs_levels(values: list[str], message: str) -> None:
    with pytest.raises(HakkenError) as caught:
        Factor.of("network", values)
    assert str(caught.value) == message
