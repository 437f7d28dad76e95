from __future__ import annotations

import csv
import io
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st

from hakken.core.tables import _read, table_text
from hakken.search.table import COLUMNS, sweep_table

HEADING = (
    "number,place,state,objective,reason,start,end,seconds,gpu_seconds,waited_share,validation_share,"
    "host,jobs,known,pending,later_results"
)
DONE: dict[str, Any] = {
    "number": 0,
    "place": 4,
    "state": "complete",
    "objective": 0.75,
    "reason": None,
    "start": "2026-01-01T00:00:00.000+00:00",
    "end": "2026-01-01T00:01:00.000+00:00",
    "seconds": 60.0,
    "gpu_seconds": 0.0,
    "waited_share": 0.0312,
    "validation_share": 0.25,
    "host": "node7",
    "jobs": [{"step": 0}, {"step": 40}],
    "known": [3, 4],
    "pending": [],
    "later_results": 1,
    "parameters": {"optimizer": "sgd", "momentum": 0.1 + 0.2, "batch_norm": True, "layers": 3},
    "curve": [{"step": 1}],
}
FAILED: dict[str, Any] = {
    "number": 10,
    "state": "failed",
    "objective": None,
    "reason": "out of memory, twice",
    "parameters": {"optimizer": "adam", "batch_norm": False},
}


def test_a_row_a_trial_and_a_column_a_parameter() -> None:
    text = table_text(*sweep_table([FAILED, DONE], ["optimizer", "momentum", "batch_norm"]))
    assert text == (
        f"{HEADING},optimizer,momentum,batch_norm\n"
        "0,4,complete,0.75,,2026-01-01T00:00:00.000+00:00,2026-01-01T00:01:00.000+00:00,60.0,0.0,0.0312,0.25,node7,2,2,0,1,"
        "sgd,0.30000000000000004,true\n"
        '10,,failed,,"out of memory, twice",,,,,,,,,,,,adam,,false\n'
    )


def test_a_sweep_without_trials_or_parameters() -> None:
    assert table_text(*sweep_table([], [])) == f"{HEADING}\n"
    assert ",".join(COLUMNS) == HEADING


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=5), st.text(max_size=20))
@example([0.5], 'a "b", c\r\nd\re')
@example([0.5], "\t:")
def test_every_digit_survives_and_every_trial_is_one_line(numbers: list[float], reason: str) -> None:
    records = [
        {"number": place, "state": "complete", "objective": value, "reason": reason, "parameters": {"x": value}}
        for place, value in enumerate(numbers)
    ]
    text = table_text(*sweep_table(records, ["x"]))
    assert len(text.splitlines()) == 1 + len(numbers)
    rows = list(csv.DictReader(io.StringIO(text, newline="")))
    assert [float(row["objective"]) for row in rows] == numbers == [float(row["x"]) for row in rows]
    assert {_read(row["reason"]) for row in rows} == {" ".join(reason.splitlines())}
