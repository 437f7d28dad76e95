"""What was measured of opened cases: it is written down beside the opening, and nothing else is shown.

Measuring again, by another version or over other strata, is no opening, so that there may be several digests for each
model of an opening, each in a file of its own: a number that no measurement has given is none of them.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

from hakken.core.errors import HakkenError
from hakken.core.files import read_json, sha256_file
from hakken.core.publish import create
from hakken.seal.openings import Opening
from hakken.seal.receipts import FOLDER

REDO = "delete its folder to measure again"


def note(ledger: Path, results: Path, opening: Opening, model: str, measurement: Path) -> None:
    """Write down, in the ledger and beside the receipts, the digest of a file of what was measured of a model."""
    content = {
        "opening": opening.hash,
        "model": model,
        "measurement": sha256_file(measurement),
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    name = _name(opening, model, content["measurement"])
    create(ledger / name, content)
    create(results / FOLDER / name, read_json(ledger / name))


def require_noted(place: Path, openings: Iterable[Opening], model: str, measurement: Path) -> None:
    """Raise HakkenError where ``place``, the ledger or the receipts, holds no note of a measurement for any opening."""
    digest, numbers = sha256_file(measurement), dict[str, None]()
    for opening in openings:
        path = place / _name(opening, model, digest)
        known = read_json(path) if path.is_file() else {}
        if (known.get("opening"), known.get("measurement")) == (opening.hash, digest):
            return
        numbers[str(opening.number)] = None
    raise HakkenError(f"{measurement}: {place} does not know it as measured for opening {' or '.join(numbers)}; {REDO}")


def _name(opening: Opening, model: str, digest: str) -> str:
    return f"{opening.number:04d}.{model}.{digest[:16]}.json"
