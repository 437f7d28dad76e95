"""The freeze: what is sealed, and that every ingredient changes it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import hakken
from hakken.core.files import read_json, sha256_file, sha256_json, write_json
from hakken.outcomes import Measured, Row
from hakken.runs.layout_pool import made_up_patches
from hakken.runs.measurement import Measurement, write_measurement
from hakken.stages.freeze import freeze

from ..miniature import lose_a_byte, prepare_case, study

STUDY = {"name": "example", "scale": "tiny", "seed": 1}
CODES = {"trial": "abc", "predict": "def"}
POINTS = {"selected": 0.4, "default": 0.2, "toy_coin": 0.5}


def measure(folder: Path, name: str, threshold: float | None) -> Path:
    """What was measured of a model on validation: candidates, and masks, which have no operating point."""
    point = {"chosen_for": 8.4, "threshold": threshold}
    outcomes = {"candidates": Measured(Row("area", 0.5), (), point=point), "masks": Measured(None, ())}
    found = Measurement("example", "tiny", name, "validation", "candidates", outcomes)
    write_measurement(folder / "measurements" / name, found)
    return folder / "measurements" / name


def ingredients(folder: Path, **points: float | None) -> dict[str, Any]:
    """Write the files that a freeze reads; return its arguments."""
    folder.mkdir(exist_ok=True)
    models = []
    for name in POINTS:
        models.append(folder / f"{name}.pt")
        models[-1].write_text(f"weights of {name}")
    for number, (name, sweep) in enumerate((("selected", "search"), ("default", "default"))):
        trial = {"sweep": sweep, "number": 7 - number, "parameters": {"dropout": 0.1}, "objective": 0.5}
        write_json(folder / f"{name}.json", {"trial": trial})
    (folder / "separated.json").write_text('{"case1": "digest"}')
    (folder / "cases.csv").write_text("case_id\ncase1\n")
    return {
        "study": STUDY,
        "models": models,
        "records": [folder / "selected.json", folder / "default.json"],
        "measurements": [measure(folder, name, (POINTS | points)[name]) for name in POINTS],
        "separated": folder / "separated.json",
        "table": folder / "cases.csv",
        "codes": CODES,
        "output": folder / "freeze.json",
    }


def test_what_is_sealed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    freeze(**ingredients(tmp_path))
    sealed = read_json(tmp_path / "freeze.json")
    assert (sealed["study"], sealed["scale"], sealed["hakken"]) == ("example", "tiny", hakken.__version__)
    assert sealed["plan"] == STUDY
    assert sealed["models"]["selected"] == {
        "sha256": sha256_file(tmp_path / "selected.pt"),
        "sweep": "search",
        "number": 7,
        "parameters": {"dropout": 0.1},
        "points": {"candidates": {"chosen_for": 8.4, "threshold": 0.4}},
    }
    assert sealed["models"]["default"]["points"]["candidates"]["threshold"] == 0.2
    assert sealed["models"]["toy_coin"] == {
        "sha256": sha256_file(tmp_path / "toy_coin.pt"),
        "points": {"candidates": {"chosen_for": 8.4, "threshold": 0.5}},
    }
    assert sealed["hashes"] == {
        "sealed_study": sha256_json(STUDY),
        "case_table": sha256_file(tmp_path / "cases.csv"),
        "development_cases": sha256_file(tmp_path / "separated.json"),
        "validation": {name: sha256_file(tmp_path / "measurements" / name / "measurement.json") for name in POINTS},
        "code": CODES,
    }
    assert capsys.readouterr().err == "[freeze] frozen: selected, default, toy_coin\n"


def test_the_same_ingredients_give_the_same_bytes(tmp_path: Path) -> None:
    contents = set()
    for name in ("a", "b"):
        freeze(**ingredients(tmp_path / name))
        contents.add((tmp_path / name / "freeze.json").read_bytes())
    assert len(contents) == 1


@pytest.mark.parametrize(
    "name", ["selected.pt", "default.pt", "toy_coin.pt", "cases.csv", "separated.json", "measurement", "study", "codes"]
)
def test_every_ingredient_counts(name: str, tmp_path: Path) -> None:
    given = ingredients(tmp_path)
    freeze(**given)
    before = (tmp_path / "freeze.json").read_bytes()
    if name in ("study", "codes"):
        given[name] = given[name] | {"more": "x"}
    elif name == "measurement":
        path = tmp_path / "measurements" / "default" / "measurement.json"
        path.write_text(path.read_text().replace('"example"', '"another"'))
    else:
        (tmp_path / name).write_text("something else")
    freeze(**given)
    assert (tmp_path / "freeze.json").read_bytes() != before


def test_without_an_operating_point_of_the_main_outcome_nothing_is_frozen(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        freeze(**ingredients(tmp_path, selected=None))
    assert caught.value.code == 2
    expected = "model `selected` finds nothing on validation that an operating point could be chosen for; train longer"
    assert expected in capsys.readouterr().err
    assert not (tmp_path / "freeze.json").exists()


def test_an_outcome_beside_the_main_one_may_have_none(tmp_path: Path) -> None:
    given = ingredients(tmp_path)
    path = tmp_path / "measurements" / "selected" / "measurement.json"
    content = read_json(path)
    content["outcomes"]["case_scores"] = content["outcomes"]["candidates"] | {"point": {"threshold": None}}
    write_json(path, content)
    freeze(**given)
    points = read_json(tmp_path / "freeze.json")["models"]["selected"]["points"]
    assert points["case_scores"] == {"threshold": None}


def test_crossed_the_plan_itself_is_frozen_before_there_is_a_model(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = ingredients(tmp_path)
    freeze(**{name: given[name] for name in ("study", "table", "codes", "output")})
    sealed = read_json(tmp_path / "freeze.json")
    assert (sealed["models"], sealed["plan"]) == ({}, STUDY)
    assert set(sealed["hashes"]) == {"sealed_study", "case_table", "code"}
    assert capsys.readouterr().err == "[freeze] the plan is frozen: folds, space and rule of choice\n"


def test_what_models_were_made_from_is_read_byte_by_byte_before_they_are_frozen(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    prepare_case(tmp_path / "prepared", "a", [(8, 9, 10)])
    made_up_patches(study(), tmp_path / "patches")
    given = ingredients(tmp_path) | {"data": [tmp_path / "prepared", tmp_path / "patches"]}
    freeze(**given)
    (tmp_path / "freeze.json").unlink()
    lose_a_byte(tmp_path / "patches" / "shard-000.npy")
    with pytest.raises(SystemExit) as caught:
        freeze(**given)
    assert caught.value.code == 2
    assert f"{tmp_path / 'patches' / 'shard-000.npy'}: is corrupt (its SHA-256 has changed)" in capsys.readouterr().err
    assert not (tmp_path / "freeze.json").exists()


def test_an_average_is_sealed_with_the_digests_of_its_trainings(tmp_path: Path) -> None:
    given = ingredients(tmp_path)
    members = [{"number": number, "seed": 0, "sha256": f"{number}" * 8, "seconds": 9.0} for number in (7, 2)]
    content = read_json(tmp_path / "selected.json") | {"ensemble": {"members": members}}
    write_json(tmp_path / "selected.json", content)
    freeze(**given)
    sealed = read_json(tmp_path / "freeze.json")["models"]
    assert sealed["selected"]["members"] == members
    assert "members" not in sealed["default"]
