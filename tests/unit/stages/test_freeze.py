"""The freeze: what is sealed, and that every ingredient changes it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from hakken.core.files import sha256_file, sha256_json
from hakken.stages.freeze import freeze

STUDY = {"name": "example", "scale": "tiny", "seed": 1}
CODES = {"trial": "abc", "predict": "def"}


def ingredients(folder: Path, threshold: float | None = 0.4) -> dict[str, Any]:
    """Write the files that a freeze reads; return its arguments."""
    folder.mkdir(exist_ok=True)
    models, evaluations = [], []
    for name in ("selected", "default"):
        model, evaluation = folder / f"{name}.pt", folder / f"{name}.json"
        model.write_text(f"weights of {name}")
        point = {"chosen_for": 8.4, "threshold": threshold if name == "selected" else 0.2}
        evaluation.write_text(json.dumps({"operating_point": point}))
        models.append(model)
        evaluations.append(evaluation)
    trial = {"sweep": "search", "number": 7, "parameters": {"dropout": 0.1}}
    chosen = {"models": {"selected": trial, "default": trial | {"sweep": "default", "number": 0}}}
    (folder / "chosen.json").write_text(json.dumps(chosen))
    (folder / "separated.json").write_text('{"case1": "digest"}')
    (folder / "cases.csv").write_text("case_id\ncase1\n")
    return {
        "study": STUDY,
        "selected": folder / "chosen.json",
        "models": models,
        "evaluations": evaluations,
        "separated": folder / "separated.json",
        "table": folder / "cases.csv",
        "codes": CODES,
        "output": folder / "freeze.json",
    }


def test_what_is_sealed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    given = ingredients(tmp_path)
    freeze(**given)
    sealed = json.loads((tmp_path / "freeze.json").read_text())
    assert (sealed["study"], sealed["scale"]) == ("example", "tiny")
    assert sealed["models"]["selected"] == {
        "sha256": sha256_file(tmp_path / "selected.pt"),
        "sweep": "search",
        "trial": 7,
        "parameters": {"dropout": 0.1},
        "operating_point": {"chosen_for": 8.4, "threshold": 0.4},
    }
    assert sealed["models"]["default"]["operating_point"]["threshold"] == 0.2
    assert sealed["hashes"] == {
        "study": sha256_json(STUDY),
        "case_table": sha256_file(tmp_path / "cases.csv"),
        "development_images": sha256_file(tmp_path / "separated.json"),
        "selection": sha256_file(tmp_path / "chosen.json"),
        "validation": {name: sha256_file(tmp_path / f"{name}.json") for name in ("selected", "default")},
        "code": CODES,
    }
    assert capsys.readouterr().err == "[freeze] trial 7 is frozen with the threshold 0.4\n"


def test_the_same_ingredients_give_the_same_bytes(tmp_path: Path) -> None:
    contents = set()
    for name in ("a", "b"):
        freeze(**ingredients(tmp_path / name))
        contents.add((tmp_path / name / "freeze.json").read_bytes())
    assert len(contents) == 1


@pytest.mark.parametrize("name", ["selected.pt", "default.pt", "cases.csv", "separated.json", "study", "codes"])
def test_every_ingredient_counts(name: str, tmp_path: Path) -> None:
    given = ingredients(tmp_path)
    freeze(**given)
    before = (tmp_path / "freeze.json").read_bytes()
    if name in ("study", "codes"):
        given[name] = given[name] | {"more": "x"}
    else:
        (tmp_path / name).write_text("something else")
    freeze(**given)
    assert (tmp_path / "freeze.json").read_bytes() != before


def test_without_a_candidate_on_validation_there_is_no_operating_point(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        freeze(**ingredients(tmp_path, threshold=None))
    assert caught.value.code == 2
    expected = "model `selected` has no candidate on validation, so no operating point; train longer"
    assert expected in capsys.readouterr().err
    assert not (tmp_path / "freeze.json").exists()
