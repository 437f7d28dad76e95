"""Openings of the same images that the ledger of a study does not know: of a copied table, or of a ledger left behind.

A ledger stands beside its case table unless the study names another place, so that a table in another folder, or
another place, begins a new one. Ledgers near the images and receipts of all results of the project tell of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from hakken.cohort.case import Case, CaseTable
from hakken.cohort.checked import Checked
from hakken.cohort.parts import FOLDER as LEDGER
from hakken.core.errors import HakkenError
from hakken.core.problems import Problem
from hakken.seal.openings import Opening, read_openings
from hakken.seal.receipts import FOLDER as RECEIPTS
from hakken.seal.receipts import receipts_of

Elsewhere = Sequence[tuple[Path, Opening]]


def openings_elsewhere(ledger: Path, table: CaseTable, results: Path) -> Elsewhere:
    """Return openings that ``ledger`` does not know, with the folder that does.

    Looked at are ledgers beside the ``table`` and in the folders above its files, and the receipts of all studies whose
    ``results`` stand in one folder. What is no sound ledger is passed over: it is none of this study's.
    """
    known = {one.hash for one in read_openings(ledger)}
    found: dict[str, tuple[Path, Opening]] = {}
    for place, openings in (*_near(ledger, table), *_of_results(results)):
        for one in openings:
            if one.hash not in known:
                found.setdefault(one.hash, (place, one))
    return list(found.values())


def opened_elsewhere(table: CaseTable, found: Elsewhere, checked: Mapping[str, Checked]) -> Iterator[Problem]:
    """Yield a problem for each case with an image that was opened, but not in the ledger of the study."""
    seen = {image: where for where in found for key in where[1].cases for image in key.images}
    for case in table.cases:
        images = checked[case.case_id].images if case.case_id in checked else {}
        column = next((name for name, image in images.items() if image in seen), None)
        if column is not None:
            yield _problem(case, column, *seen[images[column]])


def _problem(case: Case, column: str, place: Path, opening: Opening) -> Problem:
    reason = (
        f"this image was opened in opening {opening.number} of {place} (study {opening.study} at {opening.scale}), "
        "which the ledger of this study does not know"
    )
    remedy = "share one ledger: name its folder in `cohort.openings`; or give cohort.reuse_opened a reason"
    return Problem(case.case_id, column, reason, remedy, case.row)


def _near(ledger: Path, table: CaseTable) -> Iterator[tuple[Path, tuple[Opening, ...]]]:
    """Yield the ledgers beside a table and above its files, the nearest name of each folder."""
    folders = {folder: None for path in _places(table) for folder in path.parents}
    mine = {ledger.resolve()}
    for folder in folders:
        place = folder / LEDGER
        if place.is_dir() and place.resolve() not in mine:
            mine.add(place.resolve())
            yield place, _sound(place)


def _places(table: CaseTable) -> Iterable[Path]:
    for path in (table.source, *(path for case in table.cases for path in case.files)):
        yield path
        yield path.resolve()


def _of_results(results: Path) -> Iterator[tuple[Path, tuple[Opening, ...]]]:
    for folder in sorted(results.parent.parent.glob(f"*/*/{RECEIPTS}")):
        try:
            yield folder, tuple(receipts_of(folder.parents[1]))
        except HakkenError:
            continue


def _sound(place: Path) -> tuple[Opening, ...]:
    try:
        return read_openings(place)
    except HakkenError:
        return ()
