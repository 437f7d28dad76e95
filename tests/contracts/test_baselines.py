"""What holds of every baseline."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from made_up import cases_of, study_with
from test_methods import assert_same

from hakken import plugins
from hakken.runs.predictions import part_of
from hakken.study.beside import takes_training

BASELINES = plugins.names("baselines")


@pytest.mark.parametrize("name", BASELINES)
def test_it_is_chosen_and_says_the_same_each_time(name: str, tmp_path: Path) -> None:
    study = study_with("baselines", name)
    module, cases = plugins.load("baselines", name), cases_of(study, tmp_path)
    assert plugins.literals("baselines", name)["OUTCOMES"] == module.OUTCOMES
    learnt = (cases_of(study, tmp_path / "training"),) if takes_training(name) else ()
    values = module.fit(cases, study, *learnt)
    assert values == module.fit(cases, study, *learnt)
    assert json.loads(json.dumps(values)) == values
    assert module.words(values, study)
    found = {case.case_id: module.predict(values, case, study) for case in cases}
    assert_same(found[cases[0].case_id], module.predict(values, cases[0], study))
    outcomes = set.intersection(*(set(said) for said in found.values())) & set(study.outcomes)
    assert outcomes == set(module.OUTCOMES) & set(study.outcomes)
    assert outcomes, "it says something of what the study measures"
    of_all = {outcome for one in study.baselines for outcome in plugins.load("baselines", one).OUTCOMES}
    assert study.objective in of_all, "one of the study's baselines is of what its models are chosen by"
    for outcome in outcomes:
        said = {case_id: one[outcome] for case_id, one in found.items()}
        assert plugins.load("outcomes", outcome).measure(said, part_of(study, outcome, cases)).rows
