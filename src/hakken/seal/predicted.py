"""What models said of opened cases: other predictions, or another truth, count as another opening.

Of the predictions and of the truth of each case sums are kept beside the opening (`hakken.seal.sketch`). Another
machine, or predicting again, changes less than their tolerance.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from hakken.cohort.parts import writing_openings
from hakken.core.errors import HakkenError
from hakken.core.files import read_json
from hakken.core.publish import create
from hakken.seal.guard import Opened
from hakken.seal.openings import BACKUP, Opening, again, append
from hakken.seal.receipts import FOLDER, write_receipt
from hakken.seal.sketch import Sketch, same


def record(ledger: Path, results: Path, opened: Opened, model: str, found: Sketch) -> Opening:
    """Return the opening that predictions of a model belong to.

    That is the last one for the same models and cases; where other predictions are written down there, another one is
    added. Raises HakkenError where what was written down has vanished on one side.
    """
    mine = [one for one in opened.known if one.same_cases(opened.opening)]
    write_receipt(results, mine[-1])
    while not _agrees(ledger, results, mine[-1], model, found):
        mine = _another(ledger, mine, model)
        write_receipt(results, mine[-1])
    return mine[-1]


def _agrees(ledger: Path, results: Path, opening: Opening, model: str, found: Sketch) -> bool:
    """Whether predictions are those that are written down of an opening, or the first ones."""
    name = f"{opening.number:04d}.{model}.json"
    path, receipt = ledger / name, results / FOLDER / name
    if not path.is_file() and receipt.is_file():
        raise HakkenError(f"{path}: missing, but {receipt} is its receipt; {BACKUP}")
    content = {
        "opening": opening.hash,
        "model": model,
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
        "sketch": found,
    }
    with writing_openings(ledger):
        create(path, content)
    known = read_json(path)
    if receipt.is_file() and read_json(receipt) != known:
        raise HakkenError(f"{path}: is not what its receipt {receipt} says; {BACKUP}")
    if known["opening"] != opening.hash:
        raise HakkenError(f"{path}: belongs to another opening than {opening.number}; {BACKUP}")
    create(receipt, known)
    return same(found, known["sketch"])


def _another(ledger: Path, mine: list[Opening], model: str) -> list[Opening]:
    """Return the openings of the same models and cases after one was added, by this run or by another."""
    last = mine[-1]
    reason = f"predictions or truth of {model} differ from those of opening {last.number}"
    later: list[Opening] = []

    def wanted(openings: tuple[Opening, ...]) -> Opening | None:
        later[:] = [one for one in openings if one.same_cases(last) and one.number > last.number]
        return None if later else again(last, reason)

    added = append(ledger, wanted)
    return [*mine, *([added] if added is not None else later)]
