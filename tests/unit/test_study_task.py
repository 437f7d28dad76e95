"""The task of a study: what it draws, what it trains, and how it chooses its threshold."""

from __future__ import annotations

from typing import Any

import pytest

from hakken.core.errors import HakkenError
from hakken.runs.guard import science
from hakken.study import FIGURES, Study
from hakken.study.reading import parse_study, study_slice

BASE: dict[str, Any] = {
    "name": "example",
    "seed": 1,
    "cohort": {"table": "cases.csv"},
    "channels": {"CT": {"modality": "ct"}},
    "reference": "CT",
}
ANOMALY = BASE | {"task": "anomaly", "training": {"network": "conv_autoencoder"}}


def test_each_task_has_figures_of_its_own() -> None:
    assert parse_study(BASE).figures == FIGURES["detection"]
    assert parse_study(ANOMALY).figures == ("roc", "search", "learnt", "anomalies")
    assert parse_study(ANOMALY | {"figures": ["roc", "froc", "strata"]}).figures == ("roc", "froc", "strata")


def test_detection_has_no_figures_of_cases() -> None:
    with pytest.raises(HakkenError) as error:
        parse_study(BASE | {"figures": ["froc", "roc"]})
    assert str(error.value) == "study: study: the figure `roc` is one of the task `anomaly`; remove it from `figures`"


@pytest.mark.parametrize(
    ("task", "network", "wanted"),
    [
        ("anomaly", "patch_cnn", "`conv_autoencoder` or `expectation_unet`"),
        ("detection", "conv_autoencoder", "`patch_cnn` or `projection_cnn`"),
    ],
)
def test_the_network_must_fit_the_task(task: str, network: str, wanted: str) -> None:
    with pytest.raises(HakkenError) as error:
        parse_study(BASE | {"task": task, "training": {"network": network}}, "s.yaml")
    assert str(error.value) == f"s.yaml: training.network `{network}` does not fit task `{task}`; use {wanted}"


@pytest.mark.parametrize("rule", ["youden", "sensitivity:0.9", "specificity:.85", "sensitivity:1", "specificity:1.0"])
def test_rules_of_the_threshold(rule: str) -> None:
    assert parse_study(ANOMALY | {"evaluation": {"operating_rule": rule}}).evaluation.operating_rule == rule


@pytest.mark.parametrize(
    "rule", ["yuden", "sensitivity", "sensitivity:0", "specificity:1.2", "specificity:0.0", "ppv:0.9"]
)
def test_other_rules_are_refused(rule: str) -> None:
    with pytest.raises(
        HakkenError, match=r"evaluation\.operating_rule: use youden, sensitivity:S or specificity:S with 0"
    ):
        parse_study(ANOMALY | {"evaluation": {"operating_rule": rule}})


def test_what_is_maximised_in_words() -> None:
    assert parse_study(BASE).objective_in_full == "partial AUC up to 10 FP/case"
    assert parse_study(ANOMALY).objective_in_full == "AUC of the cases"


def test_a_stage_knows_the_task_whatever_sections_it_is_given() -> None:
    part = Study.model_validate(study_slice(parse_study(ANOMALY), ("preparation", "evaluation")))
    assert part.task == "anomaly"
    assert "operating_rule" in science(parse_study(ANOMALY))["evaluation"]
