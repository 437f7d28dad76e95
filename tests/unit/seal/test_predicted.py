"""Other predictions are another opening; the same ones, from another machine, are none."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from hakken.core.errors import HakkenError
from hakken.seal.guard import require_opened
from hakken.seal.openings import read_openings
from hakken.seal.predicted import record
from hakken.seal.sketch import sketch_of_cases

from ..opened import open_results

ROWS = [
    {"x": 1.0, "score": 0.5, "class": "a"},
    {"x": -1.0, "score": 1.5, "class": "b"},
    {"x": 7.0, "score": 0.1, "class": "a"},
]


def changed(row: int, **values: Any) -> list[dict[str, Any]]:
    return [one | values if number == row else one for number, one in enumerate(ROWS)]


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
