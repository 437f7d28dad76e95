"""What a figure, the summary and the report may show of models: what was measured, as it was measured."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from hakken.core.errors import HakkenError
from hakken.core.files import sha256_file
from hakken.runs.measurement import FILE, REDO, Measurement, read_measurement
from hakken.runs.predictions import MANIFEST, manifest_digest
from hakken.seal.freeze import read_freeze
from hakken.seal.measured import require_noted
from hakken.seal.openings import Opening, read_openings
from hakken.seal.receipts import FOLDER, receipts_of

TEST, VALIDATION = "test", "validation"


def require_shown(results: Path, folders: Iterable[Path], opening: Opening | None, ledger: Path | None) -> None:
    """Raise HakkenError naming the first measurement among ``folders`` that is not what was measured.

    On validation that is what was frozen; on the test set what was written down beside the ``opening``, in the ledger
    (None where results stand alone) and among the receipts. What was predicted must be what was measured.
    """
    measured = {folder: read_measurement(folder) for folder in folders if (folder / FILE).is_file()}
    for folder, one in measured.items():
        _require_same_predictions(results, folder, one)
    _require_frozen(results / "freeze.json", [folder for folder, one in measured.items() if one.part == VALIDATION])
    if opening is None:
        return
    of_test = [(one.model, folder / FILE) for folder, one in measured.items() if one.part == TEST]
    known = {ledger: list(read_openings(ledger))} if ledger else {}
    known[results / FOLDER] = list(receipts_of(results))
    for place, openings in known.items():
        for model, path in of_test:
            require_noted(place, [one for one in openings if one.same_cases(opening)], model, path)


def require_predicted(predictions: Path) -> None:
    """Raise HakkenError where a folder of predictions was measured and held other predictions then."""
    results, part, model = predictions.parents[2], predictions.parent.name, predictions.name
    folder = results / "measurements" / part / model
    if (folder / FILE).is_file():
        _require_same_predictions(results, folder, read_measurement(folder))


def _require_frozen(freeze: Path, folders: Iterable[Path]) -> None:
    """Raise HakkenError where what was measured on validation is not what was frozen."""
    frozen = read_freeze(freeze)["hashes"].get("validation", {}) if freeze.is_file() else {}
    for folder in folders:
        if folder.name in frozen and sha256_file(folder / FILE) != frozen[folder.name]:
            raise HakkenError(f"{folder / FILE}: is not what was measured when {freeze} was written; {REDO}")


def _require_same_predictions(results: Path, folder: Path, measured: Measurement) -> None:
    predictions = results / "predictions" / measured.part / measured.model
    known = (measured.hashes or {}).get("predictions")
    if known and (predictions / MANIFEST).is_file() and manifest_digest(predictions) != known:
        raise HakkenError(f"{predictions}: is not what was measured in {folder}; delete both to predict again")
