"""Receipts: the full copy of each opening that stands with the results, so that neither can vanish unseen.

An owner of all files can still throw away both; docs/concepts/sealed-test.md says what this proves.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from hakken.cohort.parts import writing_openings
from hakken.core.errors import HakkenError
from hakken.core.files import read_json, write_json
from hakken.core.publish import create
from hakken.seal.openings import FILE, Opening, place_of, read_opening, read_openings

FOLDER = Path("test/receipts")
OPENING = Path("test/opening.json")
RESTORE = "restore the file from a backup, or make it from its copy: `hakken openings STUDY --scale SCALE --restore`"


def write_receipt(results: Path, opening: Opening) -> None:
    """Put the copy of an opening with the results of the study at its scale."""
    create(place_of(results / FOLDER, opening.number), opening.as_dict())


def require_receipts(ledger: Path, folders: Iterable[Path]) -> tuple[Opening, ...]:
    """Return the openings of a ledger, compared with the receipts in ``folders`` of results, one for each scale.

    Raises HakkenError where one is missing on either side, or both say something else.
    """
    openings = read_openings(ledger)
    for results in folders:
        for receipt in receipts_of(results):
            _require_same(receipt, openings, ledger, results)
        _require_receipt(openings, ledger, results)
    return openings


def receipts_of(results: Path) -> Iterator[Opening]:
    """Yield the openings that the results of a study at a scale know of: their receipts, and the one they rest on."""
    for path in sorted((results / FOLDER).glob("*.json")):
        if FILE.fullmatch(path.name):
            yield read_opening(path)
    if (results / OPENING).is_file():
        yield read_opening(results / OPENING)


def _require_same(receipt: Opening, openings: tuple[Opening, ...], ledger: Path, results: Path) -> None:
    if receipt.number > len(openings):
        raise HakkenError(
            f"{place_of(ledger, receipt.number)}: opening {receipt.number} of the test set is missing from the ledger, "
            f"but {results} holds its receipt; {RESTORE}"
        )
    if openings[receipt.number - 1] != receipt:
        raise HakkenError(
            f"{results}: the receipt of opening {receipt.number} and {place_of(ledger, receipt.number)} are not the "
            f"same; one of the two was replaced; {RESTORE}"
        )


def _require_receipt(openings: tuple[Opening, ...], ledger: Path, results: Path) -> None:
    """Raise HakkenError where results hold test results, and an opening of theirs has no receipt there.

    A run that was killed between both writes leaves an opening that nothing was predicted for: it has yet to get its
    receipt.
    """
    path = results / OPENING
    if not path.is_file() and not any((results / "predictions/test").glob("*")):
        return
    rests_on = read_opening(path) if path.is_file() else None
    for opening in openings:
        mine = (opening.study, opening.scale) == (results.parent.name, results.name)
        used = opening == rests_on or any(ledger.glob(f"{opening.number:04d}.*.json"))
        if mine and used and not place_of(results / FOLDER, opening.number).is_file():
            raise HakkenError(
                f"{place_of(results / FOLDER, opening.number)}: the receipt of opening {opening.number} is missing, "
                f"but {results} holds test results; {RESTORE}"
            )


def restore(ledger: Path, results: Path) -> list[Path]:
    """Copy what is missing from the ledger into the receipts of ``results``, and the other way round.

    Each copy of an opening is marked with the day; what was predicted and measured for it is copied with it. Returns
    the files that were made. Raises HakkenError where a file that is there is not sound, or where the ledger would not
    be a chain.
    """
    today = datetime.now(UTC).date().isoformat()
    receipts = results / FOLDER
    mine = {opening.number: opening for opening in receipts_of(results)}
    made = [path for number, one in sorted(mine.items()) if (path := _copied(one, place_of(ledger, number), today))]
    for one in read_openings(ledger):
        if (one.study, one.scale) == (results.parent.name, results.name):
            mine[one.number] = one
            made += [path] if (path := _copied(one, place_of(receipts, one.number), today)) else []
    for number in sorted(mine):
        made += [*_copied_beside(number, receipts, ledger), *_copied_beside(number, ledger, receipts)]
    return made


def _copied(opening: Opening, path: Path, today: str) -> Path | None:
    """Return ``path`` where an opening was copied there, marked; None where it stands there already."""
    if path.is_file():
        return None
    with writing_openings(path.parent):
        write_json(path, replace(opening, restored=(*opening.restored, today)).as_dict())
    return path


def _copied_beside(number: int, origin: Path, place: Path) -> Iterator[Path]:
    """Yield the files that stand beside an opening and were copied from ``origin`` to ``place``."""
    for path in sorted(origin.glob(f"{number:04d}.*.json")):
        with writing_openings(place):
            made = create(place / path.name, read_json(path))
        if made:
            yield place / path.name
