"""The ledger of test openings: nothing can be changed, removed or reordered unseen."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from hakken.core.errors import HakkenError
from hakken.core.files import sha256_json
from hakken.report.seal import ORIGIN, append_opening, read_openings, require_opening

MODELS = {"selected": "aa", "default": "bb"}


@pytest.fixture
def ledger(tmp_path: Path) -> Path:
    """A ledger of four openings."""
    path = tmp_path / "openings.jsonl"
    for freeze in ("f1", "f2", "f3", "f4"):
        append_opening(path, freeze, MODELS)
    return path


def test_openings_are_chained(ledger: Path) -> None:
    openings = read_openings(ledger)
    assert [opening["number"] for opening in openings] == [1, 2, 3, 4]
    assert [opening["freeze"] for opening in openings] == ["f1", "f2", "f3", "f4"]
    assert [opening["previous"] for opening in openings] == [ORIGIN, *(opening["hash"] for opening in openings[:3])]
    for opening in openings:
        assert opening["models"] == MODELS
        assert opening["hash"] == sha256_json({key: value for key, value in opening.items() if key != "hash"})
        assert opening["time"].endswith("+00:00")


def test_a_new_opening_leaves_the_old_lines_as_they_are(ledger: Path) -> None:
    before = ledger.read_text()
    append_opening(ledger, "f5", MODELS)
    assert ledger.read_text().startswith(before)
    assert len(read_openings(ledger)) == 5


def test_before_the_first_opening_there_is_none(tmp_path: Path) -> None:
    assert read_openings(tmp_path / "openings.jsonl") == []


def rehashed(line: str) -> str:
    """The line with another freeze and a hash that fits it: what a careful cheat would write."""
    body = json.loads(line) | {"freeze": "other"}
    del body["hash"]
    return json.dumps(body | {"hash": sha256_json(body)})


HARMS: dict[str, tuple[Callable[[list[str]], list[str]], int]] = {
    "a value changed": (lambda lines: [lines[0], lines[1].replace("f2", "f9"), *lines[2:]], 2),
    "a time changed": (lambda lines: [lines[0].replace('"time": "20', '"time": "19'), *lines[1:]], 1),
    "changed and hashed anew": (lambda lines: [lines[0], rehashed(lines[1]), *lines[2:]], 3),
    "the first removed": (lambda lines: lines[1:], 1),
    "one in the middle removed": (lambda lines: [lines[0], *lines[2:]], 2),
    "two swapped": (lambda lines: [lines[0], lines[2], lines[1], lines[3]], 2),
    "one doubled": (lambda lines: [lines[0], lines[0], *lines[1:]], 2),
    "a blank line": (lambda lines: [*lines, ""], 5),
    "no JSON": (lambda lines: [lines[0], lines[1][:-4], *lines[2:]], 2),
    "no mapping": (lambda lines: [*lines[:3], "[1]"], 4),
    "no hash": (lambda lines: [*lines[:3], '{"number": 4}'], 4),
}


@pytest.mark.parametrize("harm", HARMS)
def test_a_broken_chain_names_the_line(harm: str, ledger: Path) -> None:
    break_it, line = HARMS[harm]
    ledger.write_text("\n".join(break_it(ledger.read_text().splitlines())) + "\n")
    with pytest.raises(HakkenError) as caught:
        read_openings(ledger)
    assert str(caught.value).startswith(f"{ledger}: line {line}: ")
    assert "the chain of test openings is broken" in str(caught.value)
    before = ledger.read_bytes()
    with pytest.raises(HakkenError):
        append_opening(ledger, "f5", MODELS)
    assert ledger.read_bytes() == before, "nothing is appended to a broken chain"


def test_the_message_says_what_to_do(ledger: Path) -> None:
    ledger.write_text(ledger.read_text().replace("f1", "f0"))
    with pytest.raises(HakkenError) as caught:
        read_openings(ledger)
    assert str(caught.value) == (
        f"{ledger}: line 1: the chain of test openings is broken: a line was changed or removed; "
        "restore the file from a backup, the test results cannot be trusted without it"
    )


def test_results_whose_opening_was_cut_off_are_refused(ledger: Path) -> None:
    *lines, last = ledger.read_text().splitlines(keepends=True)
    opening = json.loads(last)
    assert require_opening(ledger, opening)[-1] == opening
    ledger.write_text("".join(lines))
    assert len(read_openings(ledger)) == 3, "the chain alone cannot tell"
    with pytest.raises(HakkenError) as caught:
        require_opening(ledger, opening)
    assert str(caught.value) == (
        f"{ledger}: opening 4 of the test set is missing, but results of it are here; "
        "restore the file from a backup, the test results cannot be trusted without it"
    )


def test_results_whose_ledger_was_removed_are_refused(ledger: Path) -> None:
    opening = read_openings(ledger)[0]
    ledger.unlink()
    with pytest.raises(HakkenError, match="opening 1 of the test set is missing"):
        require_opening(ledger, opening)
