"""The generated pages are up to date, complete, and a commented study reads back as itself."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from hakken import plugins
from hakken.cli import build_parser, main
from hakken.study import Study
from hakken.study.reference import commented_study, study_reference

ROOT = Path(__file__).resolve().parents[3]
REFERENCE = ROOT / "docs" / "reference"
STUDIES = sorted((ROOT / "config" / "studies").glob("*.yaml"))
PAGES = ("study.md", "study.schema.json", "commands.md")

COMMENTED = """
# What learns and predicts: a folder of `hakken/methods`.
method: unet

# One training.
training:
  # Mini-batches at most; with several players: rounds.
  steps: 5

# The sweep.
search:
  # The searched parameters; the names are those of `parameters`.
  space:
    dropout: {type: real}

# The method's parameters: the untuned default of the search.
parameters:
  # Sizes between which is chosen after training.
  sizes:
    # Numbers of levels; none: all that `parameters.poolings` gives, and no others.
    levels: [2]

# What is predicted and measured, by name; by default what the method gives.
outcomes:
  masks: {objective: dice}
"""


@pytest.fixture(scope="module")
def generated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `hakken schema` writes now."""
    folder = tmp_path_factory.mktemp("reference")
    assert main(["schema", "--output", str(folder)]) == 0
    return folder


@pytest.fixture(scope="module")
def page() -> str:
    """The reference."""
    return study_reference()


@pytest.mark.parametrize("name", PAGES)
def test_the_pages_in_docs_are_those_that_would_be_written_now(name: str, generated: Path) -> None:
    assert (REFERENCE / name).read_text() == (generated / name).read_text(), "run `make docs`"


def test_nothing_else_is_generated(generated: Path) -> None:
    assert {path.name for path in generated.iterdir()} == set(PAGES)


def test_rows_say_type_bounds_default_and_meaning(page: str) -> None:
    lines = page.splitlines()
    for line in (
        "## `search.space.<name>`",
        "## `channels.<name>`",
        "## `cohort.phantom.cases`",
        "## `variants.<name>.factors.<name>`",
        "| `seed` | integer ≥ 0 | required | All randomness of the study derives from it. |",
        "| `momentum` | number ≥ 0, < 1 | `0.9` | Momentum of SGD, or beta 1 of AdamW. |",
        "| `spacing_mm` | list of 3 | `[1.0, 1.0, 1.0]` | Voxel size x, y, z of the common grid in mm. |",
        "| `schedule` | `cosine`, `step` | `cosine` | Course of the learning rate. |",
    ):
        assert line in lines


def below(heading: str, page: str) -> str:
    """What the reference says below a heading, down to the next of its rank."""
    rank = heading.partition(" ")[0]
    text = page.partition(f"\n{heading}\n")[2]
    return text.partition(f"\n{rank} ")[0]


def test_each_plug_in_brings_its_own_keys(page: str) -> None:
    for kind, names in {"Method": "methods", "Outcome": "outcomes", "Phantom": "phantoms"}.items():
        assert all(below(f"## {kind} `{name}`", page).strip() for name in plugins.names(names))  # type: ignore[arg-type]
    unet = below("## Method `unet`", page)
    assert "Outcomes: `masks`." in unet
    assert "### `parameters`" in unet
    assert "### `parameters.sizes`" in unet
    assert "| `threshold` | number > 0, < 1 | `0.5` |" in unet
    assert "### `parameters.sizes`" not in below("## Method `patch_classifier`", page)
    assert "| `maximum_fp` | number > 0 | `10.0` |" in below("## Outcome `candidates`", page)
    phantom = below("## Phantom `brain_metastasis`", page)
    assert "### `cohort.phantom`" in phantom
    assert "| `generator` |" not in phantom, "what all phantoms have stands with the cohort"


def test_what_has_no_keys_is_named(page: str) -> None:
    for heading, kind in (("## Baselines", "baselines"), ("## Figures", "figures")):
        lines = below(heading, page).strip().splitlines()
        assert [line.partition("`: ")[0].removeprefix("- `") for line in lines] == list(
            plugins.names(kind)  # type: ignore[arg-type]
        )
        assert all(line.partition("`: ")[2].endswith(".") for line in lines)


def test_a_plug_in_of_another_package_stands_among_them(toys: Path) -> None:
    page = study_reference()
    assert "Outcomes: `case_scores`." in below("## Method `toy_centroids`", page)
    assert "| `shrink` |" in below("## Method `toy_centroids`", page)
    assert "\n- `toy_curve`: The objective of each trial.\n" in below("## Figures", page)


def test_a_key_that_depends_on_another_says_so(page: str) -> None:
    assert "Exponent of the focal loss. Only where `loss` is `focal`. |\n" in page


def test_every_row_is_whole(page: str) -> None:
    for line in page.splitlines():
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


@pytest.fixture(scope="module")
def schema(generated: Path) -> Any:
    """Whatever checks a study file in an editor."""
    jsonschema = pytest.importorskip("jsonschema")
    return jsonschema.Draft202012Validator(json.loads((generated / "study.schema.json").read_text()))


def wrong(schema: Any, content: dict[str, Any]) -> list[str]:
    """The places that the schema refuses."""
    return [".".join(map(str, error.path)) for error in schema.iter_errors(content)]


@pytest.mark.parametrize("path", STUDIES, ids=lambda path: path.stem)
def test_the_schema_knows_every_key_of_a_study(path: Path, schema: Any) -> None:
    content = {key: value for key, value in yaml.safe_load(path.read_text()).items() if key != "scales"}
    assert wrong(schema, content) == []


def test_the_schema_is_closed_and_refuses_what_the_model_refuses(generated: Path, schema: Any) -> None:
    whole = json.loads((generated / "study.schema.json").read_text())
    for section in whole["$defs"].values():
        if section.get("type") == "object":
            assert section["additionalProperties"] is False
    assert whole["$defs"]["Study"]["properties"]["seed"]["minimum"] == 0
    sound = {"name": "s", "seed": 1, "method": "unet", "cohort": {"table": "cases.csv"}}
    assert wrong(schema, sound) == []
    for wrongly in (
        {"seed": -1},
        {"outcomes": {"mask": {}}},
        {"outcomes": {"candidates": {"maximum": 1}}},
        {"parameters": {"pooling": 1}},
        {"inference": {"thresh": 0.5}},
        {"cohort": {"phantom": {"generator": "brain_metastasis", "lesion": 1}}},
        {"colour": "red"},
    ):
        assert len(wrong(schema, sound | wrongly)) == 1, wrongly


@pytest.mark.parametrize("path", STUDIES, ids=lambda path: path.stem)
def test_a_commented_study_reads_back_as_itself(path: Path) -> None:
    content = yaml.safe_load(path.read_text())
    text = commented_study(content)
    assert yaml.safe_load(text) == content
    assert f"# {Study.model_fields['method'].description}\nmethod: {content['method']}" in text


def test_a_comment_stands_above_every_key_of_the_model() -> None:
    text = commented_study(
        {
            "method": "unet",
            "training": {"steps": 5},
            "search": {"space": {"dropout": {"type": "real"}}},
            "parameters": {"sizes": {"levels": [2]}},
            "outcomes": {"masks": {"objective": "dice"}},
        }
    )
    assert text == COMMENTED


def test_scales_are_written_one_section_a_line() -> None:
    text = commented_study({"scales": {"tiny": {"training": {"steps": 5}}, "paper": {}}})
    assert text == "\nscales:\n  tiny:\n    training: {steps: 5}\n  paper: {}\n"
