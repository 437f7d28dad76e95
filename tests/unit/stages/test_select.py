"""Selection: the best finished trial of a run, a copy of exactly its model, and what is recorded of the choice."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hakken.core.files import read_json, sha256_file, write_json
from hakken.search.ledger import Ledger
from hakken.stages.select import select

from ..miniature import publish_trial

Record = Callable[..., Path]


@pytest.fixture
def record(tmp_path: Path) -> Record:
    """Write a trial's record and model; return the record's path."""

    def write(number: int, objective: float | None, sweep: str = "search", **more: Any) -> Path:
        folder = tmp_path / sweep / f"{number:04d}"
        folder.mkdir(parents=True)
        model = folder / "model.pt"
        model.write_text(f"model of {sweep} {number}")
        content: dict[str, Any] = {
            "sweep": sweep,
            "number": number,
            "state": "failed" if objective is None else "complete",
            "objective": objective,
            "reason": "diverged" if objective is None else None,
            "parameters": {"dropout": 0.1},
            "gpu_seconds": 10.0,
            "model": {"path": str(model), "sha256": sha256_file(model)},
        }
        return publish_trial(tmp_path / sweep, number, content | more)

    return write


@pytest.fixture
def choose(tmp_path: Path) -> Callable[[list[Path]], dict[str, Any]]:
    """Run the selection; return what it wrote."""

    def run(trials: list[Path]) -> dict[str, Any]:
        select(trials=trials, model=tmp_path / "out" / "selected.pt", record=tmp_path / "out" / "selected.json")
        content: dict[str, Any] = read_json(tmp_path / "out" / "selected.json")
        return content

    return run


def test_the_highest_objective_wins_and_its_model_is_copied(
    record: Record, choose: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = choose([record(0, 0.3), record(1, 0.7), record(2, None), record(3, 0.5)])
    assert (found["trial"]["number"], found["trial"]["sweep"]) == (1, "search")
    assert found["trials"] == {"complete": 3, "failed": 1}
    assert found["gpu_seconds"] == 40.0
    assert (tmp_path / "out/selected.pt").read_text() == "model of search 1"
    assert found["sha256"] == sha256_file(tmp_path / "out/selected.pt")
    assert capsys.readouterr().err == "[select] selected: trial 1 of 4, objective 0.700\n"


def test_of_equals_the_first_wins(record: Record, choose: Any) -> None:
    assert choose([record(2, 0.5), record(0, 0.5), record(1, 0.4)])["trial"]["number"] == 0


def test_of_equals_the_one_that_asked_first_wins(record: Record, choose: Any) -> None:
    trials = [record(0, 0.5, place=2), record(1, 0.5, place=1), record(2, 0.4, place=0)]
    assert choose(trials)["trial"]["number"] == 1


@pytest.mark.parametrize(
    ("harm", "said"),
    [
        ({"objective": 0.99}, "`objective` (0.3, now 0.99)"),
        ({"objective": 0.99, "state": "pruned"}, "`objective` (0.3, now 0.99), `state` (complete, now pruned)"),
        ({"model": {"path": "other.pt", "sha256": "00"}}, "`model.path` ("),
        ({"place": 7}, "`place` (absent, now 7)"),
    ],
)
def test_a_trial_that_says_otherwise_than_the_ledger_is_refused(  # noqa: PLR0917
    harm: dict[str, Any], said: str, record: Record, choose: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    trials = [record(0, 0.3), record(1, 0.7)]
    write_json(trials[0], read_json(trials[0]) | harm)
    with pytest.raises(SystemExit) as ended:
        choose(trials)
    assert ended.value.code == 2
    shown = capsys.readouterr().err
    assert f"{trials[0]}: says otherwise than the ledger ({tmp_path}/search/ledger/aaaa): {said}" in shown
    assert "; delete this file and run again: what the ledger says is taken, or the trial is trained anew" in shown
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("harm", [{"generation": "other"}, {}])
def test_a_trial_that_the_ledger_does_not_know_is_refused(
    harm: dict[str, Any], record: Record, choose: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = record(0, 0.3)
    write_json(path, read_json(path) | harm)
    if not harm:
        (tmp_path / "search/ledger/aaaa/trial-0000.json").unlink()
    with pytest.raises(SystemExit):
        choose([path])
    folder = tmp_path / "search/ledger" / (harm.get("generation") or "aaaa")
    assert f"{path}: the ledger ({folder}) has no result of this trial; delete this file" in capsys.readouterr().err


def test_the_later_result_of_a_twin_is_one_of_the_ledger(record: Record, choose: Any, tmp_path: Path) -> None:
    path = record(0, 0.3)
    later = read_json(path) | {"objective": 0.4}
    Ledger(tmp_path / "search/ledger/aaaa").publish(0, later)
    write_json(path, later)
    assert choose([path])["trial"]["objective"] == 0.4


def test_a_pruned_trial_is_counted_and_never_selected(record: Record, choose: Any) -> None:
    found = choose([record(0, 0.3), record(1, 0.9, state="pruned")])
    assert found["trial"]["number"] == 0
    assert found["trials"] == {"complete": 1, "pruned": 1}


def test_when_all_failed_the_reasons_are_named(record: Record, choose: Any, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        choose([record(0, None), record(1, None, reason="out of memory"), record(2, None)])
    assert caught.value.code == 2
    assert "none of the 3 trials finished: diverged; out of memory; see logs/trial/" in capsys.readouterr().err


def test_the_one_training_of_a_run_that_failed_is_named(
    record: Record, choose: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        choose([record(0, None, "default")])
    shown = capsys.readouterr().err
    assert "default failed: diverged; see logs/trial/, or choose other `parameters` in the study" in shown


@pytest.mark.parametrize("harm", ["change", "remove"])
def test_a_file_that_is_not_the_recorded_one_stops_it(
    harm: str, record: Record, choose: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    trials = [record(0, 0.4)]
    model = tmp_path / "search/0000/model.pt"
    model.write_text("other") if harm == "change" else model.unlink()
    with pytest.raises(SystemExit):
        choose(trials)
    assert f"{model}: missing or changed; delete the trial's JSON to redo it" in capsys.readouterr().err
    assert not (tmp_path / "out/selected.json").exists()


def confirmed(record: Record) -> tuple[list[Path], list[Path]]:
    """Three trials, of which the better two were trained again; the first of them was lucky."""
    trials = [record(0, 0.60), record(1, 0.58), record(2, 0.1)]
    further = [
        record(2 * number + seed - 1, value, "confirm", confirms={"trial": number, "seed": seed})
        for number, values in enumerate([(0.46, 0.44), (0.53, 0.51)])
        for seed, value in enumerate(values, start=1)
    ]
    return trials, further


def test_the_mean_over_seeds_chooses_and_the_typical_training_is_kept(record: Record, tmp_path: Path) -> None:
    trials, further = confirmed(record)
    kept, said = tmp_path / "out/selected.pt", tmp_path / "out/selected.json"
    # A file of a job that shared the training of another says the same once more.
    select(trials=trials, confirmations=[*further, further[0]], confirm=2, model=kept, record=said)
    found = read_json(said)
    assert (found["trial"]["number"], found["trial"]["sweep"], found["seed"]) == (1, "search", 1)
    assert found["objective"] == pytest.approx(0.54)
    assert kept.read_text() == "model of confirm 2"
    assert found["sha256"] == sha256_file(kept)
    assert found["trials"] == {"complete": 3}
    assert found["gpu_seconds"] == 70.0
    assert [(one["number"], one["objectives"], one["failed"]) for one in found["confirmed"]] == [
        (1, [0.58, 0.53, 0.51], 0),
        (0, [0.60, 0.46, 0.44], 0),
    ]


def test_a_training_that_confirms_and_says_otherwise_than_its_ledger_is_refused(
    record: Record, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    trials, further = confirmed(record)
    write_json(further[3], read_json(further[3]) | {"objective": 0.9})
    with pytest.raises(SystemExit):
        select(trials=trials, confirmations=further, confirm=2, model=tmp_path / "m.pt", record=tmp_path / "m.json")
    assert "says otherwise than the ledger" in capsys.readouterr().err
