"""A figure drawn by its stage: pictures, the table that it draws and where it comes from, the same bytes each time."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest

from hakken.core.files import sha256_file
from hakken.report.figure import digest
from hakken.stages.figure import figure
from hakken.study.reading import parse_study

from ..figures.made import record, trial
from ..miniature import study
from ..opened import edit, open_results


@pytest.fixture
def given(tmp_path: Path) -> dict[str, Any]:
    """What the figure `search` is drawn from, and where it goes."""
    rate = {"parameters": {"learning_rate": 0.01}}
    trials = [trial(tmp_path, number, objective=number / 10, **rate) for number in range(3)]
    table, results = tmp_path / "cases.csv", tmp_path / "balls/paper"
    table.write_text("case_id,patient\n")
    for name in ("aa", "bb"):
        open_results(results, tmp_path / "openings", selected=name)
    figures = tmp_path / "figures"
    return {
        "study": study(title="Balls"),
        "name": "search",
        "files": {"trials": trials, "default": [record(tmp_path / "default.json", number=0)]},
        "pictures": [figures / f"search.{kind}" for kind in ("pdf", "svg", "png")],
        "facts": figures / "search.json",
        "numbers": figures / "search.csv",
        "code": "c0de",
        "table": table,
        "opening": results / "test/opening.json",
        "ledger": tmp_path / "openings",
    }


def written(given: dict[str, Any]) -> list[Path]:
    return [*given["pictures"], given["facts"], given["numbers"]]


def test_pictures_table_and_origin(given: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> None:
    figure(**given)
    for path, start in zip(given["pictures"], (b"%PDF", b"<?xml", b"\x89PNG"), strict=True):
        assert path.read_bytes().startswith(start)
        assert path.stat().st_size > 1000
    facts = json.loads(given["facts"].read_text())
    inputs = {path.as_posix(): sha256_file(path) for paths in given["files"].values() for path in paths}
    assert facts == {
        "figure": "search",
        "study": "balls",
        "title": "Balls",
        "scale": "paper",
        "data": "own data",
        "opening": {"number": 2, "begun": facts["opening"]["begun"], "hash": facts["opening"]["hash"]},
        "trials": [0, 1, 2],
        "cost": {"seconds": 270.0, "gpu_seconds": 6.0},
        "warnings": [],
        "hashes": {
            "drawn_study": facts["hashes"]["drawn_study"],
            "code": "c0de",
            "inputs": inputs | {given["table"].as_posix(): digest(given["table"])},
        },
    }
    rows = list(csv.DictReader(given["numbers"].open(newline="")))
    assert [(row["sweep"], row["trial"], row["objective"]) for row in rows[:3]] == [
        ("search", "0", "0.0"), ("search", "1", "0.1"), ("search", "2", "0.2"),
    ]  # fmt: skip
    assert "[figure] search: 3 trials, slots " in capsys.readouterr().err


def test_drawing_again_changes_no_byte(given: dict[str, Any]) -> None:
    figure(**given)
    before = [path.read_bytes() for path in written(given)]
    figure(**given)
    assert [path.read_bytes() for path in written(given)] == before


def test_a_ledger_that_was_changed_ends_with_status_2(
    given: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    edit(given["ledger"] / "0001.json", models={"selected": "cc"})
    with pytest.raises(SystemExit) as stopped:
        figure(**given)
    assert stopped.value.code == 2
    assert "0001.json: an opening of the test set that was changed since it was written" in capsys.readouterr().err
    assert not any(path.exists() for path in written(given))


def test_a_study_without_cases_has_no_table_and_no_test(given: dict[str, Any], toys: Path) -> None:
    content: dict[str, Any] = {
        "name": "records",
        "seed": 4,
        "method": "toy_integral",
        "cohort": {"kind": "none"},
        "search": {"space": {"points": {"type": "integer", "low": 10, "high": 100}}},
    }
    chosen = parse_study(content)
    figure(**given | {"study": chosen, "table": None, "opening": None})
    facts = json.loads(given["facts"].read_text())
    assert (facts["study"], facts["opening"]) == ("records", None)
    assert given["table"].as_posix() not in facts["hashes"]["inputs"]


def test_a_figure_of_another_package(given: dict[str, Any], toys: Path, capsys: pytest.CaptureFixture[str]) -> None:
    figure(**given | {"name": "toy_curve", "files": {"trials": given["files"]["trials"]}})
    assert json.loads(given["facts"].read_text())["figure"] == "toy_curve"
    assert given["numbers"].read_text().splitlines() == ["trial,objective", "0,0.0", "1,0.1", "2,0.2"]
    assert "[figure] toy_curve: 3 trials" in capsys.readouterr().err
