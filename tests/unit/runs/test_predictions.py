"""Folders of predictions: what is written is read, and anything else is refused by name."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from hakken.core.errors import HakkenError
from hakken.core.files import sha256_file
from hakken.imaging.prepared import PreparedCase
from hakken.outcomes import Part
from hakken.runs.predictions import (
    by_outcome,
    manifest_digest,
    part_of,
    read_predictions,
    verified,
    write_predictions,
)
from hakken.study import Study

from ..miniature import prepare_case, study, without

FOUND: dict[str, dict[str, Any]] = {"a": {"case_scores": 0.25}, "b": {"case_scores": 0.75}}


@pytest.fixture
def scoring() -> Study:
    """A study with an outcome that is small to write."""
    return study(without("parameters", "search"), method="autoencoder", parameters={"patch_size": 8})


@pytest.fixture
def cases(tmp_path: Path) -> list[PreparedCase]:
    return [prepare_case(tmp_path / "cases", name, []) for name in "ab"]


@pytest.fixture
def folder(tmp_path: Path, scoring: Study, cases: list[PreparedCase]) -> Path:
    write_predictions(tmp_path / "said", FOUND, scoring, cases, ("case_scores",))
    return tmp_path / "said"


def part(scoring: Study, cases: list[PreparedCase], outcome: str = "case_scores") -> Part:
    return part_of(scoring, outcome, cases)


def test_what_is_written_is_read(folder: Path, scoring: Study, cases: list[PreparedCase]) -> None:
    assert read_predictions(folder, "case_scores", part(scoring, cases)) == {"a": 0.25, "b": 0.75}
    assert read_predictions(folder, "case_scores", part(scoring, cases[1:])) == {"b": 0.75}
    assert by_outcome(FOUND, "case_scores") == {"a": 0.25, "b": 0.75}


def test_the_manifest_names_outcomes_cases_and_every_file(folder: Path) -> None:
    content = json.loads((folder / "manifest.json").read_text())
    assert (content["outcomes"], content["cases"]) == (["case_scores"], ["a", "b"])
    assert content["files"] == {"case_scores.csv": sha256_file(folder / "case_scores.csv")}
    assert verified(folder) == content


def test_the_digest_is_that_of_the_manifest(tmp_path: Path, scoring: Study, cases: list[PreparedCase]) -> None:
    digests = [
        write_predictions(tmp_path / str(number), found, scoring, cases, ("case_scores",))
        for number, found in enumerate((FOUND, FOUND, FOUND | {"b": {"case_scores": 0.5}}))
    ]
    assert digests[0] == digests[1] != digests[2]
    assert manifest_digest(tmp_path / "2") == digests[2]


def test_a_folder_is_written_anew(folder: Path, scoring: Study, cases: list[PreparedCase]) -> None:
    (folder / "left.csv").touch()
    write_predictions(folder, FOUND, scoring, cases, ("case_scores",))
    assert {path.name for path in folder.iterdir()} == {"manifest.json", "case_scores.csv"}


def test_a_changed_file_is_named(folder: Path, scoring: Study, cases: list[PreparedCase]) -> None:
    table = folder / "case_scores.csv"
    table.write_text(table.read_text().replace("0.25", "0.26"))
    with pytest.raises(HakkenError) as caught:
        read_predictions(folder, "case_scores", part(scoring, cases))
    assert str(caught.value) == (
        f"{table}: missing or changed since it was predicted; delete the folder to predict again"
    )


def test_a_missing_file_is_named(folder: Path) -> None:
    (folder / "case_scores.csv").unlink()
    with pytest.raises(HakkenError, match=r"case_scores\.csv: missing or changed since it was predicted; delete"):
        verified(folder)


def test_without_a_manifest_there_are_no_predictions(folder: Path) -> None:
    (folder / "manifest.json").unlink()
    with pytest.raises(HakkenError) as caught:
        verified(folder)
    assert str(caught.value) == f"{folder}/manifest.json: no such file"


def test_an_outcome_that_was_not_predicted_is_told(folder: Path, scoring: Study, cases: list[PreparedCase]) -> None:
    with pytest.raises(HakkenError) as caught:
        read_predictions(folder, "candidates", part(scoring, cases, "candidates"))
    assert str(caught.value) == f"{folder}: holds case_scores and no candidates; delete the folder to predict again"


def test_a_case_that_was_not_predicted_is_told(
    folder: Path, scoring: Study, cases: list[PreparedCase], tmp_path: Path
) -> None:
    more = [*cases, prepare_case(tmp_path / "cases", "c", []), prepare_case(tmp_path / "cases", "d", [])]
    with pytest.raises(HakkenError) as caught:
        read_predictions(folder, "case_scores", part(scoring, more))
    assert str(caught.value) == f"{folder}: says nothing of case c; delete the folder to predict again"
