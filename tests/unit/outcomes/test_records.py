"""Records of a study without cases: named numbers, one of which is maximised or minimised."""

from __future__ import annotations

from pathlib import Path

import pytest

from hakken.core.errors import HakkenError
from hakken.outcomes import Part, records
from hakken.outcomes.records import Settings
from hakken.runs.cases import NO_CASE

from ..miniature import study

FOUND = {"drawn": {"error": 0.25, "points": 100.0}}


def part(objective: str | None = None, minimise: bool = False) -> Part:
    return Part(study(), [NO_CASE], Settings(objective=objective, minimise=minimise))


def test_numbers_become_rows_and_nothing_is_resampled() -> None:
    measured = records.measure(FOUND, part("points"))
    assert [(row.name, row.value, row.low, row.cell) for row in measured.rows] == [
        ("error", 0.25, None, "0.2500"),
        ("points", 100.0, None, "100.0000"),
    ]
    assert measured.objective is not None
    assert (measured.objective.name, measured.intervals) == ("points", "no intervals: there are no cases to resample")


@pytest.mark.parametrize(
    ("objective", "minimise", "value", "words"),
    [
        (None, False, 0.25, "the first record"),
        ("points", False, 100.0, "points"),
        ("error", True, -0.25, "minus error"),
    ],
)
def test_one_of_them_is_maximised(objective: str | None, minimise: bool, value: float, words: str) -> None:
    chosen = part(objective, minimise)
    assert (records.objective(FOUND, chosen), records.words(chosen.settings)) == (value, words)


def test_what_is_written_is_read(tmp_path: Path) -> None:
    records.write(tmp_path, FOUND, part())
    assert (tmp_path / "records.csv").read_text() == "name,value\nerror,0.25\npoints,100.0\n"
    assert records.read(tmp_path, part()) == FOUND


def test_what_cannot_be_a_record_is_told(tmp_path: Path) -> None:
    with pytest.raises(HakkenError, match="the record `error` is nan and no finite number"):
        records.measure({"drawn": {"error": float("nan")}}, part())
    with pytest.raises(HakkenError, match="the method has recorded nothing"):
        records.objective({"drawn": {}}, part())
    with pytest.raises(
        HakkenError, match=r"outcomes\.records\.objective: there is no record `eror`, only error, points"
    ):
        records.objective(FOUND, part("eror"))
    (tmp_path / "records.csv").write_text("name,value\nerror,small\n")
    with pytest.raises(HakkenError, match=r"records\.csv, row 2, column value: `small` is not a number"):
        records.read(tmp_path, part())
