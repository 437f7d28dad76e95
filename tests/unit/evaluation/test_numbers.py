"""Bias, error, slope and skill of numbers: worked by hand, and what always holds of them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from hakken.evaluation.numbers import MEASURES, Answers, drawn_skills, fifth_of, measure_numbers, skill_of

TRUTH = np.array([1.0, 2, 3, 4, 5])


def answers(
    truth: np.ndarray, answer: np.ndarray, patient: list[int] | None = None, level: list[int] | None = None
) -> Answers:
    """Answers, by default each of a patient of its own and all of one level."""
    count = len(truth)
    levels = np.array(level if level is not None else [0] * count, np.int64)
    return Answers(
        truth,
        answer,
        np.array(patient if patient is not None else range(count), np.int64),
        levels,
        tuple(str(number) for number in range(int(levels.max()) + 1)) if level is not None else ("",),
    )


def values(given: Answers, level: str = "", fifth: int = 0) -> dict[str, float | None]:
    found = measure_numbers(given, 100, 0).of(level, fifth)
    return {name: found.measures[name].value for name in MEASURES}


def test_by_hand() -> None:
    """Errors 1, 0, 0, 0, 1: bias 2/5, mean square 2/5, SD of the error sqrt(2/5 - 4/25), SD of the truth sqrt(2)."""
    found = values(answers(TRUTH, np.array([2.0, 2, 3, 4, 6])))
    assert found == {
        "bias": pytest.approx(0.4),
        "rmse": pytest.approx(np.sqrt(0.4)),
        "sd": pytest.approx(np.sqrt(0.24)),
        "slope": pytest.approx(1.0),  # (2 + 4 + 9 + 16 + 30) / 5 - 3 * 3.4 = 2, of the variance 2
        "skill": pytest.approx(1 - np.sqrt(0.2)),
    }


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (TRUTH, {"bias": 0, "rmse": 0, "sd": 0, "slope": 1, "skill": 1}),
        (np.full(5, 3.0), {"bias": 0, "rmse": np.sqrt(2), "sd": np.sqrt(2), "slope": 0, "skill": 0}),
        (TRUTH + 7, {"bias": 7, "rmse": 7, "sd": 0, "slope": 1, "skill": 1 - 7 / np.sqrt(2)}),
        (3 + (TRUTH - 3) / 2, {"bias": 0, "rmse": np.sqrt(0.5), "sd": np.sqrt(0.5), "slope": 0.5, "skill": 0.5}),
        (-TRUTH, {"bias": -6, "rmse": np.sqrt(44), "sd": np.sqrt(8), "slope": -1, "skill": 1 - np.sqrt(22)}),
    ],
    ids=["perfect", "the mean", "moved", "shrunk", "turned"],
)
def test_what_each_measure_tells(answer: np.ndarray, expected: dict[str, float]) -> None:
    assert values(answers(TRUTH, answer)) == {name: pytest.approx(value, abs=1e-12) for name, value in expected.items()}


def test_a_truth_that_does_not_vary_has_neither_slope_nor_skill() -> None:
    found = values(answers(np.full(4, 2.0), np.array([1.0, 2, 3, 4])))
    assert (found["slope"], found["skill"], found["bias"]) == (None, None, 0.5)


def test_fifths_are_of_the_truth_of_all_numbers() -> None:
    assert fifth_of(np.arange(10.0)).tolist() == [1, 1, 2, 2, 3, 3, 4, 4, 5, 5]
    assert fifth_of(np.array([1.0, 1, 1, 1])).tolist() == [5, 5, 5, 5]


def test_levels_and_fifths_are_measured_apart() -> None:
    given = answers(np.arange(10.0), np.arange(10.0) + [1, 0] * 5, level=[0, 1] * 5)
    measured = measure_numbers(given, 100, 0)
    assert [(one.level, one.fifth) for one in measured.strata[:7]] == [*(("", n) for n in range(6)), ("0", 0)]
    assert [values(given, level)["bias"] for level in ("", "0", "1")] == [0.5, 1, 0]
    assert [values(given, "", fifth)["bias"] for fifth in (1, 5)] == [0.5, 0.5]
    assert measured.of("0", 2).numbers == 1
    assert measured.of("0", 2).mean_truth == 2


def test_a_stratum_without_numbers_is_none() -> None:
    given = answers(TRUTH, TRUTH, level=[0, 0, 0, 0, 1])
    known = {(one.level, one.fifth) for one in measure_numbers(given, 100, 0).strata}
    assert ("1", 5) in known
    assert ("1", 1) not in known


def test_numbers_of_a_patient_stay_together() -> None:
    """Of two patients, with skills of their own: a resample is one of them twice, or both."""
    truth = np.array([0.0, 2, 0, 2])
    given = answers(truth, np.array([0.0, 2, 1, 1]), patient=[0, 0, 1, 1])
    drawn = drawn_skills(given, 400, 3)
    assert set(np.round(drawn, 9)) == {0.0, round(1 - np.sqrt(0.5), 9), 1.0}
    assert (drawn == 1).mean() == pytest.approx(1 / 4, abs=0.08)


def test_one_patient_has_no_interval() -> None:
    found = measure_numbers(answers(TRUTH, TRUTH + 1, patient=[0] * 5), 100, 0)
    assert len(found.skills) == 0
    assert found.of().measures["bias"].low is None


def test_the_same_seed_gives_the_same_intervals() -> None:
    given = answers(TRUTH, np.array([2.0, 2, 3, 4, 6]))
    first, second, other = (measure_numbers(given, 100, seed) for seed in (1, 1, 2))
    assert first.strata == second.strata
    assert first.strata != other.strata
    ends = first.of().measures["bias"]
    assert ends.low is not None and ends.high is not None
    assert ends.low <= 0.4 <= ends.high


NUMBERS = st.lists(
    st.tuples(st.floats(-100, 100), st.floats(-100, 100), st.integers(0, 3), st.integers(0, 2)), min_size=4, max_size=30
)


def of_rows(rows: list[tuple[float, float, int, int]]) -> Answers:
    truth, answer, patient, level = (np.array(column) for column in zip(*rows, strict=True))
    numbered = np.unique(patient, return_inverse=True)[1]
    return Answers(truth.astype(float), answer.astype(float), numbered, level.astype(np.int64), ("a", "b", "c"))


@given(NUMBERS)
def test_the_strata_add_up_to_the_whole(rows: list[tuple[float, float, int, int]]) -> None:
    given = of_rows(rows)
    measured = measure_numbers(given, 100, 0)
    whole = measured.of()
    assert whole.numbers == len(rows)
    for strata in (
        [one for one in measured.strata if one.level and not one.fifth],
        [one for one in measured.strata if not one.level and one.fifth],
        [one for one in measured.strata if one.level and one.fifth],
    ):
        assert sum(one.numbers for one in strata) == whole.numbers
        for name, power in (("bias", 1), ("rmse", 2)):
            parts = [one.numbers * (one.measures[name].value or 0) ** power for one in strata]
            assert sum(parts) == pytest.approx(whole.numbers * (whole.measures[name].value or 0) ** power, abs=1e-6)
        means = sum(one.numbers * one.mean_truth for one in strata) / whole.numbers
        assert means == pytest.approx(given.truth.mean(), abs=1e-9)


@given(NUMBERS)
def test_it_is_what_numpy_says(rows: list[tuple[float, float, int, int]]) -> None:
    given = of_rows(rows)
    assume(given.truth.std() > 1e-3)
    found, errors = values(given), given.answer - given.truth
    assert found["bias"] == pytest.approx(errors.mean(), abs=1e-9)
    assert found["rmse"] == pytest.approx(np.sqrt((errors**2).mean()), abs=1e-9)
    assert found["sd"] == pytest.approx(errors.std(), abs=1e-5)
    slope = np.cov(given.truth, given.answer, bias=True)[0, 1] / given.truth.var()
    assert found["slope"] == pytest.approx(slope, abs=1e-5 * (1 + abs(slope)))
    assert found["skill"] == pytest.approx(1 - np.sqrt((errors**2).mean()) / given.truth.std(), rel=1e-6)
    assert skill_of(given) == pytest.approx(found["skill"])


@given(NUMBERS)
def test_the_slope_of_a_perfect_answer_is_one_wherever_its_truth_lies(
    rows: list[tuple[float, float, int, int]],
) -> None:
    given = of_rows(rows)
    assume(given.truth.std() > 1e-2)
    for far in (0.0, 1e4):
        perfect = Answers(given.truth + far, given.truth + far, given.patient, given.level, given.levels)
        assert values(perfect)["slope"] == pytest.approx(1, abs=1e-6)
        assert values(perfect)["skill"] == pytest.approx(1)


@given(NUMBERS, st.floats(0.1, 10), st.floats(-50, 50))
def test_slope_and_skill_do_not_change_with_the_unit(
    rows: list[tuple[float, float, int, int]], factor: float, offset: float
) -> None:
    given = of_rows(rows)
    assume(given.truth.std() > 1e-1)
    moved = Answers(
        factor * given.truth + offset, factor * given.answer + offset, given.patient, given.level, given.levels
    )
    before, after = values(given), values(moved)
    for name in ("slope", "skill"):
        assert after[name] == pytest.approx(before[name], rel=1e-6, abs=1e-6)
    assert after["rmse"] == pytest.approx(factor * (before["rmse"] or 0), abs=1e-7)
