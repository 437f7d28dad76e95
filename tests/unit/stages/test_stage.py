"""The decorator of all stages: plain values in, one message out; and how a job of the engine becomes a call."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from pydantic import ValidationError

from hakken.core.console import progress
from hakken.core.errors import HakkenError
from hakken.stages import arguments, load, run, stage
from hakken.stages.unseal import unseal
from hakken.study import Study

STUDY = {
    "name": "example",
    "seed": 1,
    "method": "patch_classifier",
    "cohort": {"table": "cases.csv"},
    "channels": {"T1": {"modality": "mr"}},
    "reference": "T1",
}


@stage
def some_stage(*, study: Study, path: Path, names: list[str], number: int = 0) -> dict[str, Any]:
    """Return what came in."""
    progress(f"{len(names)} names")
    return {"study": study, "path": path, "names": names, "number": number}


@stage
def failing_stage(*, reason: str) -> None:
    """Fail as a user's input can make it."""
    raise HakkenError(f"cases.csv: row 3: {reason}; correct it")


@stage
def full_stage() -> None:
    """Meet a full disk somewhere."""
    raise OSError(28, "No space left on device", "results/x.npy")


def test_plain_values_become_what_the_function_asks_for(capsys: pytest.CaptureFixture[str]) -> None:
    found = some_stage(study=STUDY, path="a/b.json", names=["x"], number="07")  # type: ignore[arg-type]
    assert isinstance(found["study"], Study)
    assert found["path"] == Path("a/b.json")
    assert (found["names"], found["number"]) == (["x"], 7)
    assert capsys.readouterr().err == "[some stage] 1 names\n"


def test_a_study_is_taken_as_it_is() -> None:
    study = Study.model_validate(STUDY)
    assert some_stage(study=study, path=Path("x"), names=[])["study"] == study


def test_the_log_is_written_beside(tmp_path: Path) -> None:
    some_stage(study=STUDY, path="x", names=[], log=tmp_path / "logs" / "a.log")  # type: ignore[arg-type, call-arg]
    assert (tmp_path / "logs" / "a.log").read_text().endswith(" 0 names\n")
    cost = json.loads((tmp_path / "logs" / "a.cost.json").read_text())
    assert 0 < cost["cpu_seconds"] < 3600
    assert 20 < cost["peak_mb"] < 4000


def test_a_message_for_the_user_ends_with_status_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        failing_stage(reason="bad", log=str(tmp_path / "a.log"))  # type: ignore[call-arg]
    assert caught.value.code == 2
    assert capsys.readouterr().err == "[failing stage] error: cases.csv: row 3: bad; correct it\n"
    assert "error: cases.csv: row 3: bad; correct it" in (tmp_path / "a.log").read_text()


def test_a_full_disk_ends_with_status_2(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        full_stage()
    assert caught.value.code == 2
    assert capsys.readouterr().err == (
        "[full stage] error: results/x.npy: cannot be written: no space left on the disk; "
        "free some, or make `results` a link to a folder on another disk\n"
    )


def test_a_log_that_cannot_be_opened_ends_with_status_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(Path, "mkdir", refuse)
    with pytest.raises(SystemExit) as caught:
        failing_stage(reason="never reached", log=tmp_path / "a.log")  # type: ignore[call-arg]
    assert caught.value.code == 2
    assert "a.log: cannot be written: that file system is read-only" in capsys.readouterr().err


def test_a_mistake_of_the_caller_is_a_traceback() -> None:
    with pytest.raises(ValidationError, match="names"):
        some_stage(study=STUDY, path="x")  # type: ignore[call-arg, arg-type]


def test_it_keeps_name_and_words_of_the_function() -> None:
    assert some_stage.__name__ == "some_stage"
    assert some_stage.__doc__ == "Return what came in."


def test_a_stage_is_the_function_of_the_module_of_its_name() -> None:
    assert load("unseal") is unseal
    with pytest.raises(ModuleNotFoundError):
        load("unsael")


def plain(*, cases: list[Path], output: Path, points: Path | None = None, folds: list[int] | None = None) -> None:
    """A stage that wants files, and some that may be missing."""


def greedy(*, cases: list[Path], output: Path, threads: int, code: str, points: Path | None) -> None:
    """A stage that asks for threads and code, and for points without a default."""


GIVEN: dict[str, Any] = {
    "inputs": {"cases": ["a", "b"], "points": []},
    "outputs": {"output": "o.json"},
    "params": {"stage": "plain", "caption": "words", "code": "c0de", "folds": None},
    "threads": 4,
}


def test_named_files_and_params_become_arguments_and_what_is_missing_is_left_to_its_default() -> None:
    assert arguments(plain, **GIVEN) == {"cases": ["a", "b"], "output": "o.json"}
    some = GIVEN | {"inputs": {"cases": [], "points": "p.json"}, "params": {"folds": [0, 1]}}
    assert arguments(plain, **some) == {"cases": [], "output": "o.json", "points": "p.json", "folds": [0, 1]}


def test_threads_and_code_are_given_to_stages_that_ask_for_them() -> None:
    given = GIVEN | {"params": {"stage": "greedy", "code": "c0de"}}
    assert arguments(greedy, **given) == {
        **{"cases": ["a", "b"], "output": "o.json", "points": []},
        **{"threads": 4, "code": "c0de"},
    }


def test_what_a_stage_does_not_know_is_given_and_so_told() -> None:
    found = arguments(plain, **GIVEN | {"params": {"unknown": None}})
    assert "unknown" in found, "a name that the rule has and the stage has not is an error of the call"


class Named(list[str]):
    """Files of a job by name, as the engine keeps them."""

    def __init__(self, **named: str) -> None:
        super().__init__(named.values())
        self.items: Callable[[], Any] = named.items


def test_a_job_runs_its_stage_and_leaves_what_it_has_cost_with_its_files(tmp_path: Path) -> None:
    cases, output = tmp_path / "cases.csv", tmp_path / "separated.json"
    cases.write_text("case_id,patient,T1,lesion_mask\n" + "".join(f"c{n},p{n},{n}.nii,none\n" for n in range(3)))
    params = SimpleNamespace(stage="separate")
    study = {"name": "s", "seed": 1, "cohort": {"table": str(cases)}, "channels": {"T1": {"modality": "mr"}}}
    params.items = {"stage": "separate", "study": study, "digests": [], "ledger": str(tmp_path / "openings")}.items
    job = SimpleNamespace(
        input=Named(table=str(cases)),
        output=Named(output=str(output)),
        params=params,
        threads=1,
        log=[str(tmp_path / "logs" / "separate" / "test.log")],
    )
    run(job)
    assert output.is_file()
    cost = json.loads((tmp_path / "logs" / "separate" / "test.cost.json").read_text())
    assert cost["files"] == {"inputs": [str(cases)], "outputs": [str(output)]}


@stage
def lost_stage(*, path: Path) -> None:
    """Read what is not there."""
    path.read_text()


def test_what_the_system_refuses_of_a_file_ends_with_status_2_and_the_log_says_where(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a").write_text("a file where a folder should be")
    for path, words in ((tmp_path / "b.csv", "no such file or directory"), (tmp_path / "a/b", "not a directory")):
        with pytest.raises(SystemExit) as caught:
            lost_stage(path=path, log=tmp_path / "log")  # type: ignore[call-arg]
        assert caught.value.code == 2
        assert capsys.readouterr().err == (
            f"[lost stage] error: {path}: {words}; look whether this file or folder is there, and may be read and "
            "written\n"
        )
    assert "path.read_text()" in (tmp_path / "log").read_text()
