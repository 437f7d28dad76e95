"""Study files: reading, scales, and the keys of 0.1."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from hakken.core.errors import HakkenError
from hakken.outcomes.candidates import Settings
from hakken.study.reading import load_study, parse_study, scales_of

ROOT = Path(__file__).resolve().parents[3]
STUDIES = ROOT / "config" / "studies"
TEXT = """
name: example
seed: 1
method: patch_classifier
cohort: {table: cases.csv}
channels: {T1: {modality: mr}, FLAIR: {modality: mr}}
training: {steps: 100, patience: 7}
outcomes: {candidates: {at: [1, 2]}}
published: {citation: A 2017, system: a network, result: 70 %}
search:
  space:
    dropout: {type: real, low: 0.1, high: 0.5}
    momentum: {type: real, low: 0.1, high: 0.5}
scales:
  tiny:
    training: {steps: 10, patience: null}
    outcomes: {candidates: {at: [3]}}
    published: null
    search: {space: {dropout: {high: 0.2}, momentum: null}}
  paper:
"""


@pytest.fixture
def study_file(tmp_path: Path) -> Path:
    path = tmp_path / "example.yaml"
    path.write_text(TEXT)
    return path


def refusal(path: Path, scale: str = "tiny") -> str:
    with pytest.raises(HakkenError) as caught:
        load_study(path, scale)
    return str(caught.value)


def test_a_scale_replaces_values_merges_sections_and_removes_what_is_null(study_file: Path) -> None:
    study = load_study(study_file, "tiny")
    assert study.scale == "tiny"
    assert (study.training.steps, study.training.patience) == (10, 3)  # the default
    assert study.outcomes == {"candidates": Settings(at=(3.0,))}
    assert study.published is None
    assert list(study.search.space) == ["dropout"]
    assert (study.search.space["dropout"].low, study.search.space["dropout"].high) == (0.1, 0.2)


def test_an_empty_scale_is_the_study_as_it_stands(study_file: Path) -> None:
    study = load_study(study_file, "paper")
    assert study.scale == "paper"
    assert (study.training.steps, study.training.patience) == (100, 7)
    assert scales_of(study_file)["paper"] == {}


def test_without_scales_there_is_one_and_it_is_called_paper(study_file: Path) -> None:
    study_file.write_text(TEXT.partition("scales:")[0])
    assert load_study(study_file, "paper").training.steps == 100
    assert refusal(study_file) == f"{study_file}: no scale `tiny`; there are paper"


def test_an_unknown_scale_names_those_that_exist(study_file: Path) -> None:
    expected = f"{study_file}: no scale `tinny`; there are tiny, paper; did you mean `tiny`?"
    assert refusal(study_file, "tinny") == expected


@pytest.mark.parametrize(
    ("place", "reason"),
    [
        ("exampel.yaml", "no such file; there are example; did you mean `example`?"),
        ("nowhere/example.yaml", "no such file; there is none"),
    ],
)
def test_a_missing_file_names_the_studies_that_exist(place: str, reason: str, study_file: Path) -> None:
    path = study_file.parent / place
    assert refusal(path) == f"{path}: {reason}"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"name: [", ", line 1, column 8, in what begins at line 1: not valid YAML: "),
        (
            b"name: \xff\xfe",
            ": not a text file in UTF-8 but, as it seems, in Windows-1252 or Latin-1; save it as UTF-8",
        ),
        (b"- a list", ": this file must be a mapping of keys to values"),
        (b"", ": this file must be a mapping of keys to values"),
        (b"scales: [tiny]", ": scales: must map the name of each scale to the keys that differ there"),
        (b"scales: {tiny: 3}", ": scales: must map the name of each scale to the keys that differ there"),
    ],
)
def test_what_is_no_study_file(study_file: Path, content: bytes, reason: str) -> None:
    study_file.write_bytes(content)
    assert refusal(study_file).startswith(f"{study_file}{reason}")


def test_a_misspelt_key_in_a_scale_is_named(study_file: Path) -> None:
    study_file.write_text(TEXT.replace("training: {steps: 10", "trainig: {steps: 10"))
    assert refusal(study_file) == f"{study_file}: trainig: unknown key; did you mean `training`?"


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
    assert len(study.search.space) >= 5 or (study.variants and not study.search.space), "an ablation may search nothing"


def test_the_metastasis_study_is_as_published() -> None:
    study = load_study(STUDIES / "brain_metastasis.yaml", "paper")
    assert study.cohort.phantom is not None
    assert study.cohort.phantom.cases.model_dump() == {"train": 214, "validation": 67, "test": 67}
    assert len(study.search.space) == 17
    assert {parameter.provenance for parameter in study.search.space.values()} == {"reconstruction"}
    assert (study.search.trials, study.search.slots) == (50, 8)
    assert study.outcomes["candidates"] == Settings(maximum_fp=10.0)


@pytest.mark.parametrize(
    ("keys", "answers"),
    [
        ({"task": "detection"}, {"task": "is `method: patch_classifier` since 0.2"}),
        ({"task": "anomaly"}, {"task": "is `method: autoencoder` since 0.2"}),
        (
            {"task": "anomaly", "training": {"network": "expectation_unet"}},
            {
                "task": "is `method: expectation` since 0.2",
                "training.network": "is `method: expectation` since 0.2",
            },
        ),
        (
            {"training": {"network": "projection_cnn", "loss": "focal", "focal_gamma": 2, "optimizer": "sgd"}},
            {
                "training.network": "is `method: projection_classifier` since 0.2",
                "training.loss": "is `parameters.loss` since 0.2",
                "training.focal_gamma": "is `parameters.focal_gamma` since 0.2",
                "training.optimizer": "is `parameters.optimizer` since 0.2",
            },
        ),
        (
            {"task": "classification", "training": {"network": "vgg16", "input_size": 64, "weights": {}}},
            {
                "task": "is `method: imagenet_classifier` since 0.2",
                "training.network": "is `method: imagenet_classifier`, with `parameters.network: vgg16` since 0.2",
                "training.input_size": "is `parameters.input_size` since 0.2",
                "training.weights": "is `parameters.weights` since 0.2",
            },
        ),
        ({"training": {"sizes": {}}}, {"training.sizes": "is `parameters.sizes` since 0.2"}),
        ({"grid": {}}, {"grid": "is `variants` since 0.2"}),
        (
            {"evaluation": dict.fromkeys(("hit", "maximum_fp", "at", "operating_point", "diameters_mm"))},
            {
                f"evaluation.{key}": f"is `outcomes.candidates.{key}` since 0.2"
                for key in ("hit", "maximum_fp", "at", "operating_point", "diameters_mm")
            },
        ),
        (
            {"evaluation": {"operating_rule": "youden", "objective": "roc"}},
            {
                "evaluation.operating_rule": "is `outcomes.case_scores.operating_rule` since 0.2",
                "evaluation.objective": "`roc` is `case_scores` since 0.2",
            },
        ),
        ({"evaluation": {"objective": "froc"}}, {"evaluation.objective": "`froc` is `candidates` since 0.2"}),
    ],
)
def test_a_key_of_0_1_is_answered_with_what_has_taken_its_place(keys: dict[str, Any], answers: dict[str, str]) -> None:
    with pytest.raises(HakkenError) as caught:
        parse_study({"name": "old", "seed": 1, **keys}, "old.yaml")
    *lines, last = str(caught.value).splitlines()
    assert lines == [f"old.yaml: {key}: {answer}" for key, answer in answers.items()]
    assert last == "old.yaml: a study of hakken 0.1; docs/how-to/migrate.md shows how to bring it up to date"


def test_a_study_is_named_like_its_file(study_file: Path) -> None:
    copied = study_file.with_name("copied.yaml")
    copied.write_text(study_file.read_text())
    with pytest.raises(HakkenError) as caught:
        load_study(copied, "tiny")
    assert str(caught.value) == f"{copied}: name is `example`, the file is copied.yaml; make them the same"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("name: example\nparameters: {dropout: 0.1}\n", "method: this key is missing"),
        ("name: example\nmethod: patch_classifier\ncohort: {phantom: {shape_mm: [1, 1, 1]}}\n", "generator"),
        ("name: example\nmethod: patch_classifier\ncohort: {phantom: {generator: 7}}\n", "generator"),
        ("name: example\nmethod: patch_classifier\ncohort: {phantom: {generator: null}}\n", "generator"),
    ],
)
def test_a_name_that_is_missing_or_no_name_is_told(content: str, said: str, tmp_path: Path) -> None:
    path = tmp_path / "example.yaml"
    path.write_text(content)
    with pytest.raises(HakkenError, match=said):
        load_study(path, "paper")
