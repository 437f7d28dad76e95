"""Only what was measured is shown: not a number, a table or predictions that were changed since."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from hakken.core.errors import HakkenError
from hakken.core.files import read_json, sha256_file, write_json
from hakken.outcomes import Measured, Row, Table
from hakken.runs.measurement import FILE, Measurement, read_measurement, table_of, write_measurement
from hakken.runs.shown import require_predicted, require_shown
from hakken.seal.freeze import write_sealed
from hakken.seal.measured import note
from hakken.seal.openings import Opening, again, append, read_opening
from hakken.seal.receipts import write_receipt

from ..opened import freeze_of, open_results


def measure(results: Path, part: str, value: float) -> Path:
    row = Row("sensitivity", value, 0.1, 0.9)
    tables = {"curve": Table(("sensitivity",), [(value,)])}
    folder, predictions = results / "measurements" / part / "selected", results / "predictions" / part / "selected"
    write_json(predictions / "manifest.json", {"files": {}, "value": value})
    hashes = {"predictions": sha256_file(predictions / "manifest.json")}
    outcomes = {"candidates": Measured(row, (row,), tables=tables)}
    write_measurement(folder, Measurement("example", "tiny", "selected", part, "candidates", outcomes, hashes=hashes))
    return folder


@pytest.fixture
def ledger(tmp_path: Path) -> Path:
    return tmp_path / "openings"


@pytest.fixture
def results(tmp_path: Path, ledger: Path) -> Path:
    """Results whose selected model was measured on validation, frozen, opened, and measured on test."""
    results = tmp_path / "results/example/tiny"
    validation = measure(results, "validation", 0.7)
    opening = open_results(results, ledger)
    freeze = freeze_of(selected="aa")
    freeze["hashes"] = freeze["hashes"] | {"validation": {"selected": sha256_file(validation / FILE)}}
    write_sealed(results / "freeze.json", freeze)
    note(ledger, results, opening, "selected", measure(results, "test", 0.5) / FILE)
    return results


def opening_of(results: Path) -> Opening:
    return read_opening(results / "test/opening.json")


def show(results: Path, ledger: Path | None, part: str = "test") -> None:
    require_shown(results, [results / "measurements" / part / "selected"], opening_of(results), ledger)


def forged(path: Path, value: float) -> None:
    """Another number in a measurement, under a new digest of itself."""
    content: dict[str, Any] = read_json(path)
    del content["digest"]
    content["outcomes"]["candidates"]["rows"][0]["value"] = value
    write_sealed(path, content)


def test_what_was_measured_is_shown(results: Path, ledger: Path) -> None:
    for place in (ledger, None):
        for part in ("test", "validation"):
            show(results, place, part)


@pytest.mark.parametrize("part", ["test", "validation"])
def test_an_edited_number_is_not_shown(part: str, results: Path, ledger: Path) -> None:
    path = results / "measurements" / part / "selected" / FILE
    path.write_text(path.read_text().replace("0.5", "0.99").replace("0.7", "0.99"))
    with pytest.raises(HakkenError, match=r"measurement.json: was changed since it was written; delete the folder to"):
        show(results, ledger, part)


def test_an_edited_table_is_not_drawn(results: Path) -> None:
    folder = results / "measurements/test/selected"
    assert table_of(folder, "candidates", "curve", ("sensitivity",)).numbers("sensitivity").tolist() == [0.5]
    (folder / "candidates.curve.csv").write_text("sensitivity\n0.99\n")
    with pytest.raises(HakkenError, match=r"candidates.curve.csv: missing or changed; delete the folder to measure"):
        table_of(folder, "candidates", "curve", ("sensitivity",))


@pytest.mark.parametrize("alone", [False, True], ids=["with the ledger", "alone"])
def test_a_measurement_that_was_forged_whole_is_not_shown(alone: bool, results: Path, ledger: Path) -> None:
    path = results / "measurements/test/selected" / FILE
    forged(path, 0.99)
    assert read_measurement(path.parent).rows[0].value == 0.99
    place = results / "test/receipts" if alone else ledger
    with pytest.raises(HakkenError) as caught:
        show(results, None if alone else ledger)
    assert str(caught.value) == (
        f"{path}: {place} does not know it as measured for opening 1; delete its folder to measure again"
    )


def test_a_validation_that_was_forged_whole_is_not_shown(results: Path, ledger: Path) -> None:
    path = results / "measurements/validation/selected" / FILE
    forged(path, 0.99)
    with pytest.raises(HakkenError, match=r"measurement.json: is not what was measured when .*freeze.json was written"):
        show(results, ledger, "validation")


def test_predictions_that_were_not_measured_are_not_shown(results: Path, ledger: Path) -> None:
    predictions = results / "predictions/test/selected"
    write_json(predictions / "manifest.json", {"files": {}, "value": 0.99})
    for look in (lambda: show(results, ledger), lambda: require_predicted(predictions)):
        with pytest.raises(
            HakkenError, match=r"predictions/test/selected: is not what was measured in .*; delete both"
        ):
            look()


def test_predictions_that_nobody_has_measured_yet(results: Path) -> None:
    write_json(results / "predictions/test/other/manifest.json", {"files": {}})
    require_predicted(results / "predictions/test/other")


def test_a_note_of_other_models_does_not_count(results: Path, ledger: Path) -> None:
    """Results of an earlier opening were put back beside another freeze."""
    (results / "test/opening.json").unlink()
    open_results(results, ledger, selected="bb")
    with pytest.raises(HakkenError, match="does not know it as measured for opening 2;"):
        show(results, ledger)


def test_measuring_again_is_no_opening_and_may_say_otherwise(results: Path, ledger: Path) -> None:
    note(ledger, results, opening_of(results), "selected", measure(results, "test", 0.6) / FILE)
    show(results, ledger)


def test_a_model_that_another_one_was_opened_again_beside(results: Path, ledger: Path) -> None:
    added = append(ledger, lambda known: again(known[-1], "predictions or truth of default differ"))
    assert added is not None
    write_receipt(results, added)
    show(results, ledger)


def test_notes_are_no_openings(results: Path, ledger: Path) -> None:
    names = sorted(path.name for path in ledger.iterdir())
    assert [name for name in names if name.count(".") == 1] == ["0001.json"]
    assert json.loads((ledger / names[1 if names[0] == "0001.json" else 0]).read_text())["opening"]
