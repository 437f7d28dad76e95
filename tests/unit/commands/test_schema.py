"""`hakken schema`: the reference pages, and in a checkout the table of its systems."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from hakken.cli import main

from ..miniature import CONTENT

README = "# Title\n\nBefore.\n<!-- systems -->\nold\n<!-- /systems -->\nAfter.\n"
PAGES = ("commands.md", "study.md", "study.schema.json")


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout of two systems: one of a publication, with a page and on a phantom; one of nobody."""
    monkeypatch.setattr("hakken.study.reference.study_reference", lambda: "")
    monkeypatch.setattr("hakken.study.reference.study_schema", dict)
    phantom = {"generator": "brain_metastasis", "cases": {"train": 2, "validation": 1, "test": 1}}
    published = {"citation": "Someone, A., et al., 2017 (2nd ed. 2019)", "system": "a network", "result": "70 %"}
    balls: dict[str, Any] = CONTENT | {"title": "Balls", "cohort": {"phantom": phantom}, "published": published}
    write_study(tmp_path, "balls", balls | {"data": "phantom"})
    write_study(tmp_path, "own", CONTENT | {"name": "own", "title": "Our own"})
    (tmp_path / "docs" / "systems").mkdir(parents=True)
    (tmp_path / "docs" / "systems" / "balls.md").touch()
    (tmp_path / "README.md").write_text(README)
    return tmp_path


def write_study(checkout: Path, name: str, content: dict[str, Any]) -> None:
    path = checkout / "config" / "studies" / f"{name}.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump(content))


def table(folder: str) -> str:
    return "\n".join(
        [
            "| study | what | method | outcomes | runs on | published system |",
            "| --- | --- | --- | --- | --- | --- |",
            f"| [`balls`]({folder}balls.md) | Balls | `patch_classifier` | `candidates` | phantom `brain_metastasis` "
            "| Someone 2017 |",
            "| `own` | Our own | `patch_classifier` | `candidates` | own data | none |",
        ]
    )


def test_the_table_of_systems_is_written_in_place(checkout: Path, capsys: pytest.CaptureFixture[str]) -> None:
    output = checkout / "docs" / "reference"
    assert main(["schema", "--output", str(output)]) == 0
    assert sorted(path.name for path in output.iterdir()) == list(PAGES)
    page = checkout / "docs" / "systems" / "README.md"
    assert page.read_text().startswith("# Systems\n")
    assert f"\n{table('')}\n" in page.read_text()
    assert (checkout / "README.md").read_text() == README.replace("old", table("docs/systems/"))
    assert capsys.readouterr().out.splitlines() == [
        f"written to {output}: study.schema.json, study.md, commands.md",
        f"written: the table of systems in {page} and {checkout / 'README.md'}",
    ]
    before = page.read_bytes(), (checkout / "README.md").read_bytes()
    main(["schema", "--output", str(output)])
    assert (page.read_bytes(), (checkout / "README.md").read_bytes()) == before


def test_a_readme_without_the_two_comments_is_left_alone(checkout: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (checkout / "README.md").write_text("# Title\n<!-- systems -->\n")
    assert main(["schema", "--output", str(checkout / "docs" / "reference")]) == 0
    assert (checkout / "README.md").read_text() == "# Title\n<!-- systems -->\n"
    assert capsys.readouterr().out.endswith("docs/systems/README.md\n")


def test_elsewhere_only_the_pages_are_written(checkout: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("elsewhere") / "a" / "b"
    assert main(["schema", "--output", str(folder)]) == 0
    assert sorted(path.name for path in folder.iterdir()) == list(PAGES)
    assert not (checkout / "docs" / "systems" / "README.md").exists()
