"""One training of a run: from asking for its parameters to its published result, whatever ends it on the way."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from hakken.cli import main
from hakken.core.files import read_json, sha256_file, write_json
from hakken.core.tables import table_text, write_table
from hakken.evaluation import findings
from hakken.evaluation.froc import objective
from hakken.imaging.prepared import load_prepared, save_prepared
from hakken.methods.patch_classifier import learn
from hakken.outcomes import candidates
from hakken.outcomes._candidate_findings import lesions_of
from hakken.runs import attempt as attempts
from hakken.runs import course, fit
from hakken.runs.cases import read_cases
from hakken.runs.guard import SCIENCE
from hakken.runs.model_file import load_model
from hakken.runs.predictions import manifest_digest, part_of, read_predictions
from hakken.runs.table import run_named
from hakken.runs.trials import read_trials
from hakken.search.ledger import Ledger
from hakken.search.table import sweep_table
from hakken.stages import trial as stage
from hakken.stages.patches import patches
from hakken.stages.select import select
from hakken.study.reading import parse_study
from hakken.study.slices import study_slice
from hakken.training import device
from hakken.training.layout import Layout
from hakken.training.loop import Run
from hakken.training.reporter import Reporter
from hakken.training.stopping import REQUEUE

from ..miniature import prepare_case, study, without
from .deaths import killed_at


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Training patches and prepared validation cases of the miniature study."""
    folder = tmp_path_factory.mktemp("data")
    for number, places in enumerate([[(8, 9, 10), (14, 18, 16)], [(11, 13, 12)], []]):
        prepare_case(folder / "prepared" / "train-000", f"t{number}", list(places))
    prepare_case(folder / "prepared" / "validation-000", "v0", [(9, 9, 9), (13, 17, 15)])
    prepare_case(folder / "prepared" / "validation-001", "v1", [(7, 16, 8)])
    patches(study=study(), prepared=[folder / "prepared" / "train-000"], output=folder / "patches" / "train")
    return folder


VALIDATION = ("validation-000", "validation-001")


def run(data: Path, results: Path, sweep: str = "search", number: int = 0, **changes: Any) -> dict[str, Any]:
    """Run a trial as the workflow does, with plain values, and return its record."""
    output = results / sweep / "trials" / f"{number:04d}.json"
    names = ("minutes", "attempt", "threads", "code", "source", "first")
    options = {"threads": 1, "code": "c0de"} | {name: changes.pop(name) for name in names if name in changes}
    chosen = study(**changes)
    planned = run_named(chosen, "search" if options.get("first") else sweep)
    searched = sorted(map(str, (results / planned.confirms / "trials").iterdir())) if planned.confirms else []
    held_out = planned.fold is not None
    stage.trial(
        study=study_slice(chosen, SCIENCE),
        run=planned.as_dict(),
        number=f"{number:04d}",
        trials=planned.trials,
        slots=planned.slots,
        stop_after_failures=planned.stop_after_failures,
        patches=str(data / "patches" / "train"),
        searched=searched,
        train=[str(data / "prepared" / "train-000")] if held_out else [],
        validation=[] if held_out else [str(data / "prepared" / name) for name in VALIDATION],
        ledger=str(results / planned.name / "ledger"),
        work=str(results / planned.name / "work" / f"{number:04d}"),
        logs=str(results / "logs"),
        output=str(output),
        log=str(results / "log"),
        **options,
    )
    record: dict[str, Any] = read_json(output)
    return record


def network_of(record: dict[str, Any]) -> torch.nn.Module:
    """The network of a record's model."""
    return load_model(Path(record["model"]["path"])).model.networks["network"]


def test_a_trial_from_its_proposal_to_its_files(data: Path, tmp_path: Path) -> None:
    record = run(data, tmp_path)
    assert (record["sweep"], record["number"], record["state"], record["reason"]) == ("search", 0, "complete", None)
    assert list(record["parameters"]) == ["learning_rate"]
    assert record["all_parameters"]["learning_rate"] == record["parameters"]["learning_rate"]
    assert (record["method"], record["all_parameters"]["patch_size"]) == ("patch_classifier", 9)
    assert (record["known"], record["pending"], record["gpu_seconds"]) == ([], [], 0.0)
    assert [point["step"] for point in record["curve"]] == [4, 8, 12]
    assert record["objective"] == max(point["objective"] for point in record["curve"])
    assert record["start"] <= record["end"]
    assert record["seconds"] > 0
    assert record["peak_memory_mb"] > 50
    assert record["parameter_count"] == sum(weight.numel() for weight in network_of(record).parameters())
    assert not {"levels", "fold"} & record.keys(), "those of a variant and of a fold"
    assert sha256_file(Path(record["model"]["path"])) == record["model"]["sha256"]
    assert manifest_digest(Path(record["predictions"]["path"])) == record["predictions"]["sha256"]
    trained = load_model(Path(record["model"]["path"]))
    assert trained.study.parameters.model_dump(mode="json") == record["all_parameters"]
    assert trained.metadata["objective"] == record["objective"]
    assert not list((tmp_path / "search" / "work" / "0000").glob("*/checkpoint-*"))
    assert list((tmp_path / "search" / "work" / "0000").glob("*/model.pt"))


def test_the_stored_candidates_give_the_objective_of_the_record(data: Path, tmp_path: Path) -> None:
    record = run(data, tmp_path)
    cases = read_cases([data / "prepared" / name for name in VALIDATION])
    part = part_of(study(), "candidates", cases)
    found = read_predictions(Path(record["predictions"]["path"]), "candidates", part)
    cohort = findings.Cases.of([case.case_id for case in cases])
    marks = findings.Candidates.of(
        np.repeat(np.arange(len(cases)), [len(found[case.case_id]) for case in cases]),
        np.concatenate([found[case.case_id].xyz for case in cases]),
        np.concatenate([found[case.case_id].score for case in cases]),
    )
    assert objective(marks, lesions_of(part.images), cohort, 10.0) == record["objective"]
    rows = (Path(record["predictions"]["path"]) / "candidates.csv").read_text().splitlines()[1:]
    assert {row.split(",")[-1] for row in rows} <= {"0", "1", "2"}
    assert [row.split(",")[1] for row in rows if row.startswith("v0,")][:2] == ["1", "2"]


def test_a_damaged_shard_is_never_trained_on(data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.copytree(data, tmp_path / "data")
    (shard,) = (tmp_path / "data").rglob("shard-000.npy")
    content = bytearray(shard.read_bytes())
    content[-1] ^= 1
    shard.write_bytes(content)
    with pytest.raises(SystemExit) as ended:
        run(tmp_path / "data", tmp_path)
    assert ended.value.code == 2
    assert "shard-000.npy" in capsys.readouterr().err


def test_the_default_sweep_trains_the_study_s_own_parameters(data: Path, tmp_path: Path) -> None:
    record = run(data, tmp_path, sweep="default")
    assert record["parameters"] == {"learning_rate": 0.02}
    assert record["all_parameters"] == study().parameters.model_dump(mode="json")


def test_the_search_begins_with_the_very_network_of_the_default(data: Path, tmp_path: Path) -> None:
    """So that it cannot end below the untuned default, whichever trial asks first."""
    default, first = run(data, tmp_path, sweep="default"), run(data, tmp_path, number=3)
    weights = [network_of(record).state_dict() for record in (default, first)]
    assert all(torch.equal(value, weights[1][name]) for name, value in weights[0].items())
    assert (first["curve"], first["objective"], first["seed"]) == (
        default["curve"],
        default["objective"],
        default["seed"],
    )
    second = run(data, tmp_path, number=0)
    assert second["parameters"] != first["parameters"]
    assert second["seed"] != first["seed"]


def test_the_default_is_the_first_training_of_a_search_whoever_asks_first(data: Path, tmp_path: Path) -> None:
    default = run(data, tmp_path, sweep="default", first=True)
    assert (default["sweep"], default["number"], default["place"]) == ("search", 0, 0)
    assert default["parameters"] == {"learning_rate": 0.02}
    assert run(data, tmp_path, number=0) == default, "the search's own job finds it trained"
    asked = run(data, tmp_path / "other", number=2)
    again = run(data, tmp_path / "other", sweep="default", first=True)
    assert (again["number"], again) == (2, asked), "whatever its number, it is the one that asked first"
    (read,) = read_trials([tmp_path / "other" / "default" / "trials" / "0000.json"])
    assert read == asked, "and its file is compared with the ledger of the search"


def test_a_default_whose_job_is_too_late_to_ask_first_takes_the_first(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another job may ask between its look at the ledger and its own asking."""
    first, looks = run(data, tmp_path, number=1), iter([()])
    entries = Ledger.entries
    monkeypatch.setattr(Ledger, "entries", lambda book: () if next(looks, None) == () else entries(book))
    default = run(data, tmp_path, sweep="default", first=True)
    assert (default["number"], default) == (1, first)
    other = Ledger(next((tmp_path / "search" / "ledger").iterdir())).result(0)
    assert other is not None, "what it trained meanwhile is a trial like any"
    assert other["parameters"] != first["parameters"]


def whole_search(data: Path, results: Path, order: Sequence[int]) -> list[dict[str, Any]]:
    """Run all trials of a search of one slot in some order of its jobs; return their records by the order of asking."""
    space = {
        "learning_rate": {"type": "real", "low": 0.005, "high": 0.05, "scale": "log"},
        "dense_units": {"type": "integer", "low": 4, "high": 9},
    }
    search = {"space": space, "trials": len(order), "slots": 1, "startup": 2}
    records = [run(data, results, number=number, search=search) for number in order]
    return sorted(records, key=lambda record: record["place"])


def test_with_one_slot_a_search_is_the_same_in_whatever_order_its_jobs_come(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The engine may start them in any; the model of the search asks from the third on."""
    given, other = (
        whole_search(data, tmp_path / name, order) for name, order in [("a", range(5)), ("b", (3, 0, 4, 2, 1))]
    )
    assert [record["number"] for record in other] == [3, 0, 4, 2, 1]
    for key in ("place", "parameters", "seed", "objective", "curve", "best_step"):
        assert [record[key] for record in given] == [record[key] for record in other], key
    assert [one["model"]["sha256"] for one in given] == [one["model"]["sha256"] for one in other]
    assert [one["predictions"]["sha256"] for one in given] == [one["predictions"]["sha256"] for one in other]
    assert len({tuple(record["parameters"].values()) for record in given}) == 5
    chosen = []
    for name in "ab":
        trials = sorted((tmp_path / name / "search" / "trials").iterdir())
        select(trials=trials, model=tmp_path / f"{name}.pt", record=tmp_path / f"{name}.json")
        chosen.append((tmp_path / f"{name}.pt").read_bytes())
        assert main(["search", "replay", str(tmp_path / name / "search")]) == 0
        assert "5 of 5 proposals are the same when recomputed" in capsys.readouterr().out
    assert chosen[0] == chosen[1]


@pytest.mark.parametrize("moment", ["asking", "training", "publishing"])
def test_a_job_that_is_killed_and_tried_again_changes_nothing_of_the_search(
    moment: str, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = whole_search(data, tmp_path / "unharmed", range(4))
    killed: list[int] = []

    def kill_once(function: Any) -> Any:
        def dies(*arguments: Any, **options: Any) -> Any:
            number = len(killed)
            killed.append(number)
            if number == 2:  # of the calls: within the second trial, or the third
                raise KeyboardInterrupt
            return function(*arguments, **options)

        return dies

    target, name = {
        "asking": (stage, "propose_trial"),
        "training": (fit, "save_model"),
        "publishing": (Ledger, "publish"),
    }[moment]
    monkeypatch.setattr(target, name, kill_once(getattr(target, name)))
    with pytest.raises(KeyboardInterrupt):
        whole_search(data, tmp_path / "killed", (2, 0, 1, 3))
    found = whole_search(data, tmp_path / "killed", (2, 0, 1, 3))
    assert [one["number"] for one in found] == [2, 0, 1, 3]
    for key in ("parameters", "seed", "objective", "curve"):
        assert [record[key] for record in found] == [record[key] for record in expected], key
    assert [one["model"]["sha256"] for one in found] == [one["model"]["sha256"] for one in expected]


def test_the_second_trial_knows_the_first(data: Path, tmp_path: Path) -> None:
    first, second = run(data, tmp_path), run(data, tmp_path, number=1)
    assert second["known"] == [0]
    assert second["parameters"] != first["parameters"]
    assert second["seed"] != first["seed"]


def test_the_same_trial_ends_with_the_same_bytes(data: Path, tmp_path: Path) -> None:
    records = [run(data, tmp_path / name) for name in ("one", "other")]
    assert records[0]["model"]["sha256"] == records[1]["model"]["sha256"]
    assert records[0]["curve"] == records[1]["curve"]


def test_told_to_stop_it_saves_exits_for_requeue_and_ends_the_same(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = run(data, tmp_path / "uninterrupted")

    def report(self: Reporter, run: Run) -> None:
        if run.step == 6:
            os.kill(os.getpid(), signal.SIGTERM)

    with monkeypatch.context() as patched, pytest.raises(SystemExit) as stopped:
        patched.setattr(Reporter, "__call__", report)
        run(data, tmp_path)
    assert stopped.value.code == 75
    assert not (tmp_path / "search" / "trials").exists()
    assert (
        "stopped at step 6 of 12: SIGTERM; it goes on from there when started again" in (tmp_path / "log").read_text()
    )
    resumed = run(data, tmp_path)
    assert resumed["model"]["sha256"] == expected["model"]["sha256"]
    assert resumed["curve"] == expected["curve"]
    assert resumed["parameters"] == expected["parameters"]


def test_killed_between_measurements_it_ends_the_same(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = run(data, tmp_path / "uninterrupted")

    with killed_at(7, monkeypatch):
        run(data, tmp_path)
    steps: list[int] = []

    def watch(self: Reporter, run: Run) -> None:
        steps.append(run.step)

    monkeypatch.setattr(Reporter, "__call__", watch)
    assert run(data, tmp_path)["model"]["sha256"] == expected["model"]["sha256"]
    assert steps[0] == 5  # the checkpoint was that of the measurement at step 4


def test_a_finished_trial_is_not_trained_again(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = run(data, tmp_path)
    (tmp_path / "search" / "trials" / "0000.json").unlink()
    monkeypatch.setattr(course, "train", None)
    assert run(data, tmp_path) == first


def test_a_finished_trial_whose_model_is_lost_is_trained_again(data: Path, tmp_path: Path) -> None:
    first = run(data, tmp_path)
    Path(first["model"]["path"]).unlink()
    again = run(data, tmp_path)
    assert sha256_file(Path(again["model"]["path"])) == again["model"]["sha256"] == first["model"]["sha256"]


def test_other_code_begins_a_new_ledger_beside_the_old(data: Path, tmp_path: Path) -> None:
    first, second = run(data, tmp_path), run(data, tmp_path, number=1, code="edited")
    assert second["known"] == []
    assert first["generation"] != second["generation"]
    assert len(list((tmp_path / "search" / "ledger").iterdir())) == 2


def test_another_study_cannot_continue_a_sweep(data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(data, tmp_path)
    with pytest.raises(SystemExit) as stopped:
        run(data, tmp_path, number=1, training={"steps": 16})
    assert stopped.value.code == 2
    assert "this sweep was begun with other settings: `training.steps` (12, now 16)" in capsys.readouterr().err


def failed(data: Path, results: Path, **changes: Any) -> dict[str, Any]:
    """Run a trial that fails, make sure that everybody learns of it, and return its record."""
    record = run(data, results, **changes)
    (book,) = (results / "search" / "ledger").iterdir()
    assert (record["state"], record["objective"]) == ("failed", None)
    assert Ledger(book).result(0) == record
    assert "model" not in record
    return record


def test_a_network_that_cannot_be_is_a_failed_trial(data: Path, tmp_path: Path) -> None:
    space = {"convolutions": {"type": "integer", "low": 6, "high": 6}}
    record = failed(data, tmp_path, search={"space": space})
    assert record["reason"] == "invalid"
    assert record["detail"] == "patch 9 is too small for 6 convolutions of kernel 3 and 1 poolings"
    assert "00: failed, invalid: patch 9 is too small" in (tmp_path / "log").read_text()


def exploding(logits: torch.Tensor, *_: Any) -> torch.Tensor:
    return logits.sum() * torch.nan


def test_a_loss_that_explodes_is_a_failed_trial(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(learn, "balanced_loss", exploding)
    record = failed(data, tmp_path)
    assert (record["reason"], record["detail"]) == ("diverged", "the loss was nan at step 4")


def test_too_little_memory_is_a_failed_trial(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def greedy(*arguments: Any, **options: Any) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20 GiB")

    monkeypatch.setattr(course, "train", greedy)
    assert failed(data, tmp_path)["reason"] == "out of memory"


def test_a_normalisation_of_one_value_is_a_failed_trial_and_the_sweep_goes_on(data: Path, tmp_path: Path) -> None:
    """A mini-batch of one whose second convolution leaves one voxel."""
    one = {"patch_size": 5, "convolutions": 2, "poolings": 0, "batch_norm": True, "batch_size": 1}
    changes: dict[str, Any] = {
        "parameters": one,
        "search": {"space": {"batch_size": {"type": "integer", "low": 1, "high": 2}}, "default_first": True},
    }
    record = failed(data, tmp_path, **changes)
    assert (record["parameters"], record["reason"]) == ({"batch_size": 1}, "invalid")
    assert record["detail"].startswith("Expected more than 1 value per channel when training, got input size")
    assert "00: failed, invalid: Expected more than 1 value per channel" in (tmp_path / "log").read_text()
    assert run(data, tmp_path, number=1, **changes)["state"] == "complete"


@pytest.mark.parametrize(
    ("provoke", "reason"),
    [
        (lambda logits: torch.cat([logits, logits.new_zeros(1, 3)]), "invalid"),
        (lambda logits: logits @ logits.new_zeros(7, 7), "invalid"),
        (lambda logits: logits.view(-1, 1000), "invalid"),
        (torch.nn.MaxPool1d(9), "invalid"),
        (lambda logits: torch.nn.GroupNorm(4, logits.shape[1] + 4), "invalid"),
        (lambda logits: torch.linalg.inv(logits.new_zeros(2, 2)), "diverged"),
        (lambda logits: logits.half().masked_fill(logits.isfinite(), 1e9), "diverged"),
        (lambda logits: logits * 10.0**400, "diverged"),
        (lambda logits: logits.new_empty(2**58), "out of memory"),
        (lambda logits: torch.from_numpy(np.empty(2**58)), "out of memory"),
    ],
)
def test_what_cannot_be_computed_with_these_parameters_is_a_failed_trial(
    provoke: Any, reason: str, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(learn, "balanced_loss", lambda logits, *_: provoke(logits).float().mean())
    assert failed(data, tmp_path)["reason"] == reason


@pytest.mark.parametrize(
    "error",
    [
        KeyError("no such parameter"),
        ImportError("no module named weights"),
        ValueError("a table of the plug-in's own"),
        RuntimeError("CUDA error: an illegal memory access was encountered"),
        PermissionError(13, "permission denied", "cases.csv"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_a_fault_in_a_plug_in_or_around_it_ends_the_job(
    error: Exception, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any) -> None:
        raise error

    monkeypatch.setattr(learn, "balanced_loss", broken)
    with pytest.raises(SystemExit if isinstance(error, OSError) else type(error)):  # of a file it is said in words
        run(data, tmp_path)
    (book,) = (tmp_path / "search" / "ledger").iterdir()
    assert Ledger(book).result(0) is None


def test_a_full_disk_ends_the_job_with_a_remedy(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(*_: Any) -> None:
        raise OSError(28, "no space left on device", "checkpoint.pt")

    monkeypatch.setattr(learn, "balanced_loss", full)
    with pytest.raises(SystemExit) as ended:
        run(data, tmp_path)
    assert ended.value.code == 2
    assert "checkpoint.pt: cannot be written: no space left on the disk; free some" in capsys.readouterr().err


def test_too_many_failures_in_a_row_stop_the_sweep_and_a_higher_limit_lets_it_go_on(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(learn, "balanced_loss", exploding)
        records = [run(data, tmp_path, number=number, search={"stop_after_failures": 2}) for number in range(2)]
    before = {path: path.read_bytes() for path in (tmp_path / "search").rglob("*.json")}
    with pytest.raises(SystemExit) as stopped:
        run(data, tmp_path, number=2, search={"stop_after_failures": 2})
    assert stopped.value.code == 2
    shown = capsys.readouterr().err
    assert "the last 2 trials of the sweep `search` failed, so no other is started:" in shown
    assert "2 diverged (trial 0, 1): lower the highest `learning_rate`" in shown
    assert f"the last of them in {tmp_path}/logs/search-0001.log" in shown
    assert {path: path.read_bytes() for path in (tmp_path / "search").rglob("*.json")} == before
    assert run(data, tmp_path, number=1, search={"stop_after_failures": 2}) == records[1], "results stay results"
    assert run(data, tmp_path, number=2, search={"stop_after_failures": 3})["state"] == "complete"


def finish(book: Path, numbers: range, objective: float) -> None:
    """Let other trials finish whose objective was the same at every measurement."""
    for number in numbers:
        curve = [{"step": step, "loss": 1.0, "objective": objective} for step in (4, 8, 12)]
        record = {"state": "complete", "objective": objective, "parameters": {"learning_rate": 0.01 + number / 1e4}}
        files = {name: {"path": "gone", "sha256": ""} for name in ("model", "predictions")}
        Ledger(book).publish(number, record | files | {"curve": curve, "end": f"2026-01-01T00:00:{number:02d}+00:00"})


def test_what_is_worse_than_the_median_of_the_others_stops_early(data: Path, tmp_path: Path) -> None:
    changes: dict[str, Any] = {"search": {"stopping": "median"}}
    assert run(data, tmp_path, **changes)["state"] == "complete"
    (book,) = (tmp_path / "search" / "ledger").iterdir()
    finish(book, range(10, 15), objective=2.0)
    record = run(data, tmp_path, number=1, **changes)
    assert (record["state"], record["reason"], record["stopped"]) == ("pruned", "median rule", "pruned")
    assert "below 2.000, the median of the running averages of 6 finished trials" in record["detail"]
    assert [point["step"] for point in record["curve"]] == [4]
    assert record["objective"] == record["curve"][0]["objective"]
    assert "model" not in record
    assert not list((tmp_path / "search" / "work" / "0001").rglob("*.pt"))
    assert "01: stopped early, partial AUC" in (tmp_path / "log").read_text()
    (known,) = [trial for trial in Ledger(book).snapshot() if trial.number == 1]
    assert (known.state, known.value) == ("pruned", record["objective"])


def test_the_study_s_own_parameters_are_never_stopped_early(data: Path, tmp_path: Path) -> None:
    changes: dict[str, Any] = {"search": {"stopping": "median", "startup": 9}}
    run(data, tmp_path, number=1, **changes | {"search": changes["search"] | {"default_first": False}})
    (book,) = (tmp_path / "search" / "ledger").iterdir()
    shutil.rmtree(book)
    finish(book, range(10, 15), objective=2.0)
    record = run(data, tmp_path, **changes)
    assert (record["parameters"], record["state"]) == ({"learning_rate": 0.02}, "complete")


def test_a_search_starts_from_the_best_of_another(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = tmp_path / "trials.csv"

    def write(*rates: float) -> None:
        records = [
            {"number": number, "state": "complete", "objective": 1 - number / 10, "parameters": {"learning_rate": rate}}
            for number, rate in enumerate(rates)
        ]
        write_table(table, *sweep_table(records, ["learning_rate"]))

    changes: dict[str, Any] = {"search": {"warm_start": {"study": "small", "top": 1}}, "source": str(table)}
    write(0.03, 0.04)
    assert run(data, tmp_path, **changes)["parameters"] == {"learning_rate": 0.02}
    assert run(data, tmp_path, number=1, **changes)["parameters"] == {"learning_rate": 0.03}
    write(0.03, 0.01)
    assert run(data, tmp_path, number=2, **changes)["state"] == "complete", "what was taken from it is the same"
    write(0.01)
    with pytest.raises(SystemExit) as stopped:
        run(data, tmp_path, number=3, **changes)
    assert stopped.value.code == 2
    assert f"this sweep was begun with other settings: `started_from.{table}` (" in capsys.readouterr().err
    assert run(data, tmp_path, sweep="default", **changes | {"source": None})["state"] == "complete"


def test_a_fault_of_the_surroundings_is_no_result(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*arguments: Any, **options: Any) -> None:
        raise OSError(5, "input/output error")

    monkeypatch.setattr(course, "train", broken)
    with pytest.raises(OSError, match="input/output error"):
        run(data, tmp_path)
    (book,) = (tmp_path / "search" / "ledger").iterdir()
    assert Ledger(book).result(0) is None


def test_a_twin_leaves_everything_alone_and_takes_the_result(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = run(data, tmp_path / "elsewhere")
    waits: list[int] = []

    @contextmanager
    def taken(self: Ledger, number: int) -> Iterator[SimpleNamespace]:
        if waits:  # the first holder publishes while the twin waits
            self.publish(number, expected)
        waits.append(number)
        yield SimpleNamespace(held=False)

    monkeypatch.setattr(Ledger, "lease", taken)
    monkeypatch.setattr(attempts, "WAIT_SECONDS", 0)
    assert run(data, tmp_path) == expected
    assert waits == [0, 0]
    assert not (tmp_path / "search" / "work").exists()
    assert "00: another process trains it; waiting for its result" in (tmp_path / "log").read_text()


def test_who_loses_the_lease_writes_aside_and_the_first_result_counts(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = iter([True])

    class Losing:
        @property
        def held(self) -> bool:
            return next(held, False)

    @contextmanager
    def losing(self: Ledger, number: int) -> Iterator[Losing]:
        yield Losing()

    monkeypatch.setattr(Ledger, "lease", losing)
    record = run(data, tmp_path)
    (folder,) = (tmp_path / "search" / "work" / "0000").iterdir()
    assert Path(record["model"]["path"]).parent.name == f"twin-{os.getpid()}"
    assert {path.name for path in folder.iterdir()} == {"jobs.json", f"twin-{os.getpid()}"}


def test_other_validation_images_begin_a_new_ledger(data: Path, tmp_path: Path) -> None:
    shutil.copytree(data, tmp_path / "data")
    first = run(tmp_path / "data", tmp_path)
    folder = tmp_path / "data" / "prepared" / "validation-000"
    case = load_prepared(folder, "v0")
    save_prepared(folder, case, case.image(mmap=False) + np.float16(0.5), case.mask(), case.labels())
    second = run(tmp_path / "data", tmp_path)
    assert first["generation"] != second["generation"]
    assert len(list((tmp_path / "search" / "ledger").iterdir())) == 2


def test_a_prepared_image_that_was_changed_by_other_means_is_not_trained_with(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(data, tmp_path / "data")
    image = tmp_path / "data" / "prepared" / "validation-000" / "v0.npy"
    np.save(image, np.load(image) + np.float16(0.5))
    with pytest.raises(SystemExit):
        run(tmp_path / "data", tmp_path)
    assert "v0.npy: has changed since the case was prepared; delete" in capsys.readouterr().err


def test_a_training_says_what_it_waited_and_is_watched_on_fewer_cases(data: Path, tmp_path: Path) -> None:
    whole = run(data, tmp_path / "whole")
    assert {"waited_share", "validation_share"} <= whole.keys()
    assert 0 < whole["waited_share"] < 1
    assert 0 < whole["validation_share"] < 1
    assert not {"watched_cases", "watched_objective"} & whole.keys()
    record = run(data, tmp_path, training={"validate_cases": 1})
    assert record["watched_cases"] == 1
    assert record["watched_objective"] == max(point["objective"] for point in record["curve"])
    cases = read_cases([data / "prepared" / name for name in VALIDATION])
    found = read_predictions(Path(record["predictions"]["path"]), "candidates", part_of(study(), "candidates", cases))
    assert found.keys() == {"v0", "v1"}, "the kept model is measured on all"
    assert record["objective"] == candidates.objective(found, part_of(study(), "candidates", cases))
    assert record["curve"][0]["loss"] == whole["curve"][0]["loss"], "what is learnt is the same"


def test_also_a_pruned_training_that_is_watched_on_fewer_is_compared_on_all(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(candidates, "objective", lambda found, part: len(found) / 10)
    changes: dict[str, Any] = {"search": {"stopping": "median"}, "training": {"validate_cases": 1}}
    assert run(data, tmp_path, **changes)["objective"] == 0.2
    (book,) = (tmp_path / "search" / "ledger").iterdir()
    finish(book, range(10, 15), objective=2.0)
    record = run(data, tmp_path, number=1, **changes)
    assert (record["state"], record["objective"], record["watched_objective"]) == ("pruned", 0.2, 0.1)
    assert record["curve"][0]["objective"] == 0.1


def test_what_a_twin_published_while_the_lease_was_awaited_is_taken(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = run(data, tmp_path / "elsewhere")
    lease = Ledger.lease

    @contextmanager
    def freed(self: Ledger, number: int) -> Iterator[Any]:
        self.publish(number, expected)
        with lease(self, number) as mine:
            yield mine

    monkeypatch.setattr(Ledger, "lease", freed)
    monkeypatch.setattr(course, "train", None)
    assert run(data, tmp_path) == expected


def test_killed_before_its_result_is_published_it_keeps_its_checkpoints(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(self: Ledger, number: int, record: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(Ledger, "publish", die)
        run(data, tmp_path)
    assert list((tmp_path / "search" / "work" / "0000").glob("*/checkpoint-000000012.pt"))


def test_resumed_after_its_best_the_table_is_that_of_the_best_network(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Equal objectives before and after a kill: the first network is kept, and so must be its candidates."""
    monkeypatch.setattr(candidates, "objective", lambda found, part: 0.5)
    expected = run(data, tmp_path / "uninterrupted")

    with killed_at(7, monkeypatch):
        run(data, tmp_path)
    resumed = run(data, tmp_path)
    assert resumed["best_step"] == 4
    assert resumed["predictions"]["sha256"] == expected["predictions"]["sha256"]


def test_near_its_time_limit_it_saves_itself_and_the_next_job_goes_on(data: Path, tmp_path: Path) -> None:
    expected = run(data, tmp_path / "uninterrupted")
    for attempt in range(1, 13):  # each has time for one step
        with pytest.raises(SystemExit) as stopped:
            run(data, tmp_path, minutes=1e-9, attempt=attempt)
        assert stopped.value.code == 75
    record = run(data, tmp_path, minutes=60, attempt=13)
    assert record["model"]["sha256"] == expected["model"]["sha256"]
    assert record["curve"] == expected["curve"]
    assert [job["step"] for job in record["jobs"]] == list(range(13))
    assert [job["attempt"] for job in record["jobs"]] == list(range(1, 14))
    assert record["jobs"][3]["ended"] == "stopped at step 4 of 12: time limit"
    assert record["jobs"][-1]["ended"] == "finished"
    assert "00: job 13 of this training; step 12 of it is saved" in (tmp_path / "log").read_text()
    assert table_text(*sweep_table([record], [])).splitlines()[0].count(",jobs") == 1


def die_at_once(self: Reporter, run: Run) -> None:
    raise KeyboardInterrupt


def test_what_is_killed_again_and_again_before_it_saves_anything_is_a_failed_trial(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Reporter, "__call__", die_at_once)
    for attempt in (1, 2):
        with pytest.raises(KeyboardInterrupt):
            run(data, tmp_path, attempt=attempt)
    record = run(data, tmp_path, attempt=3)
    assert (record["state"], record["reason"]) == ("failed", "no progress")
    assert record["detail"].startswith("two jobs in a row saved nothing after step 0 (a process on ")
    assert "give it more memory or time, or save more often (training.checkpoint_seconds)" in record["detail"]
    assert [job["ended"] for job in record["jobs"]] == ["ended without a word", "ended without a word", "gave up"]


def test_what_ends_in_the_same_error_again_and_again_does_not_try_a_third_time(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def break_down(*arguments: Any, **options: Any) -> None:
        raise ValueError("the file server is away")

    with monkeypatch.context() as patched:
        patched.setattr(course, "train", break_down)
        for attempt in (1, 2):
            with pytest.raises(ValueError, match="away"):
                run(data, tmp_path, attempt=attempt)
        for attempt in (3, 4, 5, 6):  # nor does it ever pass for one that was killed
            with pytest.raises(SystemExit) as stopped:
                run(data, tmp_path, attempt=attempt)
            assert stopped.value.code == 2
    shown = capsys.readouterr().err
    assert "00: two jobs in a row saved nothing after step 0" in shown
    assert "ValueError: the file server is away" in shown
    assert "this one does not try again. Mend the cause and start the run again" in shown
    assert run(data, tmp_path, attempt=1)["state"] == "complete"  # a new run of the workflow


def greedy_above(most: int) -> Any:
    """A loss that has memory for so many patches at once."""
    balanced_loss = learn.balanced_loss

    def loss(logits: torch.Tensor, *given: Any) -> torch.Tensor:
        if len(logits) > most:
            raise torch.OutOfMemoryError(f"CUDA out of memory. Tried to allocate {len(logits)} GiB")
        return balanced_loss(logits, *given)

    return loss


def test_out_of_memory_it_goes_on_with_mini_batches_in_parts(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = {"training": {"out_of_memory": "accumulate"}, "parameters": {"batch_norm": False, "dropout": 0.0}}
    whole = run(data, tmp_path / "whole", **settings)
    batch = whole["all_parameters"]["batch_size"]
    monkeypatch.setattr(learn, "balanced_loss", greedy_above(batch // 4))
    record = run(data, tmp_path, **settings)
    assert (whole["parts"], record["parts"], record["state"]) == (1, 4, "complete")
    assert [point["loss"] for point in record["curve"]] == pytest.approx([p["loss"] for p in whole["curve"]], abs=1e-5)
    assert "00: out of memory; every mini-batch goes through the network in 4 parts" in (tmp_path / "log").read_text()


def test_out_of_memory_whatever_the_parts_is_a_failed_trial(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(learn, "balanced_loss", greedy_above(0))
    record = failed(data, tmp_path, training={"out_of_memory": "accumulate"})
    assert record["reason"] == "out of memory"


def test_two_processes_train_what_one_does(data: Path, tmp_path: Path) -> None:
    settings: dict[str, Any] = {"training": {"gpus_per_node": 2}, "parameters": {"batch_norm": False, "dropout": 0.0}}
    alone, together = (run(data, tmp_path / str(count), threads=count, **settings) for count in (1, 2))
    assert (alone["processes"], together["processes"]) == (1, 2)
    assert (alone["threads"], together["threads"]) == (1, 1)
    for one, other in zip(alone["curve"], together["curve"], strict=True):
        assert other == pytest.approx(one, abs=1e-4)
    assert together["all_parameters"] == alone["all_parameters"]
    assert "process 1 of 2" in (tmp_path / "2" / "log").read_text()
    assert together["state"] == "complete"


def test_a_failure_in_one_of_two_processes_is_a_failed_trial(data: Path, tmp_path: Path) -> None:
    space = {"convolutions": {"type": "integer", "low": 6, "high": 6}}
    record = failed(data, tmp_path, threads=2, training={"gpus_per_node": 2}, search={"space": space})
    assert record["reason"] == "invalid"
    assert record["detail"] == "patch 9 is too small for 6 convolutions of kernel 3 and 1 poolings"


def test_on_a_cpu_it_trains_in_the_layout_of_the_host(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = run(data, tmp_path / "plain")
    monkeypatch.setattr(device, "read_layout", lambda: Layout(1, 1, True, "float32"))
    record = run(data, tmp_path)
    assert (plain["precision"], plain["channels_last"]) == ("float32", False)
    assert (record["precision"], record["channels_last"]) == ("float32", True)
    for one, other in zip(record["curve"], plain["curve"], strict=True):
        assert one["loss"] == pytest.approx(other["loss"], abs=1e-4)


HELD = {"grid": {"factors": {"depth": {"one": {"parameters.convolutions": 1}}}, "folds": 2}}


def test_a_variant_that_holds_out_a_fold_predicts_that_fold_alone_with_its_last_weights(
    data: Path, tmp_path: Path
) -> None:
    records = [run(data, tmp_path, sweep=f"grid-one-f{fold}", variants=HELD) for fold in range(2)]
    assert [(record["fold"], record["levels"]) for record in records] == [(0, {"depth": "one"}), (1, {"depth": "one"})]
    assert {record["all_parameters"]["convolutions"] for record in records} == {1}
    assert [[point["step"] for point in record["curve"]] for record in records] == [[12], [12]]
    assert [record["best_step"] for record in records] == [12, 12]
    held = [read_json(Path(record["predictions"]["path"]) / "manifest.json")["cases"] for record in records]
    assert sorted(held[0] + held[1]) == ["t0", "t1", "t2"]
    assert records[0]["seed"] != records[1]["seed"]


def test_cases_that_cannot_be_measured_are_told_before_anything_is_trained(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    chosen = study(without("parameters", "search"), method="autoencoder", parameters={"patch_size": 8})
    prepare_case(tmp_path / "prepared", "v0", [(9, 9, 9)])
    with pytest.raises(SystemExit) as ended:
        stage.trial(
            study=chosen,
            run=run_named(chosen, "search"),
            number=0,
            trials=1,
            slots=1,
            stop_after_failures=1,
            validation=[tmp_path / "prepared"],
            patches=tmp_path / "patches",
            **{name: tmp_path / name for name in ("ledger", "work", "logs", "output")},
        )
    assert ended.value.code == 2
    assert (
        "the part `validation` has no case without lesions; specificity is measured on these" in capsys.readouterr().err
    )
    assert not (tmp_path / "ledger").exists()


def test_a_method_without_gradients_is_fitted_at_once_and_recorded_like_any(toys: Path, tmp_path: Path) -> None:
    content = {"name": "records", "seed": 4, "method": "toy_integral", "cohort": {"kind": "none"}}
    chosen = parse_study(content | {"parameters": {"points": 50}})
    stage.trial(
        study=study_slice(chosen, SCIENCE),
        run=run_named(chosen, "search").as_dict(),
        number=0,
        trials=1,
        slots=1,
        stop_after_failures=1,
        **{name: tmp_path / name for name in ("ledger", "work", "logs", "output")},
    )
    record = read_json(tmp_path / "output")
    assert (record["state"], record["curve"], record["parameter_count"], record["gpu_seconds"]) == (
        *("complete", []),
        *(0, 0.0),
    )
    said = (Path(record["predictions"]["path"]) / "records.csv").read_text().splitlines()
    assert said[0] == "name,value"
    assert record["objective"] == float(said[1].removeprefix("error,"))
    trained = load_model(Path(record["model"]["path"]))
    assert (trained.model.values["points"], trained.study.parameters) == (50, chosen.parameters)


CONFIRMED = {"trials": 3, "slots": 1, "confirm": 2}


def searched(data: Path, results: Path, count: int = 3) -> list[dict[str, Any]]:
    return [run(data, results, number=number, search=CONFIRMED) for number in range(count)]


def test_the_best_trials_are_trained_again_with_other_seeds(data: Path, tmp_path: Path) -> None:
    trials = searched(data, tmp_path)
    further = [run(data, tmp_path, "confirm", number, search=CONFIRMED) for number in (3, 0, 1, 2)]
    order = sorted(trials, key=lambda record: -record["objective"])
    assert [record["confirms"] for record in further] == [
        {"trial": order[rank]["number"], "seed": seed} for rank, seed in ((1, 2), (0, 1), (0, 2), (1, 1))
    ]
    for record in further:
        trial = trials[record["confirms"]["trial"]]
        assert (record["sweep"], record["parameters"]) == ("confirm", trial["parameters"])
        assert (record["number"], record["state"]) == (2 * trial["number"] + record["confirms"]["seed"] - 1, "complete")
    assert len({record["seed"] for record in (*trials, *further)}) == 7
    # The seed goes by the trial and not by which job comes first: in another order the files are the same.
    other = tmp_path / "other"
    shutil.copytree(tmp_path / "search", other / "search")
    once_more = run(data, other, "confirm", 0, search=CONFIRMED)
    assert once_more["model"]["sha256"] == further[1]["model"]["sha256"]
    assert main(["search", "replay", str(tmp_path / "confirm")]) == 0


def test_a_grown_sweep_trains_only_what_is_new_among_the_best(data: Path, tmp_path: Path) -> None:
    two = searched(data, tmp_path, 2)
    before = [run(data, tmp_path, "confirm", number, search=CONFIRMED) for number in range(4)]
    third = run(data, tmp_path, number=2, search=CONFIRMED)
    after = [run(data, tmp_path, "confirm", number, search=CONFIRMED) for number in range(4)]
    best = sorted([*two, third], key=lambda record: -record["objective"])[:2]
    assert {record["confirms"]["trial"] for record in after} == {record["number"] for record in best}
    known = {record["number"]: record for record in before}
    assert all(record == known[record["number"]] for record in after if record["number"] in known)


def test_a_training_of_other_parameters_does_not_confirm(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    trials = searched(data, tmp_path, 1)
    run(data, tmp_path, "confirm", 0, search=CONFIRMED)
    other = trials[0] | {"parameters": {"learning_rate": 0.03}}
    (folder,) = (tmp_path / "search" / "ledger").iterdir()
    for path in (tmp_path / "search" / "trials" / "0000.json", folder / "trial-0000.json"):
        write_json(path, other)
    (again,) = (tmp_path / "confirm" / "ledger").iterdir()
    (again / "trial-0000.json").unlink()
    with pytest.raises(SystemExit):
        run(data, tmp_path, "confirm", 0, search=CONFIRMED)
    assert (
        f"{again}: training 0 was begun with other parameters than trial 0 of search has now; delete this folder to "
        "train again"
    ) in capsys.readouterr().err


def test_jobs_left_over_take_the_trainings_of_others(data: Path, tmp_path: Path) -> None:
    """Of two trials that were to be trained again only one has finished."""
    searched(data, tmp_path, 1)
    first, shared = (run(data, tmp_path, "confirm", number, search=CONFIRMED) for number in (1, 3))
    assert shared == first
    assert [path.name for path in (tmp_path / "confirm" / "work").iterdir()] == ["0001"]


def test_a_training_that_confirms_goes_on_where_its_job_ended(data: Path, tmp_path: Path) -> None:
    searched(data, tmp_path, 1)
    shutil.copytree(tmp_path / "search", tmp_path / "whole" / "search")
    expected = run(data, tmp_path / "whole", "confirm", 0, search=CONFIRMED)
    with pytest.raises(SystemExit) as ended:
        run(data, tmp_path, "confirm", 0, search=CONFIRMED, minutes=1e-9)
    assert ended.value.code == REQUEUE
    record = run(data, tmp_path, "confirm", 0, search=CONFIRMED, minutes=60, attempt=2)
    assert len(record["jobs"]) == 2
    assert record["model"]["sha256"] == expected["model"]["sha256"]
    assert (record["objective"], record["curve"]) == (expected["objective"], expected["curve"])
