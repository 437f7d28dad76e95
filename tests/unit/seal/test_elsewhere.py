"""A copied table, or a ledger in another place, does not make an opened test set a new one."""

from __future__ import annotations

from pathlib import Path

import pytest

from hakken.cohort.case import Case, CaseTable
from hakken.cohort.checked import Checked
from hakken.cohort.similarity import Content
from hakken.seal.elsewhere import opened_elsewhere, openings_elsewhere

from ..opened import open_results


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project in which study `example` has opened the images `aa` to `dd`; its ledger is beside its table."""
    (tmp_path / "data/own/c0").mkdir(parents=True)
    (tmp_path / "data/copy").mkdir()
    open_results(tmp_path / "results/example/tiny", tmp_path / "data/own/openings")
    return tmp_path


def table_of(project: Path, image: str) -> CaseTable:
    """One case of the copied table, in any part."""
    path = project / "data/copy" / image
    return CaseTable((Case("n0", "new", "train", {"T1": path}, row=2),), project / "data/copy/cases.csv")


def found(project: Path, image: str = "../own/c0/T1.nii.gz", digest: str = "aa") -> list[str]:
    table = table_of(project, image)
    elsewhere = openings_elsewhere(project / "data/copy/openings", table, project / "results/other/tiny")
    checked = {"n0": Checked(Content({"T1": digest}), "none")}
    return [str(problem) for problem in opened_elsewhere(table, elsewhere, checked)]


def said(project: Path, place: str) -> list[str]:
    return [
        f"row 2, column T1: this image was opened in opening 1 of {project / place} (study example at tiny), which the "
        "ledger of this study does not know; share one ledger: name its folder in `cohort.openings`; or give "
        "cohort.reuse_opened a reason"
    ]


def test_a_ledger_above_the_images_is_found(project: Path) -> None:
    (project / "results").rename(project / "away")
    (problem,) = found(project)
    assert problem.endswith(said(project, "data/copy/../own/openings")[0].split("openings", 1)[1])
    assert found(project, digest="zz") == []


def test_images_that_are_links(project: Path) -> None:
    (project / "results").rename(project / "away")
    (project / "data/own/c0/T1.nii.gz").touch()
    (project / "data/copy/n0.nii.gz").symlink_to("../own/c0/T1.nii.gz")
    assert found(project, "n0.nii.gz") == said(project, "data/own/openings")


def test_the_receipts_of_another_study_are_found(project: Path) -> None:
    """The images were copied, without the ledger."""
    assert found(project, "n0.nii.gz") == said(project, "results/example/tiny/test/receipts")


def test_what_the_ledger_knows_is_for_others_to_say(project: Path) -> None:
    table = table_of(project, "../own/c0/T1.nii.gz")
    assert openings_elsewhere(project / "data/own/openings", table, project / "results/other/tiny") == []


def test_what_is_no_ledger_is_passed_over(project: Path) -> None:
    (project / "data/own/openings/0001.json").write_text("{")
    (project / "results/example/tiny/test/opening.json").write_text("[]")
    assert found(project) == []
