"""Results whose test set is open: a freeze, a ledger, a receipt, as the stages write them."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from hakken.core.files import read_json, write_json
from hakken.seal.freeze import freeze_key, write_sealed
from hakken.seal.openings import CaseKey, Opening, new_opening, open_cases
from hakken.seal.receipts import write_receipt

CASES = (CaseKey("p" * 64, ("aa", "bb"), "tt"), CaseKey("q" * 64, ("cc", "dd"), "none"))
HASHES = {"sealed_study": "5tudy", "case_table": "7able", "code": {"trial": "c0de"}}


def freeze_of(**models: str) -> dict[str, Any]:
    """Return what is frozen of models with these digests."""
    sealed = {name: {"sha256": sha256, "points": {"candidates": {"threshold": 0.5}}} for name, sha256 in models.items()}
    return {"models": sealed, "plan": {}, "hashes": HASHES}


def opening_of(freeze: dict[str, Any], cases: Iterable[CaseKey] = CASES, **more: Any) -> Opening:
    """Return an opening that has no number yet."""
    known = {"study": "example", "scale": "tiny", "design": "holdout"} | more
    models = {name: model["sha256"] for name, model in freeze["models"].items()}
    return new_opening(**known, freeze=freeze_key(freeze), models=models, cases=cases)


def open_results(results: Path, ledger: Path, cases: Iterable[CaseKey] = CASES, **models: str) -> Opening:
    """Write into ``results`` what the freeze and the opening leave there, and return the opening."""
    freeze = freeze_of(**(models or {"selected": "aa"}))
    write_sealed(results / "freeze.json", freeze)
    opening = open_cases(ledger, opening_of(freeze, cases, study=results.parent.name, scale=results.name))
    write_receipt(results, opening)
    write_json(results / "test/opening.json", opening.as_dict())
    return opening


def edit(path: Path, **changes: Any) -> None:
    """Change keys of a JSON file as somebody would by hand."""
    write_json(path, read_json(path) | changes)
