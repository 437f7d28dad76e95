"""Other predictions are another opening; the same ones, from another machine, are none."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hakken.core.errors import HakkenError
from hakken.seal.guard import require_opened
from hakken.seal.openings import read_openings
from hakken.seal.predicted import record, same, sketch, sketch_of_cases

from ..opened import open_results

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
    assert sketch([{"x": 1.0, "score": 0.5}, {"x": -3.0, "score": 1.5}]) == {
        "score": (2.0, 2.0, 2.0, 2.5, 0.0, 5.0),  # with the products of |score| and |x|
        "x": (2.0, -2.0, 4.0, 10.0, 0.0, 5.0),
    }
    picture = np.array([[0.0, 1.0, 0.0], [0.0, 0.0, 2.0]])
    assert sketch(picture)[""] == (6.0, 3.0, 3.0, 5.0, 2.0 + 1.0 + 4.0, 0.0)


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


def test_other_predictions_count_as_another_opening(tmp_path: Path) -> None:
    ledger, results = tmp_path / "openings", tmp_path / "results/example/tiny"
    open_results(results, ledger)
    places = (ledger, results / "test/opening.json", results / "freeze.json")
    numbers = []
    for rows in (ROWS, ROWS[::-1], changed(0, score=0.9), changed(0, score=0.9), ROWS):
        opened = require_opened(*places)
        numbers.append(record(ledger, results, opened, "selected", sketch_of_cases({"c": rows})).number)
    assert numbers == [1, 1, 2, 2, 3]
    assert [one.reason for one in read_openings(ledger)[1:]] == [
        "predictions or truth of selected differ from those of opening 1",
        "predictions or truth of selected differ from those of opening 2",
    ]
    assert require_opened(*places).last.number == 3
    assert (results / "test/receipts/0003.json").is_file()


def test_what_was_written_down_does_not_vanish(tmp_path: Path) -> None:
    ledger, results = tmp_path / "openings", tmp_path / "results/example/tiny"
    open_results(results, ledger)
    opened = require_opened(ledger, results / "test/opening.json", results / "freeze.json")
    record(ledger, results, opened, "selected", sketch_of_cases({"c": ROWS}))
    (ledger / "0001.selected.json").unlink()
    with pytest.raises(HakkenError, match=r"0001.selected.json: missing, but .* is its receipt"):
        record(ledger, results, opened, "selected", sketch_of_cases({"c": changed(0, score=2.0)}))
