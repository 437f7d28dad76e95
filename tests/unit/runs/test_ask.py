"""What a trial trains: the settings of each run, proposals that describe a network, and the seeds of trainings."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import pytest

from hakken.core.seeds import derive_seed
from hakken.methods.patch_classifier import Parameters
from hakken.runs.ask import ATTEMPTS, complete, describes_network, propose_trial, seed_of, settings_of
from hakken.runs.table import run_named
from hakken.runs.warm_start import SourceTrial
from hakken.search import Trial
from hakken.search.settings import Settings
from hakken.search.trial import Value
from hakken.study import Study

from ..miniature import study

METHOD = "patch_classifier"
DEFAULTS = Parameters(patch_size=12, convolutions=2, kernel=3, poolings=1)
VALUES = DEFAULTS.model_dump(mode="json")
SPACE = {
    "patch_size": {"type": "integer", "low": 8, "high": 16},
    "convolutions": {"type": "integer", "low": 2, "high": 6},
    "kernel": {"type": "categorical", "choices": [3, 5]},
    "learning_rate": {"type": "real", "low": 1e-4, "high": 1e-1, "scale": "log"},
}


@dataclass(frozen=True)
class Answers(Settings):
    """Settings whose proposals are given, and that note what they were asked with."""

    answers: tuple[dict[str, Value], ...] = ()
    asked: list[list[Trial]] = field(default_factory=list)

    def propose(self, trials: Iterable[Trial], number: int) -> dict[str, Value]:
        self.asked.append(list(trials))
        return self.answers[min(len(self.asked), len(self.answers)) - 1]


def test_what_describes_no_network_is_answered_as_failed_and_asked_again() -> None:
    settings = Answers({}, 0, defaults=VALUES, answers=({"kernel": 9}, {"kernel": 7}, {"kernel": 3}))
    known = (Trial(0, {"kernel": 5}, "running"),)
    assert propose_trial(settings, known, 1) == {"kernel": 3}
    assert [[trial.state for trial in trials] for trials in settings.asked] == [
        ["running"],
        ["running", "failed"],
        ["running", "failed", "failed"],
    ]
    assert [trial.parameters for trial in settings.asked[2][1:]] == [{"kernel": 9}, {"kernel": 7}]


def test_where_nothing_describes_a_network_the_last_proposal_is_returned() -> None:
    settings = Answers({}, 0, defaults=VALUES, answers=({"kernel": 9},))
    assert propose_trial(settings, (), 0) == {"kernel": 9}
    assert [len(trials) for trials in settings.asked] == list(range(ATTEMPTS + 1))


@pytest.mark.parametrize("sampler", ["random", "sobol", "bayesian"])
def test_every_sampler_finds_networks_in_a_space_of_mostly_none(sampler: str) -> None:
    settings = Settings(SPACE, 2, sampler, startup=3, defaults=VALUES)
    replayed = Settings.from_json(json.loads(json.dumps(settings.to_json())))
    trials: list[Trial] = []
    for number in range(6):
        parameters = propose_trial(settings, trials, number)
        assert describes_network(parameters, VALUES, METHOD)
        assert propose_trial(replayed, trials[::-1], number) == parameters
        trials.append(Trial(number, parameters, "complete", 0.1 * number))


def test_a_point_to_be_tried_first_is_trained_as_it_stands() -> None:
    impossible: dict[str, Value] = {"patch_size": 8, "convolutions": 6, "kernel": 5, "learning_rate": 0.01}
    assert not describes_network(impossible, VALUES, METHOD)
    settings = Settings(SPACE, 2, "random", first=(impossible,), defaults=VALUES)
    assert propose_trial(settings, (), 0) == impossible
    second = propose_trial(settings, [Trial(0, impossible, "failed")], 1)
    assert describes_network(second, VALUES, METHOD)


def test_the_default_sweep_trains_its_one_point() -> None:
    settings = Settings({}, 2, "random", first=({"kernel": 9},), defaults=VALUES)
    assert propose_trial(settings, (), 0) == {"kernel": 9}


def test_what_is_not_proposed_comes_from_the_study() -> None:
    expected = DEFAULTS.model_copy(update={"kernel": 5, "dropout": 0.1})
    assert complete({"kernel": 5, "dropout": 0.1}, VALUES, METHOD) == expected


def test_the_method_of_the_study_decides_what_describes_a_network() -> None:
    # 4 convolutions of edge 3 leave nothing of a patch of 8; an autoencoder pads them. Without a pooling it is none.
    deep: dict[str, Value] = {"patch_size": 8, "convolutions": 4, "poolings": 1}
    flat: dict[str, Value] = {"patch_size": 8, "convolutions": 2, "poolings": 0}
    assert not describes_network(deep, {}, METHOD)
    assert describes_network(deep, {}, "autoencoder")
    assert describes_network(flat, {}, METHOD)
    assert not describes_network(flat, {}, "autoencoder")
    settings = Answers({}, 0, method="autoencoder", answers=(flat, deep))
    assert propose_trial(settings, (), 0) == deep


COMPARISON = {"slots": [1, 4], "repeats": 2, "trials": 6}
OWN = {"learning_rate": 0.02}


def searching(**keys: Any) -> Study:
    return study(search={"trials": 9, "slots": 3, **keys})


def of_run(chosen: Study, name: str, source: list[SourceTrial] | None = None) -> Settings:
    """The settings of the run ``name``, of the study as it trains it."""
    run = run_named(chosen, name)
    return settings_of(run.study(chosen), run, source or [])


def found(number: int, objective: float, rate: float) -> SourceTrial:
    return SourceTrial(number, "complete", objective, {"learning_rate": rate})


def test_every_run_has_its_own_seed_and_repeats_of_the_comparison_share_theirs() -> None:
    names = ("search", "default", "n1-r0", "n4-r0", "random-r0", "n1-r1", "random-r1")
    seeds = {name: of_run(searching(comparison=COMPARISON), name).seed for name in names}
    assert seeds["search"] == derive_seed(5, "search")
    assert seeds["n1-r0"] == seeds["n4-r0"] == seeds["random-r0"]
    assert seeds["n1-r1"] == seeds["random-r1"]
    assert len(set(seeds.values())) == 4


def test_sweeps_with_other_slots_begin_with_the_same_points() -> None:
    chosen = searching(comparison=COMPARISON)
    first = [propose_trial(of_run(chosen, name), (), 0) for name in ("n1-r0", "n4-r0")]
    assert first[0] == first[1]
    assert propose_trial(of_run(chosen, "search"), (), 1) != first[0]


def test_the_search_begins_with_the_study_s_own_parameters_and_no_other_sweep_does() -> None:
    assert of_run(searching(), "search").first == (OWN,)
    assert of_run(searching(default_first=False), "search").first == ()
    assert of_run(searching(comparison=COMPARISON), "n1-r0").first == ()
    outside = study(parameters={"learning_rate": 0.5}, search={"trials": 9})
    assert of_run(outside, "search").first == ()


def test_the_default_proposes_the_study_s_own_parameters() -> None:
    assert propose_trial(of_run(searching(), "default"), (), 0) == OWN
    outside = study(parameters={"learning_rate": 0.5})
    assert propose_trial(of_run(outside, "default"), (), 0) == {"learning_rate": 0.5}


def test_the_first_trial_of_a_search_trains_them_whoever_asks_first() -> None:
    settings = of_run(searching(), "search")
    assert propose_trial(settings, (), 1) == OWN
    assert propose_trial(settings, (Trial(1, OWN, "running"),), 0) != OWN


def test_a_warm_start_tries_the_best_of_the_source_after_the_own_parameters() -> None:
    rates = [(0.1, 0.03), (0.9, 0.02), (0.8, 0.01), (0.7, 0.9), (0.6, 0.04)]
    source = [found(number, *pair) for number, pair in enumerate(rates)]
    settings = of_run(searching(warm_start={"study": "small", "top": 3}), "search", source)
    assert settings.first == (OWN, {"learning_rate": 0.01}, {"learning_rate": 0.05})
    assert settings.prior == ()


def test_a_prior_is_the_source_at_points_of_this_space() -> None:
    chosen = searching(warm_start={"study": "small", "mode": "prior"})
    settings = of_run(chosen, "search", [found(4, 0.6, 0.9)])
    assert settings.first == (OWN,)
    assert settings.prior == (Trial(4, {"learning_rate": 0.05}, "complete", 0.6),)


@pytest.mark.parametrize("name", ["search", "default", "n1-r0", "random-r0"])
def test_settings_are_plain_values(name: str) -> None:
    chosen = searching(warm_start={"study": "small"}, comparison=COMPARISON)
    settings = of_run(chosen, name, [found(0, 0.3, 0.04)])
    assert Settings.from_json(json.loads(json.dumps(settings.to_json()))) == settings
    assert settings.sampler == ("random" if name in ("default", "random-r0") else "bayesian")
    assert settings.method == METHOD


def test_a_variant_trains_its_own_parameters_and_proposes_the_searched_ones_as_they_stand() -> None:
    chosen = study(variants={"grid": {"factors": {"depth": {"one": {"parameters.convolutions": 1}}}}})
    settings = of_run(chosen, "grid-one")
    assert (settings.space, settings.first, settings.defaults["convolutions"]) == ({}, (OWN,), 1)
    assert complete(propose_trial(settings, (), 0), settings.defaults, METHOD).convolutions == 1  # type: ignore[attr-defined]


def seed_in(chosen: Study, name: str, number: int = 0, **parameters: Any) -> int:
    run = run_named(chosen, name)
    trained = run.study(chosen)
    return seed_of(trained, run, number, trained.parameters.model_copy(update=parameters))


def test_the_study_s_own_parameters_have_the_same_seed_wherever_they_are_trained() -> None:
    chosen = searching(comparison=COMPARISON)
    own = derive_seed(5, "default", 0)
    assert seed_in(chosen, "default") == seed_in(chosen, "search", 7) == seed_in(chosen, "n4-r1", 3) == own
    assert seed_in(chosen, "search", 7, dropout=0.4) == derive_seed(5, "search", 7)
    assert seed_in(chosen, "n4-r1", 3, dropout=0.4) == seed_in(chosen, "n1-r1", 3, dropout=0.4)


def test_a_variant_differs_from_the_default_in_its_keys_alone() -> None:
    chosen = study(variants={"grid": {"factors": {"depth": {"one": {"parameters.convolutions": 1}}}}})
    assert seed_in(chosen, "grid-one") == seed_in(chosen, "default")


def test_every_fold_has_seeds_of_its_own() -> None:
    held = study(variants={"grid": {"factors": {"depth": {"one": {}}}, "folds": 2}})
    assert seed_in(held, "grid-one-f0") == derive_seed(5, "grid-one-f0", 0)
    assert seed_in(held, "grid-one-f1") != seed_in(held, "grid-one-f0")
    crossed = study(evaluation={"design": "cross_validation", "folds": 3})
    assert seed_in(crossed, "search-f1") == seed_in(crossed, "default-f1") == derive_seed(5, "default/1", 0)
    assert seed_in(crossed, "search-f1", 2, dropout=0.4) == derive_seed(5, "search-f1/1", 2)
