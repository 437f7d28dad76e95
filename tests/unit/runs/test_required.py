"""Which cases a part must hold, by what the method learns from and what is measured."""

from __future__ import annotations

from typing import Any

import pytest

from hakken.runs.required import MOVE_CASES, MOVE_LESIONS, Kinds, needs_of, require_cases
from hakken.study import Study

from ..miniature import study, without

BOTH, NORMAL, ABNORMAL = Kinds(1, 1), Kinds(0, 2), Kinds(2, 0)
DETECTION = study()
ANOMALY = study(without("parameters", "search"), method="autoencoder", parameters={"patch_size": 8})


def said(chosen: Study, outcomes: list[str] | None = None, **parts: Kinds) -> list[str]:
    return [problem.reason for problem in require_cases(chosen, parts, outcomes)]


def test_kinds_are_counted() -> None:
    assert Kinds.of([True, False, True]) == Kinds(abnormal=2, normal=1)
    assert Kinds.of([]) == Kinds(0, 0)


def test_what_a_study_needs_is_what_its_method_says() -> None:
    assert (needs_of(DETECTION).learns_from, needs_of(ANOMALY).learns_from) == ("lesions", "normal")


@pytest.mark.parametrize(
    ("chosen", "parts", "expected"),
    [
        (DETECTION, {"train": ABNORMAL, "validation": ABNORMAL, "test": ABNORMAL}, []),
        (DETECTION, {"train": NORMAL}, ["the part `train` has no lesions, so nothing can be learnt there"]),
        (DETECTION, {"test": NORMAL}, ["the part `test` has no lesions, so nothing can be measured there"]),
        (ANOMALY, {"train": NORMAL, "validation": BOTH, "test": BOTH}, []),
        (
            ANOMALY,
            {"train": ABNORMAL},
            ["the part `train` has no case without lesions; the method learns from these alone"],
        ),
        (
            ANOMALY,
            {"validation": ABNORMAL, "test": NORMAL},
            [
                "the part `validation` has no case without lesions; specificity is measured on these",
                "the part `test` has no lesions, so nothing can be measured there",
            ],
        ),
    ],
)
def test_parts_in_which_nothing_can_be_learnt_or_measured(
    chosen: Study, parts: dict[str, Kinds], expected: list[str]
) -> None:
    assert said(chosen, **parts) == expected


def test_only_the_outcomes_that_are_measured_ask_for_cases() -> None:
    assert said(ANOMALY, ["candidates"], validation=ABNORMAL) == []
    assert said(ANOMALY, ["score_maps"], validation=NORMAL) == []


def test_the_remedy_says_which_cases_to_move() -> None:
    parts: dict[str, Any] = {"train": Kinds(0, 0)}
    (none,) = require_cases(DETECTION, parts)
    assert (none.column, none.row, none.remedy) == ("split", 1, MOVE_LESIONS)
    (normal,) = require_cases(ANOMALY, parts)
    assert normal.remedy == MOVE_CASES


def test_training_cases_that_a_method_passes_over_are_asked_about() -> None:
    (question,) = require_cases(ANOMALY, {"train": Kinds(abnormal=2, normal=5)})
    assert (question.reason, question.stops) == (
        "the part `train` holds 2 cases with findings; the method learns from normal ones alone",
        False,
    )
    assert said(DETECTION, train=BOTH) == []
