"""Selection: the best finished trial, and copies of exactly the files that it recorded."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hakken.core.files import sha256_file
from hakken.stages.select_trial import select_trial

Run = Callable[..., dict[str, Any]]


@pytest.fixture
def record(tmp_path: Path) -> Callable[..., Path]:
    """Write a trial's record and files; return the record's path."""

    def write(number: int, objective: float | None, sweep: str = "search", **more: Any) -> Path:
        folder = tmp_path / sweep / f"{number:04d}"
        folder.mkdir(parents=True)
        record: dict[str, Any] = {
            "sweep": sweep,
            "number": number,
            "state": "failed" if objective is None else "complete",
            "objective": objective,
            "reason": "diverged" if objective is None else None,
            "parameters": {"dropout": 0.1},
            "gpu_seconds": 10.0,
        }
        for kind, name in (("model", "model.pt"), ("prediction", "prediction.csv")):
            path = folder / name
            path.write_text(f"{kind} of {sweep} {number}")
            record[kind] = {"path": str(path), "sha256": sha256_file(path)}
        path = folder.with_suffix(".json")
        path.write_text(json.dumps(record | more))
        return path

    return write


@pytest.fixture
def select(tmp_path: Path) -> Callable[[list[Path], Path], dict[str, Any]]:
    """Run the selection; return what it wrote."""

    def run(trials: list[Path], default: Path) -> dict[str, Any]:
        out = tmp_path / "out"
        select_trial(
            trials=trials,
            default=default,
            models=[out / "selected.pt", out / "default.pt"],
            predictions=[out / "selected.csv", out / "default.csv"],
            output=out / "selected.json",
        )
        content: dict[str, Any] = json.loads((out / "selected.json").read_text())
        return content

    return run


def test_the_highest_objective_wins_and_its_files_are_copied(record: Any, select: Any, tmp_path: Path) -> None:
    found = select([record(0, 0.3), record(1, 0.7), record(2, None), record(3, 0.5)], record(0, 0.2, "default"))
    assert found["models"]["selected"]["number"] == 1
    assert found["models"]["default"]["sweep"] == "default"
    assert found["trials"] == {"complete": 3, "failed": 1}
    assert found["gpu_seconds"] == 50.0
    assert (tmp_path / "out/selected.pt").read_text() == "model of search 1"
    assert (tmp_path / "out/selected.csv").read_text() == "prediction of search 1"
    assert (tmp_path / "out/default.pt").read_text() == "model of default 0"
    assert (tmp_path / "out/default.csv").read_text() == "prediction of default 0"
    assert found["files"]["selected.pt"] == sha256_file(tmp_path / "out/selected.pt")


def test_of_equals_the_first_wins(record: Any, select: Any) -> None:
    trials = [record(2, 0.5), record(0, 0.5), record(1, 0.4)]
    assert select(trials, record(0, 0.2, "default"))["models"]["selected"]["number"] == 0


def test_the_default_is_never_selected(record: Any, select: Any) -> None:
    found = select([record(0, 0.1)], record(0, 0.9, "default"))
    assert found["models"]["selected"]["sweep"] == "search"


def test_a_pruned_trial_is_counted_and_never_selected(record: Any, select: Any) -> None:
    found = select([record(0, 0.3), record(1, 0.9, state="pruned")], record(0, 0.2, "default"))
    assert found["models"]["selected"]["number"] == 0
    assert found["trials"] == {"complete": 1, "pruned": 1}


def test_when_all_failed_the_reasons_are_named(record: Any, select: Any, capsys: pytest.CaptureFixture[str]) -> None:
    trials = [record(0, None), record(1, None, reason="out of memory"), record(2, None)]
    with pytest.raises(SystemExit) as caught:
        select(trials, record(0, 0.2, "default"))
    assert caught.value.code == 2
    assert "none of the 3 trials finished: diverged; out of memory; see logs/trial/" in capsys.readouterr().err


def test_a_failed_default_is_named(record: Any, select: Any, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        select([record(0, 0.4)], record(0, None, "default"))
    shown = capsys.readouterr().err
    assert "the untuned default failed (diverged); choose other `parameters` in the study" in shown


@pytest.mark.parametrize("harm", ["change", "remove"])
def test_a_file_that_is_not_the_recorded_one_stops_it(
    harm: str, record: Any, select: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    trials, default = [record(0, 0.4)], record(0, 0.2, "default")
    model = tmp_path / "search/0000/model.pt"
    model.write_text("other") if harm == "change" else model.unlink()
    with pytest.raises(SystemExit):
        select(trials, default)
    assert f"{model}: missing or changed; delete the trial's JSON to redo it" in capsys.readouterr().err
    assert not (tmp_path / "out/selected.json").exists()
