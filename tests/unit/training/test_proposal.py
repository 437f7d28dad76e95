from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field

import pytest

from hakken.search import Trial
from hakken.search.settings import Settings
from hakken.search.trial import Value
from hakken.study import Hyperparameters
from hakken.runs.ask import ATTEMPTS, complete, describes_network, propose_trial

DEFAULTS = Hyperparameters(patch_size=12, convolutions=2, kernel=3, poolings=1)
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
        assert describes_network(parameters, DEFAULTS)
        assert propose_trial(replayed, trials[::-1], number) == parameters
        trials.append(Trial(number, parameters, "complete", 0.1 * number))


def test_a_point_to_be_tried_first_is_trained_as_it_stands() -> None:
    impossible: dict[str, Value] = {"patch_size": 8, "convolutions": 6, "kernel": 5, "learning_rate": 0.01}
    assert not describes_network(impossible, DEFAULTS)
    settings = Settings(SPACE, 2, "random", first=(impossible,), defaults=VALUES)
    assert propose_trial(settings, (), 0) == impossible
    second = propose_trial(settings, [Trial(0, impossible, "failed")], 1)
    assert describes_network(second, DEFAULTS)


def test_the_default_sweep_trains_its_one_point() -> None:
    settings = Settings({}, 2, "random", first=({"kernel": 9},), defaults=VALUES)
    assert propose_trial(settings, (), 0) == {"kernel": 9}


def test_what_is_not_proposed_comes_from_the_study() -> None:
    assert complete({"kernel": 5, "dropout": 0.1}, DEFAULTS) == DEFAULTS.model_copy(
        update={"kernel": 5, "dropout": 0.1}
    )


def test_the_network_of_the_study_decides_what_describes_one() -> None:
    # 4 convolutions of edge 3 leave nothing of a patch of 8; an autoencoder pads them. Without a pooling it is none.
    deep: dict[str, Value] = {"patch_size": 8, "convolutions": 4, "kernel": 3, "poolings": 1}
    flat: dict[str, Value] = {"patch_size": 8, "convolutions": 2, "kernel": 3, "poolings": 0}
    assert not describes_network(deep, DEFAULTS)
    assert describes_network(deep, DEFAULTS, "conv_autoencoder")
    assert describes_network(flat, DEFAULTS)
    assert not describes_network(flat, DEFAULTS, "conv_autoencoder")
    settings = Answers({}, 0, defaults=VALUES, network="conv_autoencoder", answers=(flat, deep))
    assert propose_trial(settings, (), 0) == deep
