"""Opening the test set: one file in the ledger for the models that were frozen and the cases that were checked."""

from __future__ import annotations

import errno
import os
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from hakken.cohort.checked import Checked
from hakken.cohort.similarity import Content
from hakken.core.files import read_json, sha256_file, write_json
from hakken.seal.freeze import write_sealed
from hakken.seal.openings import read_opening, read_openings
from hakken.stages.unseal import unseal

from ..opened import edit, freeze_of

STUDY = {
    "name": "example",
    "scale": "tiny",
    "seed": 1,
    "cohort": {"table": "cases.csv"},
    "channels": {"T1": {"modality": "mr"}},
}


@pytest.fixture
def given(tmp_path: Path) -> dict[str, Any]:
    """A frozen model and two checked test cases."""
    results = tmp_path / "results/example/tiny"
    (tmp_path / "cases.csv").write_text(
        "case_id,patient,split,T1,lesion_mask\na,P1,train,a.nii,none\nv,P2,validation,v.nii,none\n"
        "t,P-03,test,t.nii,none\nu,P4,test,u.nii,none\n"
    )
    model = results / "models/selected.pt"
    model.parent.mkdir(parents=True)
    model.write_bytes(b"weights")
    write_sealed(results / "freeze.json", freeze_of(selected=sha256_file(model)))
    cases = {name: Checked(Content({"T1": f"image of {name}"}), "none").as_dict() for name in "tu"}
    write_json(results / "checked/test-000.json", {"cases": cases, "items": []})
    return {
        "study": STUDY,
        "table": tmp_path / "cases.csv",
        "freeze": results / "freeze.json",
        "models": [model],
        "checked": [results / "checked/test-000.json"],
        "ledger": tmp_path / "openings",
        "output": results / "test/opening.json",
    }


def refusal(given: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> str:
    with pytest.raises(SystemExit) as caught:
        unseal(**given)
    assert caught.value.code == 2
    assert not given["output"].exists()
    return capsys.readouterr().err


def test_an_opening_is_recorded_with_its_receipt(given: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> None:
    unseal(**given)
    (opening,) = read_openings(given["ledger"])
    assert (opening.study, opening.scale, opening.design) == ("example", "tiny", "holdout")
    assert opening.models == {"selected": sha256_file(given["models"][0])}
    assert sorted(case.images for case in opening.cases) == [("image of t",), ("image of u",)]
    assert read_opening(given["output"]) == opening
    assert read_opening(given["output"].parent / "receipts/0001.json") == opening
    said = capsys.readouterr().err
    assert said.startswith("[unseal] the test set is open: test opening 1 known to this ledger, begun on 20")
    assert said.endswith("(first opening of these cases)\n")


def test_the_same_again_is_the_same_opening(given: dict[str, Any]) -> None:
    unseal(**given)
    edit(given["freeze"], hakken="another version")  # not of what results depend on
    content = {key: value for key, value in read_json(given["freeze"]).items() if key != "digest"}
    write_sealed(given["freeze"], content)
    unseal(**given)
    assert len(read_openings(given["ledger"])) == 1


def test_a_patient_under_another_spelling_is_the_same(given: dict[str, Any]) -> None:
    unseal(**given)
    given["table"].write_text(given["table"].read_text().replace("P-03", "p3"))
    unseal(**given)
    assert len(read_openings(given["ledger"])) == 1


def test_another_truth_is_another_opening(given: dict[str, Any]) -> None:
    unseal(**given)
    cases = read_json(given["checked"][0])["cases"]
    edit(given["checked"][0], cases=cases | {"t": cases["t"] | {"truth": "other"}})
    unseal(**given)
    assert [one.number for one in read_openings(given["ledger"])] == [1, 2]


def test_a_model_that_was_not_frozen_opens_nothing(given: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> None:
    given["models"][0].write_bytes(b"weightz")
    assert "selected.pt: is not the model that" in refusal(given, capsys)
    assert read_openings(given["ledger"]) == ()


def test_an_edited_freeze_opens_nothing(given: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> None:
    edit(given["freeze"], models={})
    assert "freeze.json: was changed since it was written" in refusal(given, capsys)


def test_a_broken_ledger_keeps_the_test_set_closed(given: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> None:
    given["ledger"].mkdir()
    (given["ledger"] / "0001.json").write_text("not json")
    assert "0001.json: not valid JSON" in refusal(given, capsys)


def test_a_ledger_that_cannot_be_written(given: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> None:
    given["ledger"].write_text("a file where the folder should be")
    assert refusal(given, capsys) == (
        f"[unseal] error: {given['ledger']}: cannot be written (file exists); it would hold the ledger of test "
        "openings: set `cohort.openings` to a folder that all who work with these cases can write to\n"
    )


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS, errno.EACCES, errno.EDQUOT, errno.EIO, errno.ESTALE])
def test_what_the_system_refuses_of_the_ledger_is_said_in_words(
    given: dict[str, Any], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def refuse(path: Path, *_: object) -> None:
        raise OSError(number, os.strerror(number), str(path))

    monkeypatch.setattr("hakken.core.publish._write_beside", refuse)
    said = refusal(given, capsys)
    assert said.startswith(f"[unseal] error: {given['ledger']}: cannot be written ({os.strerror(number).lower()}); ")
    assert "Traceback" not in said


def test_a_ledger_whose_folder_is_on_a_full_disk(
    given: dict[str, Any], capsys: pytest.CaptureFixture[str], small_disk: Path
) -> None:
    filler = small_disk / "filler"
    with suppress(OSError), filler.open("wb", buffering=0) as stream:
        while True:
            stream.write(bytes(4096))
    said = refusal(given | {"ledger": small_disk}, capsys)
    assert f"{small_disk}: cannot be written (no space left on device); it would hold the ledger" in said
    filler.unlink()
    unseal(**given | {"ledger": small_disk})
    assert [opening.number for opening in read_openings(small_disk)] == [1]


def test_results_that_cannot_be_written(given: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> None:
    folder = given["output"].parent
    folder.write_text("a file where the folder should be")
    said = refusal(given, capsys)
    assert said.startswith(f"[unseal] error: {folder}")
    assert said.endswith("; look whether this file or folder is there, and may be read and written\n")
    folder.unlink()
    unseal(**given)
    assert len(read_openings(given["ledger"])) == 1  # the same opening, not another one
