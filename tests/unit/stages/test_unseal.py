"""Opening the test set: one line in the ledger each time."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from hakken.core.files import sha256_file
from hakken.report.seal import read_openings
from hakken.stages.unseal import unseal


@pytest.fixture
def sealed(tmp_path: Path) -> Path:
    """A freeze file."""
    path = tmp_path / "freeze.json"
    path.write_text(json.dumps({"models": {"selected": {"sha256": "aa"}, "default": {"sha256": "bb"}}}))
    return path


def test_an_opening_is_recorded_and_handed_on(sealed: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ledger, output = tmp_path / "openings.jsonl", tmp_path / "test" / "opening.json"
    unseal(freeze=sealed, ledger=ledger, output=output)
    (opening,) = read_openings(ledger)
    assert opening["freeze"] == sha256_file(sealed)
    assert opening["models"] == {"selected": "aa", "default": "bb"}
    assert json.loads(output.read_text()) == opening
    shown = capsys.readouterr().err
    assert shown == "[unseal] the test set is opened; opening number 1 of this study at this scale\n"


def test_every_opening_counts(sealed: Path, tmp_path: Path) -> None:
    ledger, output = tmp_path / "openings.jsonl", tmp_path / "opening.json"
    for number in (1, 2, 3):
        unseal(freeze=sealed, ledger=ledger, output=output)
        assert json.loads(output.read_text())["number"] == number
    assert len(read_openings(ledger)) == 3


def test_a_broken_ledger_keeps_the_test_set_closed(
    sealed: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ledger, output = tmp_path / "openings.jsonl", tmp_path / "opening.json"
    ledger.write_text("not json\n")
    with pytest.raises(SystemExit) as caught:
        unseal(freeze=sealed, ledger=ledger, output=output)
    assert caught.value.code == 2
    assert f"{ledger}: line 1: not a JSON object; the chain of test openings is broken" in capsys.readouterr().err
    assert not output.exists()


def test_without_a_freeze_nothing_is_opened(tmp_path: Path) -> None:
    with pytest.raises(SystemExit):
        unseal(freeze=tmp_path / "freeze.json", ledger=tmp_path / "openings.jsonl", output=tmp_path / "opening.json")
    assert not (tmp_path / "openings.jsonl").exists()
