"""Folders of measurements: what is written is read, typed; tables stand beside it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import hakken
from hakken.core.errors import HakkenError
from hakken.outcomes import Measured, Row, Table
from hakken.runs.measurement import FILE, Measurement, read_measurement, table_of, write_measurement

AUC = Row("AUC of the cases", 0.8, 0.6, 0.9)
AREA = Row("partial AUC to 10 FP/case", None)
SCORES = Measured(
    objective=AUC,
    rows=(AUC, Row("sensitivity", 0.5, digits=2)),
    intervals="95 % intervals: DeLong, Wilson",
    counts={"abnormal": 2, "normal": 3},
    point={"chosen_by": "youden", "threshold": 0.3},
    warnings=("roc: few cases",),
    details={"auc": {"value": 0.8}},
)
CANDIDATES = Measured(
    objective=AREA,
    rows=(AREA,),
    warnings=("no operating point",),
    tables={"curve": Table(("threshold", "sensitivity"), ((0.1 + 0.2, 1.0), (0.9, None)))},
)
FOUND = Measurement(
    study="heads",
    scale="tiny",
    model="selected",
    part="test",
    objective="case_scores",
    outcomes={"candidates": CANDIDATES, "case_scores": SCORES},
    folds=({"case_scores": SCORES}, {"case_scores": SCORES}),
    hashes={"predictions": "abc"},
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_measurement(tmp_path / "selected", FOUND)
    return tmp_path / "selected"


def test_what_is_written_is_read_but_for_the_tables(folder: Path) -> None:
    found = read_measurement(folder)
    assert found.outcomes["case_scores"] == SCORES
    assert (found.outcomes["candidates"].objective, found.outcomes["candidates"].tables) == (AREA, {})
    assert found.folds == FOUND.folds
    assert (found.study, found.scale, found.model, found.part, found.hashes) == (
        *("heads", "tiny", "selected", "test"),
        {"predictions": "abc"},
    )
    assert json.loads((folder / FILE).read_text())["hakken"] == hakken.__version__


def test_the_outcome_that_was_maximised_comes_first() -> None:
    assert FOUND.main == SCORES
    assert [row.name for row in FOUND.rows] == ["AUC of the cases", "sensitivity", "partial AUC to 10 FP/case"]
    assert FOUND.warnings == ("roc: few cases", "no operating point")


def test_a_table_keeps_every_digit(folder: Path) -> None:
    assert (folder / "candidates.curve.csv").read_text() == "threshold,sensitivity\n0.30000000000000004,1.0\n0.9,\n"
    table = table_of(folder, "candidates", "curve", ("threshold",))
    assert table.numbers("threshold").tolist() == [0.1 + 0.2, 0.9]
    with pytest.raises(HakkenError, match=r"candidates\.curve\.csv: column specificity is missing"):
        table_of(folder, "candidates", "curve", ("specificity",))


def test_a_folder_without_a_measurement_is_named(tmp_path: Path) -> None:
    with pytest.raises(HakkenError) as caught:
        read_measurement(tmp_path)
    assert str(caught.value) == f"{tmp_path}/{FILE}: no such file"


@pytest.mark.parametrize(
    ("change", "reason"),
    [({"objective": None}, "'objective'"), ({"outcomes": {"case_scores": {"rows": []}}}, "'objective'")],
)
def test_a_measurement_of_another_version_is_named(folder: Path, change: dict[str, object], reason: str) -> None:
    content = json.loads((folder / FILE).read_text()) | change
    content = {key: value for key, value in content.items() if value is not None}
    (folder / FILE).write_text(json.dumps(content))
    with pytest.raises(HakkenError) as caught:
        read_measurement(folder)
    assert str(caught.value) == (f"{folder / FILE}: no measurement of this version of hakken ({reason}); measure again")
