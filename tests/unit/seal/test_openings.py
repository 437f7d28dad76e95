"""The ledger of test openings: nothing can be changed, removed or reordered unseen, and no two runs share a number."""

from __future__ import annotations

import multiprocessing
from dataclasses import replace
from pathlib import Path

import pytest

from hakken.core.errors import HakkenError
from hakken.core.files import read_json, sha256_json, write_json
from hakken.seal.openings import ORIGIN, CaseKey, earlier_opening, open_cases, read_opening, read_openings

from ..opened import CASES, edit, freeze_of, opening_of

FORK = multiprocessing.get_context("fork")


@pytest.fixture
def ledger(tmp_path: Path) -> Path:
    """A ledger of four openings."""
    for number in range(4):
        open_cases(tmp_path / "openings", opening_of(freeze_of(selected=f"m{number}")))
    return tmp_path / "openings"


def test_openings_are_chained_and_say_all(ledger: Path) -> None:
    openings = read_openings(ledger)
    assert [one.number for one in openings] == [1, 2, 3, 4]
    assert [one.models for one in openings] == [{"selected": f"m{number}"} for number in range(4)]
    assert [one.previous for one in openings] == [ORIGIN, *(one.hash for one in openings[:3])]
    assert [one.reason for one in openings[:2]] == ["first opening of these cases", "other models than in opening 1"]
    content = read_json(ledger / "0002.json")
    assert content["hash"] == sha256_json({key: value for key, value in content.items() if key != "hash"})
    assert content["begun"].endswith("+00:00")
    assert openings[1].words == f"test opening 2 known to this ledger, begun on {content['begun'][:10]}"


def test_the_same_models_and_cases_are_no_new_opening(ledger: Path) -> None:
    before = {path: path.read_bytes() for path in ledger.iterdir()}
    same = opening_of(freeze_of(selected="m1"), reversed(CASES), study="another", scale="small")
    assert open_cases(ledger, same).number == 2
    assert {path: path.read_bytes() for path in ledger.iterdir()} == before


@pytest.mark.parametrize(
    "case",
    [
        replace(CASES[0], images=("aa", "b2")),
        replace(CASES[0], truth="t2"),
        CaseKey("r" * 64, ("aa", "bb"), "t2"),
    ],
)
def test_another_image_or_truth_is_another_opening(case: CaseKey, ledger: Path) -> None:
    reason = "the same models as in opening 1, other test images or truth"
    opening = open_cases(ledger, opening_of(freeze_of(selected="m0"), (case, CASES[1])))
    assert (opening.number, opening.reason) == (5, reason)


def test_a_patient_with_another_name_is_no_new_opening(ledger: Path) -> None:
    renamed = [replace(case, patient=letter * 64) for case, letter in zip(CASES, "xy", strict=True)]
    assert open_cases(ledger, opening_of(freeze_of(selected="m0"), renamed)).number == 1
    other = open_cases(ledger, opening_of(freeze_of(selected="m9"), renamed))
    assert (other.number, other.reason) == (5, "other models than in opening 4")


def test_another_threshold_is_another_opening(ledger: Path) -> None:
    freeze = freeze_of(selected="m0")
    freeze["models"]["selected"]["points"]["candidates"]["threshold"] = 0.4
    assert open_cases(ledger, opening_of(freeze)).number == 5


def test_no_name_stands_in_the_ledger(ledger: Path) -> None:
    assert read_json(ledger / "0001.json")["cases"] == [[key.patient, list(key.images), key.truth] for key in CASES]


@pytest.mark.parametrize("number", [1, 2, 3])
def test_a_missing_opening_is_named(number: int, ledger: Path) -> None:
    (ledger / f"{number:04d}.json").unlink()
    with pytest.raises(
        HakkenError, match=rf"{number:04d}.json: missing, though opening 4 is there; test results cannot"
    ):
        read_openings(ledger)


@pytest.mark.parametrize("change", [{"study": "other"}, {"cases": []}, {"models": {"selected": "m9"}}, {"hash": "0"}])
def test_a_changed_opening_is_named(change: dict[str, object], ledger: Path) -> None:
    edit(ledger / "0002.json", **change)
    with pytest.raises(
        HakkenError, match=r"0002.json: an opening of the test set that was changed since it was written"
    ):
        read_openings(ledger)


def test_an_opening_that_was_forged_whole_does_not_follow(ledger: Path) -> None:
    forged = replace(read_opening(ledger / "0002.json"), models={"selected": "better"})
    write_json(ledger / "0002.json", forged.as_dict())
    with pytest.raises(HakkenError, match=r"0003.json: does not follow the opening before it"):
        read_openings(ledger)


@pytest.mark.parametrize("text", ["", "not json", "[]", "{}", '{"number": 2}'])
def test_what_is_no_opening(text: str, ledger: Path) -> None:
    (ledger / "0002.json").write_text(text)
    with pytest.raises(HakkenError, match=r"0002\.json: (not valid JSON|an opening of the test set that was changed)"):
        read_openings(ledger)


def _open(ledger: Path, name: str, barrier: object) -> None:
    barrier.wait()  # type: ignore[attr-defined]
    open_cases(ledger, opening_of(freeze_of(selected=name)))


def test_runs_at_the_same_moment_lose_no_opening(tmp_path: Path) -> None:
    barrier = FORK.Barrier(6)
    writers = [FORK.Process(target=_open, args=(tmp_path, f"m{n}", barrier)) for n in range(6)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    openings = read_openings(tmp_path)
    assert [one.number for one in openings] == [1, 2, 3, 4, 5, 6]
    assert {one.models["selected"] for one in openings} == {f"m{number}" for number in range(6)}


def test_an_opening_of_an_earlier_version_is_kept_without_cases() -> None:
    line = {"number": 1, "time": "2025-01-02T03:04:05+00:00", "freeze": "f", "models": {"selected": "a"}, "hash": "h"}
    opening = earlier_opening(line, "example", "tiny", "holdout")
    assert (opening.begun, opening.models, opening.cases) == (line["time"], {"selected": "a"}, ())
