"""The part of a study that a stage depends on: what differs from the defaults, and no more."""

from __future__ import annotations

import json
from typing import Any

import pytest

from hakken.methods.patch_classifier import Parameters
from hakken.study import Study, Training
from hakken.study.parameters import Optimised, Patched
from hakken.study.reading import parse_study
from hakken.study.slices import EVERYTHING, study_slice

CONTENT: dict[str, Any] = {
    "name": "example",
    "seed": 1,
    "method": "patch_classifier",
    "cohort": {"table": "cases.csv"},
    "channels": {"T1": {"modality": "mr"}},
    "parameters": {"patch_size": 12},
    "training": {"steps": 10},
    "search": {"trials": 7, "space": {"dropout": {"type": "real", "low": 0.1, "high": 0.2}}},
    "outcomes": {"candidates": {"hit": "inside"}},
}
ALWAYS = {key: CONTENT[key] for key in ("name", "seed", "cohort", "channels")} | {"reference": "T1"}


def study(**sections: dict[str, Any]) -> Study:
    """The study with more keys in some sections."""
    return parse_study(CONTENT | {key: CONTENT.get(key, {}) | value for key, value in sections.items()})


def test_a_slice_holds_identity_cohort_and_the_named_sections_alone() -> None:
    chosen = study_slice(study(), ("training", "search.space"))
    assert chosen == ALWAYS | {"training": {"steps": 10}, "search": {"space": CONTENT["search"]["space"]}}
    assert json.loads(json.dumps(chosen)) == chosen, "plain values"


@pytest.mark.parametrize("section", ["parameters", "inference", "outcomes"])
def test_with_sections_of_the_method_comes_its_name(section: str) -> None:
    own = {section: CONTENT.get(section, {})}
    assert study_slice(study(), (section,)) == ALWAYS | {"method": "patch_classifier"} | own


def test_a_slice_reads_back_as_a_study_whose_other_sections_are_defaults() -> None:
    whole = study()
    back = Study.model_validate(study_slice(whole, ("training", "outcomes")))
    assert (back.training, back.outcomes, back.channels) == (whole.training, whole.outcomes, whole.channels)
    assert back.search == Study.model_fields["search"].default
    assert Study.model_validate(study_slice(whole, EVERYTHING)) == whole


def test_what_is_written_although_it_is_the_default_changes_nothing() -> None:
    default = {"patience": Training().patience, "schedule": Training().schedule}
    assert study_slice(study(training=default), EVERYTHING) == study_slice(study(), EVERYTHING)


def test_a_change_elsewhere_leaves_a_slice_as_it_is() -> None:
    sections = ("training", "outcomes", "search.space")
    before = study_slice(study(), sections)
    assert study_slice(study(search={"trials": 8}, parameters={"patch_size": 11}), sections) == before
    assert study_slice(study(training={"steps": 11}), sections) != before
    assert study_slice(study(cohort={"minimum_lesion_mm3": 1}), sections) != before


def test_a_key_beside_its_whole_section_changes_nothing() -> None:
    whole = study_slice(study(), ("search",))
    assert study_slice(study(), ("search", "search.space")) == whole
    assert study_slice(study(), ("search.space", "search")) == whole


def test_a_changed_default_is_announced_by_the_version_of_its_section(monkeypatch: pytest.MonkeyPatch) -> None:
    before = study_slice(study(), ("training",))
    monkeypatch.setattr(Training, "version", 2)
    after = study_slice(study(), ("training",))
    assert after == before | {"versions": {"training.Training": 2}}
    assert "versions" not in study_slice(study(), ("search",))
    assert Study.model_validate(after).training == study().training


def test_the_versions_of_all_parts_of_a_method_s_parameters_count(monkeypatch: pytest.MonkeyPatch) -> None:
    for count, section in enumerate((Optimised, Patched, Parameters), start=2):
        monkeypatch.setattr(section, "version", 2)
        assert study_slice(study(), ("parameters",))["versions"] == {"parameters.Parameters": count}
