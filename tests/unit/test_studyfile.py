"""Study files: reading, scales, and the slices that rules depend on."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from hakken.core.errors import HakkenError
from hakken.study import Study
from hakken.study.reading import IDENTITY, load_study, scales_of, study_slice

STUDIES = Path(__file__).resolve().parents[2] / "config" / "studies"
TEXT = """
name: example
seed: 1
cohort: {table: cases.csv}
channels: {T1: {modality: mr}, FLAIR: {modality: mr}}
reference: T1
training: {steps: 100, patience: 7}
evaluation: {at: [1, 2]}
search:
  space:
    dropout: {type: real, low: 0.1, high: 0.5}
scales:
  tiny:
    training: {steps: 10}
    evaluation: {at: [3]}
    search: {space: {dropout: {high: 0.2}}}
  paper:
"""


@pytest.fixture
def study_file(tmp_path: Path) -> Path:
    path = tmp_path / "example.yaml"
    path.write_text(TEXT)
    return path


def test_a_scale_replaces_values_and_merges_sections(study_file: Path) -> None:
    study = load_study(study_file, "tiny")
    assert study.scale == "tiny"
    assert (study.training.steps, study.training.patience) == (10, 7)
    assert study.evaluation.at == (3.0,)
    assert (study.search.space["dropout"].low, study.search.space["dropout"].high) == (0.1, 0.2)


def test_an_empty_scale_is_the_study_as_it_stands(study_file: Path) -> None:
    study = load_study(study_file, "paper")
    assert study.scale == "paper"
    assert study.training.steps == 100
    assert scales_of(study_file)["paper"] == {}


def test_without_scales_there_is_one_and_it_is_called_paper(study_file: Path) -> None:
    study_file.write_text(TEXT.partition("scales:")[0])
    assert load_study(study_file, "paper").training.steps == 100
    with pytest.raises(HakkenError) as caught:
        load_study(study_file, "tiny")
    assert str(caught.value) == f"{study_file}: no scale `tiny`; there are paper"


def test_an_unknown_scale_names_those_that_exist(study_file: Path) -> None:
    with pytest.raises(HakkenError) as caught:
        load_study(study_file, "tinny")
    assert str(caught.value) == f"{study_file}: no scale `tinny`; there are tiny, paper; did you mean `tiny`?"


def test_a_missing_file_names_the_studies_that_exist(study_file: Path) -> None:
    path = study_file.with_name("exampel.yaml")
    with pytest.raises(HakkenError) as caught:
        load_study(path, "tiny")
    assert str(caught.value) == f"{path}: no such file; there are example; did you mean `example`?"


def test_a_missing_folder(tmp_path: Path) -> None:
    path = tmp_path / "nowhere" / "example.yaml"
    with pytest.raises(HakkenError) as caught:
        load_study(path, "tiny")
    assert str(caught.value) == f"{path}: no such file; there is none"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("name: [", "not valid YAML: "),
        ("- a list", "this file must be a mapping of keys to values"),
        ("", "this file must be a mapping of keys to values"),
        (TEXT + "\nscales: [tiny]", "scales: must map the name of each scale to the keys that differ there"),
        (TEXT + "\nscales: {tiny: 3}", "scales: must map the name of each scale to the keys that differ there"),
    ],
)
def test_what_is_no_study_file(study_file: Path, text: str, reason: str) -> None:
    study_file.write_text(text)
    with pytest.raises(HakkenError) as caught:
        load_study(study_file, "tiny")
    assert str(caught.value).startswith(f"{study_file}: {reason}")


def test_bytes_that_are_no_text(study_file: Path) -> None:
    study_file.write_bytes(b"name: \xff\xfe")
    with pytest.raises(HakkenError, match="not valid YAML"):
        load_study(study_file, "tiny")


def test_a_misspelt_key_in_a_scale_is_named(study_file: Path) -> None:
    study_file.write_text(TEXT.replace("training: {steps: 10}", "trainig: {steps: 10}"))
    with pytest.raises(HakkenError) as caught:
        load_study(study_file, "tiny")
    assert str(caught.value) == f"{study_file}: trainig: unknown key; did you mean `training`?"


@pytest.mark.parametrize(
    ("path", "scale"),
    [(path, scale) for path in sorted(STUDIES.glob("*.yaml")) for scale in yaml.safe_load(path.read_text())["scales"]],
    ids=lambda value: getattr(value, "stem", value),
)
def test_every_study_of_the_package_loads_at_every_scale(path: Path, scale: str) -> None:
    study = load_study(path, scale)
    assert (study.name, study.scale) == (path.stem, scale)
    assert study.title
    assert study.description
    assert len(study.search.space) >= 5


def test_the_metastasis_study_is_as_published() -> None:
    study = load_study(STUDIES / "brain_metastasis.yaml", "paper")
    assert study.cohort.phantom is not None
    assert study.cohort.phantom.cases.model_dump() == {"train": 214, "validation": 67, "test": 67}
    assert len(study.search.space) == 17
    assert {parameter.provenance for parameter in study.search.space.values()} == {"reconstruction"}
    assert (study.search.trials, study.search.slots) == (50, 8)
    assert study.evaluation.maximum_fp == 10


def test_a_slice_holds_identity_cohort_and_the_named_sections_alone(study_file: Path) -> None:
    study = load_study(study_file, "tiny")
    chosen = study_slice(study, ("training", "search.space"))
    assert set(chosen) == {*IDENTITY, "cohort", "channels", "reference", "training", "search"}
    assert set(chosen["search"]) == {"space"}
    assert json.loads(json.dumps(chosen)) == chosen, "plain values"


def test_a_slice_reads_back_as_a_study_whose_other_sections_are_defaults(study_file: Path) -> None:
    study = load_study(study_file, "tiny")
    back = Study.model_validate(study_slice(study, ("training",)))
    assert back.training == study.training
    assert back.evaluation == Study.model_fields["evaluation"].default
    assert back.channels == study.channels


def test_a_change_elsewhere_leaves_a_slice_as_it_is(study_file: Path) -> None:
    before = study_slice(load_study(study_file, "tiny"), ("training", "evaluation.hit"))
    study_file.write_text(TEXT.replace("at: [3]", "at: [4]"))
    assert study_slice(load_study(study_file, "tiny"), ("training", "evaluation.hit")) == before
    study_file.write_text(TEXT.replace("steps: 10}", "steps: 11}"))
    assert study_slice(load_study(study_file, "tiny"), ("training", "evaluation.hit")) != before


def test_a_key_beside_its_whole_section_changes_nothing(study_file: Path) -> None:
    study = load_study(study_file, "tiny")
    whole = study_slice(study, ("training",))["training"]
    assert study_slice(study, ("training", "training.steps"))["training"] == whole
    assert study_slice(study, ("training.steps", "training"))["training"] == whole
