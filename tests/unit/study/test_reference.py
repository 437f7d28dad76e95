"""The generated pages are up to date, complete, and a commented study reads back as itself."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from hakken.cli import build_parser, main
from hakken.study.reference import commented_study, study_reference
from hakken.study import Study

ROOT = Path(__file__).resolve().parents[3]
REFERENCE = ROOT / "docs" / "reference"
PAGES = ("study.md", "study.schema.json", "commands.md")


@pytest.fixture(scope="module")
def generated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `hakken schema` writes now."""
    folder = tmp_path_factory.mktemp("reference")
    assert main(["schema", "--output", str(folder)]) == 0
    return folder


@pytest.mark.parametrize("name", PAGES)
def test_the_pages_in_docs_are_those_that_would_be_written_now(name: str, generated: Path) -> None:
    assert (REFERENCE / name).read_text() == (generated / name).read_text(), "run `make docs`"


def test_nothing_else_is_generated(generated: Path) -> None:
    assert {path.name for path in generated.iterdir()} == set(PAGES)


def test_rows_say_type_bounds_default_and_meaning() -> None:
    lines = study_reference().splitlines()
    for line in (
        "## `search.space.<name>`",
        "## `channels.<name>`",
        "## `cohort.phantom.cases`",
        "| `seed` | integer ≥ 0 | required | All randomness of the study derives from it. |",
        "| `momentum` | number ≥ 0, < 1 | `0.9` | Momentum of SGD, or beta 1 of AdamW. |",
        "| `batch_norm` | true or false | `true` | Normalisation after each convolution: by mini-batches, in a `unet` "
        "by groups of feature maps. |",
        "| `spacing_mm` | list of 3 | `[1.0, 1.0, 1.0]` | Voxel size x, y, z of the common grid in mm. |",
        "| `schedule` | `cosine`, `step` | `cosine` | Course of the learning rate. |",
    ):
        assert line in lines


def test_every_row_is_whole() -> None:
    for line in study_reference().splitlines():
        if line.startswith("| `"):
            cells = line.strip("|").split("|")
            assert len(cells) == 4, line
            assert cells[1].strip(), line
            assert cells[3].strip(), line


def test_every_command_has_its_place_in_the_reference(generated: Path) -> None:
    text = (generated / "commands.md").read_text()
    assert build_parser().prog == "hakken"
    for command in ("doctor", "init", "check", "plan", "predict", "open-ms", "schema"):
        assert f"## `hakken {command}`" in text
    assert "| `--image CHANNEL=PATH` | " in text
    assert "| `--fast` | check the table alone, read no image |" in text


def test_the_schema_is_closed_and_refuses_what_the_model_refuses(generated: Path) -> None:
    schema = json.loads((generated / "study.schema.json").read_text())
    for section in (schema, *schema["$defs"].values()):
        if section.get("type") == "object":
            assert section["additionalProperties"] is False
    assert schema["properties"]["seed"]["minimum"] == 0


@pytest.mark.parametrize("path", sorted((ROOT / "config" / "studies").glob("*.yaml")), ids=lambda path: path.stem)
def test_a_commented_study_reads_back_as_itself(path: Path) -> None:
    content = yaml.safe_load(path.read_text())
    text = commented_study(content)
    assert yaml.safe_load(text) == content
    assert f"# {Study.model_fields['reference'].description}\nreference: {content['reference']}" in text


def test_a_comment_stands_above_every_key_of_the_model() -> None:
    text = commented_study({"training": {"steps": 5}, "search": {"space": {"dropout": {"type": "real"}}}})
    assert text == (
        "\n# One training.\ntraining:\n  # Mini-batches at most.\n  steps: 5\n"
        "\n# The sweep.\nsearch:\n  # The searched parameters; the names are those of `parameters`.\n"
        "  space:\n    dropout: {type: real}\n"
    )


def test_scales_are_written_one_section_a_line() -> None:
    text = commented_study({"scales": {"tiny": {"training": {"steps": 5}}, "paper": {}}})
    assert text == "\nscales:\n  tiny:\n    training: {steps: 5}\n  paper: {}\n"
