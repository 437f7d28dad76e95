"""What stands beside the results of a study, and how results of an earlier version are told."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from hakken.core.errors import HakkenError
from hakken.runs import beside
from hakken.runs.beside import HEAD, record_study, require_results_of_this_version, versions
from hakken.runs.configured import plan_of
from hakken.study import Study
from hakken.study.reading import parse_study

from ..miniature import content_of

PHANTOM = {"generator": "brain_metastasis", "cases": {"train": 3, "validation": 1, "test": 1}}


def study(**changes: Any) -> Study:
    return parse_study(content_of(cohort={"phantom": PHANTOM, "table": None}, **changes))


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder, and in it the folder of results."""
    monkeypatch.chdir(tmp_path)
    return tmp_path / "results" / "balls" / "paper"


def test_the_study_as_it_runs_stands_there_with_every_default(folder: Path) -> None:
    record_study(plan_of(study(), 2))
    text = (folder / "study.yaml").read_text()
    assert text.startswith(HEAD)
    content = yaml.safe_load(text)
    assert content["training"]["steps"] == 12
    assert content["training"]["schedule"] == "cosine", "a default that nobody wrote"
    assert Study.model_validate(content) == study()


def test_it_is_rewritten_where_the_study_has_changed_and_only_there(folder: Path) -> None:
    record_study(plan_of(study(), 2))
    first = (folder / "study.yaml").stat()
    record_study(plan_of(study(), 2))
    assert (folder / "study.yaml").stat().st_ino == first.st_ino
    record_study(plan_of(study(title="Balls"), 2))
    assert yaml.safe_load((folder / "study.yaml").read_text())["title"] == "Balls"


def test_what_the_batches_hold_is_written_down(folder: Path) -> None:
    record_study(plan_of(study(), 2))
    assert json.loads((folder / "batches.json").read_text())["cases_per_job"] == 2
    assert plan_of(study(), 9).cohort.batches["train"] == {"000": ("P0001", "P0002"), "001": ("P0003",)}  # type: ignore[union-attr]


def test_a_study_without_cases_has_no_batches(toys: Path, folder: Path) -> None:
    content = yaml.safe_load((toys / "studies" / "toy_records.yaml").read_text())
    content.pop("scales")
    record_study(plan_of(parse_study(content), 2))
    assert {path.name for path in Path("results/toy_records/paper").iterdir()} == {"study.yaml", "versions.json"}


def starts(folder: Path) -> list[Any]:
    return list(json.loads((folder / "versions.json").read_text())["starts"])


def test_versions_are_added_where_they_have_changed(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in range(2):
        record_study(plan_of(study(), 2))
    (only,) = starts(folder)
    assert only["versions"] == versions()
    assert {"hakken", "python", "torch", "numpy"} <= only["versions"].keys()
    monkeypatch.setattr(beside, "versions", lambda: {"hakken": "9.9"})
    for _ in range(2):
        record_study(plan_of(study(), 2))
    assert [start["versions"] for start in starts(folder)] == [only["versions"], {"hakken": "9.9"}]


def test_a_package_that_is_not_installed_has_no_version(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(beside, "PACKAGES", ("torch", "no-such-package"))
    assert set(versions()) == {"hakken", "python", "torch"}


@pytest.mark.parametrize("name", ["evaluation", "selected.json"])
def test_results_of_0_1_are_named_with_what_to_do(name: str, folder: Path) -> None:
    (folder / name).mkdir(parents=True)
    with pytest.raises(HakkenError) as caught:
        require_results_of_this_version(folder)
    assert str(caught.value) == (
        f"{folder}: holds results of hakken 0.1. This version names its files otherwise and trains anew; what is there "
        f"stays as it is and is not touched. Move it aside (mv {folder} {folder}-0.1) and start again."
    )


@pytest.mark.parametrize(
    ("names", "version"), [(("selected.json", "openings.jsonl"), "0.1"), (("openings.jsonl",), "0.2")]
)
def test_openings_of_earlier_versions_go_on_being_counted(names: tuple[str, ...], version: str, folder: Path) -> None:
    folder.mkdir(parents=True)
    for name in names:
        (folder / name).touch()
    with pytest.raises(HakkenError) as caught:
        require_results_of_this_version(folder)
    assert str(caught.value).endswith(
        f"(mv {folder} {folder}-{version}) and start again. Then `hakken openings {folder.parent.name} --import "
        f"{folder}-{version}/openings.jsonl` counts the openings of then."
    )


def test_results_of_this_version_pass_and_so_does_nothing_at_all(folder: Path) -> None:
    require_results_of_this_version(folder)
    record_study(plan_of(study(), 2))
    (folder / "evaluation").mkdir()  # of the user's own
    require_results_of_this_version(folder)
