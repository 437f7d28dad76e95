"""Ledger and receipts: where either is missing or they differ, everything stops; one is restored from the other."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from hakken.core.errors import HakkenError
from hakken.core.files import read_json, write_json
from hakken.seal.openings import read_opening, read_openings
from hakken.seal.receipts import require_receipts, restore

from ..opened import open_results


@pytest.fixture
def places(tmp_path: Path) -> tuple[Path, list[Path]]:
    """A ledger that two scales of a study share, and their results."""
    folders = [tmp_path / "results/example" / scale for scale in ("tiny", "small")]
    for number, results in enumerate(folders):
        open_results(results, tmp_path / "openings", selected=f"m{number}")
    return tmp_path / "openings", folders


def test_all_is_well(places: tuple[Path, list[Path]]) -> None:
    ledger, folders = places
    assert [(one.number, one.scale) for one in require_receipts(ledger, folders)] == [(1, "tiny"), (2, "small")]


def test_a_ledger_that_was_thrown_away(places: tuple[Path, list[Path]]) -> None:
    ledger, folders = places
    shutil.rmtree(ledger)
    with pytest.raises(
        HakkenError, match=r"0001.json: opening 1 of the test set is missing from the ledger, but .*tiny "
    ):
        require_receipts(ledger, folders)


def test_the_last_opening_of_a_ledger_that_was_thrown_away(places: tuple[Path, list[Path]]) -> None:
    ledger, folders = places
    (ledger / "0002.json").unlink()
    with pytest.raises(HakkenError, match=r"0002.json: opening 2 of the test set is missing from the ledger"):
        require_receipts(ledger, folders[:1] + folders[1:])


def test_a_ledger_that_was_begun_anew(places: tuple[Path, list[Path]], tmp_path: Path) -> None:
    ledger, folders = places
    shutil.rmtree(ledger)
    open_results(tmp_path / "results/another/tiny", ledger, selected="other")
    with pytest.raises(HakkenError, match=r"receipt of opening 1 and .*0001.json are not the same; one of the two was"):
        require_receipts(ledger, folders)


def test_receipts_that_were_thrown_away_beside_test_results(places: tuple[Path, list[Path]]) -> None:
    ledger, folders = places
    shutil.rmtree(folders[0] / "test/receipts")
    with pytest.raises(
        HakkenError, match=r"receipts/0001.json: the receipt of opening 1 is missing, but .* test results"
    ):
        require_receipts(ledger, folders)


def test_results_that_were_moved_away_leave_the_ledger_counting(places: tuple[Path, list[Path]]) -> None:
    ledger, folders = places
    shutil.rmtree(folders[0])
    assert len(require_receipts(ledger, folders)) == 2


def test_a_receipt_that_was_forged(places: tuple[Path, list[Path]]) -> None:
    ledger, folders = places
    path = folders[0] / "test/receipts/0001.json"
    write_json(path, replace(read_opening(path), models={"selected": "better"}).as_dict())
    with pytest.raises(HakkenError, match="are not the same"):
        require_receipts(ledger, folders)


def test_a_ledger_is_restored_from_receipts_and_marked(places: tuple[Path, list[Path]]) -> None:
    ledger, folders = places
    before = read_openings(ledger)
    shutil.rmtree(ledger)
    made = [path for results in folders for path in restore(ledger, results)]
    assert [path.name for path in made] == ["0001.json", "0002.json"]
    assert require_receipts(ledger, folders) == before
    assert all(one.restored for one in read_openings(ledger))
    assert restore(ledger, folders[0]) == []


def test_receipts_are_restored_from_the_ledger(places: tuple[Path, list[Path]]) -> None:
    ledger, folders = places
    shutil.rmtree(folders[1] / "test/receipts")
    assert restore(ledger, folders[1]) == [folders[1] / "test/receipts/0002.json"]
    require_receipts(ledger, folders)


def test_what_was_predicted_and_measured_is_restored_with_the_openings(places: tuple[Path, list[Path]]) -> None:
    ledger, folders = places
    for number, results in enumerate(folders, start=1):
        for place in (ledger, results / "test/receipts"):
            write_json(place / f"{number:04d}.selected.json", {"sketch": number})
    shutil.rmtree(ledger)
    made = [path.name for results in folders for path in restore(ledger, results)]
    assert made == ["0001.json", "0001.selected.json", "0002.json", "0002.selected.json"]
    shutil.rmtree(folders[1] / "test/receipts")
    assert [path.name for path in restore(ledger, folders[1])] == ["0002.json", "0002.selected.json"]
    assert read_json(folders[1] / "test/receipts/0002.selected.json") == {"sketch": 2}
