"""What a study may say of its outcomes: rules of hits and of the threshold, and objectives in words."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from hakken import plugins
from hakken.outcomes import candidates, case_scores


@pytest.mark.parametrize("hit", ["distance", "distance-inclusive", "inside", "fixed:5", "fixed:2.5"])
def test_rules_of_hits(hit: str) -> None:
    assert candidates.Settings(hit=hit).hit == hit


@pytest.mark.parametrize(("hit", "near"), [("insid", "inside"), ("fixed:", "fixed:5"), ("fixed:0.0", "fixed:5")])
def test_other_rules_of_hits_are_refused(hit: str, near: str) -> None:
    known = "use distance, distance-inclusive, inside or fixed:MM"
    with pytest.raises(ValidationError, match=f"{known}; did you mean `{near}`\\?"):
        candidates.Settings(hit=hit)


@pytest.mark.parametrize("rule", ["youden", "sensitivity:0.9", "specificity:.85", "sensitivity:1", "specificity:1.0"])
def test_rules_of_the_threshold(rule: str) -> None:
    assert case_scores.Settings(operating_rule=rule).operating_rule == rule


@pytest.mark.parametrize(
    "rule", ["yuden", "sensitivity", "sensitivity:0", "specificity:1.2", "specificity:0.0", "ppv:0.9"]
)
def test_other_rules_of_the_threshold_are_refused(rule: str) -> None:
    with pytest.raises(ValidationError, match=r"use youden, sensitivity:S or specificity:S with 0 < S <= 1"):
        case_scores.Settings(operating_rule=rule)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("candidates", "partial AUC up to 10 FP/case"),
        ("case_scores", "AUC of the cases"),
        ("masks", "mean Dice"),
        ("classes", "balanced accuracy"),
        ("records", "the first record"),
    ],
)
def test_an_objective_in_words(name: str, words: str) -> None:
    outcome = plugins.load("outcomes", name)
    assert outcome.words(outcome.Settings()) == words
