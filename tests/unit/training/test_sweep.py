from __future__ import annotations

import json
from typing import Any

import pytest

from hakken.core.errors import HakkenError
from hakken.search.settings import Settings
from hakken.search.trial import Trial
from hakken.core.seeds import derive_seed
from hakken.study import Study
from hakken.runs.ask import propose_trial
from hakken.runs.table import Sweep, apart_sweeps, as_trained, comparison_sweeps, settings_of, sweep_of
from hakken.runs.warm_start import SourceTrial

from ..tasks.helpers import study

COMPARISON = {"slots": [1, 4], "repeats": 2, "trials": 6}
OWN = {"learning_rate": 0.02}


def searching(**keys: Any) -> Any:
    return study(search={"trials": 9, "slots": 3, "stop_after_failures": 4, **keys})


def source(number: int, objective: float, rate: float) -> SourceTrial:
    return SourceTrial(number, "complete", objective, {"learning_rate": rate})


def test_the_search_and_the_default() -> None:
    assert sweep_of(searching(sampler="sobol"), "search") == Sweep("search", 9, 3, "sobol", 4)
    assert sweep_of(searching(), "default") == Sweep("default", 1, 3, "random", 4)


def test_the_sweeps_of_a_comparison() -> None:
    chosen = searching(comparison=COMPARISON)
    assert comparison_sweeps(chosen) == (
        Sweep("n1-r0", 6, 1, "bayesian", 4),
        Sweep("n1-r1", 6, 1, "bayesian", 4),
        Sweep("n4-r0", 6, 4, "bayesian", 4),
        Sweep("n4-r1", 6, 4, "bayesian", 4),
        Sweep("random-r0", 6, 4, "random", 4),
        Sweep("random-r1", 6, 4, "random", 4),
    )
    assert sweep_of(chosen, "n4-r1").slots == 4
    assert comparison_sweeps(searching()) == ()


def test_an_unknown_sweep_is_named_with_those_that_there_are() -> None:
    with pytest.raises(HakkenError) as caught:
        sweep_of(searching(comparison=COMPARISON | {"repeats": 1}), "n4-r1")
    assert str(caught.value) == (
        "study `balls` has no sweep `n4-r1`; did you mean `n4-r0`?; there are search, default, n1-r0, n4-r0, random-r0 "
        "(key `search.comparison` adds those that compare numbers of slots)"
    )


def test_every_sweep_has_its_own_seed_and_repeats_of_the_comparison_share_theirs() -> None:
    names = ("search", "default", "n1-r0", "n4-r0", "random-r0", "n1-r1", "random-r1")
    seeds = {name: settings_of(searching(comparison=COMPARISON), name).seed for name in names}
    assert seeds["search"] == derive_seed(5, "search")
    assert seeds["n1-r0"] == seeds["n4-r0"] == seeds["random-r0"]
    assert seeds["n1-r1"] == seeds["random-r1"]
    assert len(set(seeds.values())) == 4


def test_sweeps_with_other_slots_begin_with_the_same_points() -> None:
    chosen = searching(comparison=COMPARISON)
    first = [propose_trial(settings_of(chosen, name), (), 0) for name in ("n1-r0", "n4-r0")]
    assert first[0] == first[1]
    assert propose_trial(settings_of(chosen, "search"), (), 1) != first[0]


def test_the_search_begins_with_the_study_s_own_parameters_and_no_other_sweep_does() -> None:
    assert settings_of(searching(), "search").first == (OWN,)
    assert settings_of(searching(default_first=False), "search").first == ()
    assert settings_of(searching(comparison=COMPARISON), "n1-r0").first == ()
    outside = study(parameters={"learning_rate": 0.5}, search={"trials": 9})
    assert settings_of(outside, "search").first == ()


def test_the_default_proposes_the_study_s_own_parameters() -> None:
    assert propose_trial(settings_of(searching(), "default"), (), 0) == OWN
    outside = study(parameters={"learning_rate": 0.5})
    assert propose_trial(settings_of(outside, "default"), (), 0) == {"learning_rate": 0.5}


def test_the_first_trial_of_a_search_trains_them_whoever_asks_first() -> None:
    settings = settings_of(searching(), "search")
    assert propose_trial(settings, (), 1) == OWN
    assert propose_trial(settings, (Trial(1, OWN, "running"),), 0) != OWN


def test_a_warm_start_tries_the_best_of_the_source_after_the_own_parameters() -> None:
    found = [
        source(0, 0.1, 0.03),
        source(1, 0.9, 0.02),
        source(2, 0.8, 0.01),
        source(3, 0.7, 0.9),
        source(4, 0.6, 0.04),
    ]
    chosen = searching(warm_start={"study": "small", "top": 3})
    assert settings_of(chosen, "search", found).first == (OWN, {"learning_rate": 0.01}, {"learning_rate": 0.05})
    assert settings_of(chosen, "search", found).prior == ()


def test_a_prior_is_the_source_at_points_of_this_space() -> None:
    chosen = searching(warm_start={"study": "small", "mode": "prior"})
    settings = settings_of(chosen, "search", [source(4, 0.6, 0.9)])
    assert settings.first == (OWN,)
    assert settings.prior == (Trial(4, {"learning_rate": 0.05}, "complete", 0.6),)


@pytest.mark.parametrize("name", ["search", "default", "n1-r0", "random-r0"])
def test_settings_are_plain_values(name: str) -> None:
    settings = settings_of(searching(warm_start={"study": "small"}), name, [source(0, 0.3, 0.04)])
    assert Settings.from_json(json.loads(json.dumps(settings.to_json()))) == settings
    assert settings.sampler == ("random" if name in ("default", "random-r0") else "bayesian")


def test_each_depth_is_trained_apart_with_the_parameters_of_the_default() -> None:
    study = with_sizes([3, 5, 4])
    assert [sweep.name for sweep in apart_sweeps(study)] == ["apart-3", "apart-4", "apart-5"]
    assert sweep_of(study, "apart-4").trials == 1
    for depth in (3, 4, 5):
        alone = as_trained(study, f"apart-{depth}")
        assert alone.parameters == study.parameters.model_copy(update={"poolings": depth - 1})
        assert (alone.training.sizes.levels, alone.training.sizes.features) == ((depth,), (1.0,))
        assert not alone.training.sizes.distillation
    assert as_trained(study, "search") is study
    assert settings_of(study, "apart-3").defaults["poolings"] == 2
    assert settings_of(study, "apart-3").first == settings_of(study, "default").first


@pytest.mark.parametrize("levels", [[], [5]])
def test_one_depth_is_not_trained_apart(levels: list[int]) -> None:
    assert apart_sweeps(with_sizes(levels)) == ()


def with_sizes(levels: list[int]) -> Study:
    return Study.model_validate(
        {
            "name": "polyps",
            "seed": 1,
            "task": "segmentation",
            "cohort": {"table": "cases.csv"},
            "channels": {"red": {"modality": "endoscopy"}},
            "reference": "red",
            "parameters": {"poolings": 4},
            "search": {"space": {"dropout": {"type": "real", "low": 0, "high": 0.5}}},
            "training": {
                "network": "unet",
                "sizes": {"levels": levels, "features": [0.5, 1], "distillation": True},
            },
        }
    )
