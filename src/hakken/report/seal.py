"""The ledger of test openings: one JSON line each, chained by hashes so that no opening can be taken back unseen."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from hakken.core.errors import HakkenError
from hakken.core.files import sha256_json, write_text

ORIGIN = "0" * 64


def read_openings(ledger: Path) -> list[dict[str, Any]]:
    """Return all openings, oldest first; raises HakkenError naming the line where the chain is broken."""
    if not ledger.exists():
        return []
    openings: list[dict[str, Any]] = []
    for number, line in enumerate(ledger.read_text(encoding="utf-8").splitlines(), start=1):
        previous = openings[-1]["hash"] if openings else ORIGIN
        opening = _parse(ledger, number, line)
        body = {key: value for key, value in opening.items() if key != "hash"}
        if body.get("number") != number or body.get("previous") != previous or sha256_json(body) != opening.get("hash"):
            raise HakkenError(
                f"{ledger}: line {number}: the chain of test openings is broken: a line was changed or removed; "
                f"restore the file from a backup, the test results cannot be trusted without it"
            )
        openings.append(opening)
    return openings


def require_opening(ledger: Path, opening: dict[str, Any]) -> list[dict[str, Any]]:
    """Return all openings; raises HakkenError where ``opening``, which test results rest on, is not among them.

    The chain alone cannot show that its last lines were taken away; an opening that is known from elsewhere can.
    """
    openings = read_openings(ledger)
    if opening not in openings:
        raise HakkenError(
            f"{ledger}: opening {opening.get('number')} of the test set is missing, but results of it are here; "
            f"restore the file from a backup, the test results cannot be trusted without it"
        )
    return openings


def append_opening(ledger: Path, freeze: str, models: dict[str, str]) -> dict[str, Any]:
    """Record an opening of the test set for a freeze (SHA-256 of its file) and its models (SHA-256 each).

    The file is replaced in one step, so a killed writer leaves the chain as it was.
    """
    openings = read_openings(ledger)
    body = {
        "number": len(openings) + 1,
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
        "freeze": freeze,
        "models": models,
        "previous": openings[-1]["hash"] if openings else ORIGIN,
    }
    opening = body | {"hash": sha256_json(body)}
    write_text(ledger, "".join(json.dumps(line) + "\n" for line in [*openings, opening]))
    return opening


def _parse(ledger: Path, number: int, line: str) -> dict[str, Any]:
    try:
        value = json.loads(line)
    except json.JSONDecodeError:
        value = None
    if not isinstance(value, dict):
        raise HakkenError(f"{ledger}: line {number}: not a JSON object; the chain of test openings is broken")
    return value
