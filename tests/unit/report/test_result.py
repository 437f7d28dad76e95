"""A finished study gathered from its files."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from hakken.core.errors import HakkenError
from hakken.report.result import gather, plain, with_interval
from hakken.study import Study


def test_everything_is_gathered(study: Study, results: Path) -> None:
    found = gather(study, results)
    assert found.trials == 12
    assert found.cpu_hours == 2.0
    assert found.gpu_hours == 2.0
    assert found.peak_mb == 1024.4
    assert [opening["number"] for opening in found.openings] == [1]
    assert set(found.evaluations) == {
        (part, model) for part in ("validation", "test") for model in ("selected", "default")
    }
    assert found.evaluations["test", "default"]["sensitivity_at"]["1"]["value"] == 0.4


def test_without_measured_jobs_the_cost_is_nothing(study: Study, results: Path) -> None:
    for path in results.glob("logs/*/*"):
        path.unlink()
    found = gather(study, results)
    assert (found.costs, found.cpu_hours, found.peak_mb) == ((), 0, 0.0)


@pytest.mark.parametrize("name", ["selected.json", "freeze.json", "evaluation/test/default.json", "test/opening.json"])
def test_a_missing_file_is_named(name: str, study: Study, results: Path) -> None:
    (results / name).unlink()
    with pytest.raises(HakkenError) as caught:
        gather(study, results)
    assert str(caught.value) == f"{results / name}: no such file"


def test_no_report_rests_on_a_ledger_that_was_cut(study: Study, results: Path) -> None:
    (results / "openings.jsonl").write_text("")
    with pytest.raises(HakkenError, match="opening 1 of the test set is missing, but results of it are here"):
        gather(study, results)


def test_no_report_rests_on_an_opening_that_was_changed(study: Study, results: Path) -> None:
    path = results / "test" / "opening.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"number": 0}))
    with pytest.raises(HakkenError, match="opening 0 of the test set is missing"):
        gather(study, results)


@pytest.mark.parametrize(
    ("entry", "text"),
    [
        ({"value": 0.714, "low": 0.62, "high": 0.8}, "0.71 [0.62, 0.80]"),
        ({"value": 0.0, "low": 0.0, "high": 1.0}, "0.00 [0.00, 1.00]"),
        ({"value": 0.714, "low": 0.62, "high": None}, "0.71"),
        ({"value": 0.714}, "0.71"),
        ({"value": None, "low": None, "high": None}, "undefined"),
        (None, "undefined"),
    ],
)
def test_intervals_in_words(entry: dict[str, float] | None, text: str) -> None:
    assert with_interval(entry) == text


def test_more_digits() -> None:
    assert with_interval({"value": 0.7144, "low": 0.6199, "high": 0.8}, 3) == "0.714 [0.620, 0.800]"


@pytest.mark.parametrize(
    ("value", "text"), [(0.0123456, "0.01235"), (1e-05, "1e-05"), (3, "3"), (True, "True"), ("adamw", "adamw")]
)
def test_values_in_words(value: object, text: str) -> None:
    assert plain(value) == text
