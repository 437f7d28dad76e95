"""Another content is told from the same one, which another machine computes in other last digits."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from hakken.inference.candidates import Candidates
from hakken.seal.sketch import same, sketch, sketch_of_cases

ROWS = [
    {"x": 1.0, "score": 0.5, "class": "a"},
    {"x": -1.0, "score": 1.5, "class": "b"},
    {"x": 7.0, "score": 0.1, "class": "a"},
]


def changed(row: int, **values: Any) -> list[dict[str, Any]]:
    return [one | values if number == row else one for number, one in enumerate(ROWS)]


def alike(one: Any, other: Any) -> bool:
    return same(sketch_of_cases({"c": one}), sketch_of_cases({"c": other}))


def test_the_sums_of_a_column() -> None:
    found = sketch([{"x": 1.0, "score": 0.5}, {"x": -3.0, "score": 1.5}])
    assert found["x"] == [(2.0, 0.0), (-2.0, 4.0), (10.0, 10.0)]
    assert found["score"] == [(2.0, 0.0), (2.0, 2.0), (2.5, 2.5)]
    picture = sketch(np.array([[0.0, 1.0, 0.0], [0.0, 0.0, -2.0]]))[""]
    assert picture[:4] == [(2.0, 0.0), (3.0, 0.0), (-1.0, 3.0), (5.0, 5.0)]
    assert sketch({"score": 0.25, "class": None}) == {"score": [(0.25, 0.25)], "class": sketch({"a": None})["a"]}


def test_the_order_of_rows_does_not_count() -> None:
    assert alike(ROWS, ROWS[::-1])


@pytest.mark.parametrize(
    "other",
    [
        changed(0, score=0.50001),
        changed(1, x=1.0),
        changed(2, **{"class": "b"}),
        ROWS[:2],
        [*ROWS, ROWS[0]],
        [ROWS[0] | {"score": 1.5}, ROWS[1] | {"score": 0.5}, ROWS[2]],
    ],
    ids=["score", "place", "class", "fewer", "more", "scores exchanged"],
)
def test_another_table_is_told_from_it(other: list[dict[str, Any]]) -> None:
    assert not alike(ROWS, other)


def candidates(score: NDArray[Any], size: NDArray[Any]) -> Candidates:
    xyz = np.random.default_rng(4).normal(0, 40, (len(score), 3))
    return Candidates(xyz, score, size, xyz / 2)


def test_scores_exchanged_between_candidates_of_one_size_are_told() -> None:
    score, size = np.linspace(0.99, 0.5, 40), np.full(40, 2368.0)
    known = candidates(score, size)
    for first, second in ((0, 1), (0, 39), (17, 18)):
        other = score.copy()
        other[[first, second]] = score[[second, first]]
        assert not alike(known, candidates(other, size))
    turned = np.argsort(known.xyz[:, 0])
    again = Candidates(known.xyz[turned], known.score[turned], known.size[turned], known.voxel[turned])
    assert alike(known, again)


@given(st.integers(2, 40), st.integers(0, 99))
def test_scores_with_the_same_sums_are_told(count: int, seed: int) -> None:
    """Any other scores with the same sum and the same squares: turned about the diagonal."""
    random = np.random.default_rng(seed)
    score, size = random.uniform(0, 1, count), random.integers(1, 4, count) * 8.0
    mean = score.mean()
    other = 2 * mean - score  # mirrored at the mean: the same sum and squares
    assert not alike(candidates(score, size), candidates(other, size))


@pytest.mark.parametrize(
    "other",
    [
        lambda mask: np.roll(np.roll(mask, 1, 0), -1, 1),
        lambda mask: np.roll(np.roll(mask, 2, 1), -2, 2),
        lambda mask: mask[::-1],
        lambda mask: mask[:, ::-1],
        lambda mask: mask.transpose(1, 0, 2),
        lambda mask: mask * 2,
    ],
    ids=["moved", "moved far", "mirrored", "mirrored in y", "transposed", "another label"],
)
def test_a_mask_of_the_same_sums_is_told(other: Any) -> None:
    mask = np.zeros((8, 8, 9), np.int16)
    mask[2:5, 3:6, 3:7] = 1
    assert not alike(mask, other(mask))


def test_probabilities_of_exchanged_classes_are_told() -> None:
    """One row a finding, one column a class, as they are predicted."""
    said = np.array([[0.7, 0.2, 0.1], [0.1, 0.6, 0.3]])
    assert not alike(said, said[:, [1, 0, 2]])
    assert not alike(said, said[::-1])
    assert not alike(tuple(said[0]), tuple(said[0][::-1]))


@dataclass(frozen=True)
class Finding:
    x: float
    y: float
    kind: str = "included"


def test_findings_are_told_whatever_their_order() -> None:
    """Truth is what stands in each finding, and labels beside them."""
    first, second = Finding(1.0, 2.0), Finding(5.0, 2.0)
    labels = np.zeros((2, 3), np.int16)
    assert alike([(first, second), labels, ""], [(second, first), labels, ""])
    for other in (
        [(replace(first, x=5.0), replace(second, x=1.0, y=2.5)), labels, ""],
        [(replace(first, kind="excluded"), second), labels, ""],
        [(first,), labels, ""],
        [(first, second), labels, "malignant"],
    ):
        assert not alike([(first, second), labels, ""], other)


def test_no_number_is_told_from_numbers() -> None:
    assert alike(np.array([np.nan, 1.0]), np.array([np.nan, 1.0]))
    assert not alike(np.array([np.nan, 1.0]), np.array([0.0, 1.0]))


def test_a_case_without_a_candidate_is_told_from_one_with_some() -> None:
    def found(count: int) -> Candidates:
        return Candidates(np.ones((count, 3)), np.full(count, 0.5), np.full(count, 8.0), np.ones((count, 3)))

    assert alike(found(0), found(0))
    assert not alike(found(0), found(1))


def test_a_voxel_that_moved_is_told() -> None:
    mask = np.zeros((4, 5, 6), bool)
    moved = mask.copy()
    mask[1, 2, 3] = moved[1, 2, 4] = True
    assert not alike(mask, moved)


@given(st.lists(st.floats(-1e4, 1e4), min_size=1, max_size=30), st.integers(0, 9))
def test_rounding_is_no_change(values: list[float], seed: int) -> None:
    noise = 1 + np.random.default_rng(seed).uniform(-1e-7, 1e-7, len(values))
    assert alike({"a": np.array(values)}, {"a": np.array(values) * noise})


def test_cases_are_named_by_a_hash() -> None:
    assert "YAMADA" not in str(sketch_of_cases({"YAMADA": 1.0}))


@given(st.integers(1, 60), st.integers(0, 99))
def test_another_machine_says_the_same(count: int, seed: int) -> None:
    random = np.random.default_rng(seed)

    def noisy(values: NDArray[Any]) -> NDArray[Any]:
        return values * (1 + random.uniform(-1e-7, 1e-7, values.shape))

    known = candidates(random.uniform(0, 1, count), random.integers(1, 400, count) * 8.0)
    again = Candidates(noisy(known.xyz), noisy(known.score), noisy(known.size), noisy(known.voxel))
    assert alike(known, again)
    volume = random.normal(0, 1, (5, 6, 7))
    assert alike(volume, noisy(volume))
