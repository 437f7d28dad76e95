"""A run that is killed between any two writes, and started again, counts an opening once and loses none."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from hakken.core.files import write_json
from hakken.seal import measured, openings, predicted, receipts
from hakken.seal.freeze import write_sealed
from hakken.seal.guard import require_opened
from hakken.seal.sketch import sketch_of_cases

from ..opened import freeze_of, opening_of


class Killed(BaseException):
    """What no code handles."""


class Writes:
    """Every write of the seal, until one is not made any more."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.left = -1
        for module in (measured, openings, predicted, receipts):
            for name in ("create", "write_json"):
                if hasattr(module, name):
                    monkeypatch.setattr(module, name, self.of(getattr(module, name)))
        self.write_json = self.of(write_json)

    def of(self, write: Callable[..., Any]) -> Callable[..., Any]:
        def counted(*arguments: Any) -> Any:
            if self.left == 0:
                raise Killed
            self.left -= 1
            return write(*arguments)

        return counted


def run(results: Path, writes: Writes, scores: Sequence[float]) -> int:
    """Open, predict and measure as the stages do, from a start; return the opening that it belongs to."""
    ledger, opening = results.parents[2] / "openings", results / "test/opening.json"
    receipts.require_receipts(ledger, [results])
    if not opening.is_file():
        opened = openings.open_cases(ledger, opening_of(freeze_of(selected="aa")))
        receipts.write_receipt(results, opened)
        writes.write_json(opening, opened.as_dict())
    known = require_opened(ledger, opening, results / "freeze.json")
    belongs = predicted.record(ledger, results, known, "selected", sketch_of_cases({"c": list(scores)}))
    measurement = results / "measurements/test/selected/measurement.json"
    writes.write_json(measurement, {"scores": list(scores)})
    measured.note(ledger, results, belongs, "selected", measurement)
    receipts.require_receipts(ledger, [results])
    return belongs.number


@pytest.mark.parametrize("left", range(9))
@pytest.mark.parametrize("again", [False, True], ids=["first opening", "another opening"])
def test_an_opening_is_counted_once_wherever_its_run_was_killed(
    left: int, again: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    results, writes = tmp_path / "results/example/tiny", Writes(monkeypatch)
    write_sealed(results / "freeze.json", freeze_of(selected="aa"))
    if again:
        run(results, writes, [1.0, 2.0])
    scores = [1.0, 3.0] if again else [1.0, 2.0]
    writes.left = left
    try:
        run(results, writes, scores)
    except Killed:
        writes.left = -1
    assert run(results, writes, scores) == 1 + again
    ledger = tmp_path / "openings"
    assert [one.number for one in openings.read_openings(ledger)] == ([1, 2] if again else [1])
    places = [{path.name for path in place.iterdir()} for place in (ledger, results / "test/receipts")]
    assert places[0] == places[1]
