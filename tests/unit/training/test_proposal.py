from __future__ import annotations

import pytest

from hakken.search import Space, Trial, propose
from hakken.study import Hyperparameters
from hakken.training.proposal import ATTEMPTS, complete, describes_network, propose_network

DEFAULTS = Hyperparameters(patch_size=12, convolutions=2, kernel=3, poolings=1)


def test_what_describes_no_network_is_answered_as_failed_and_asked_again() -> None:
    answers = iter([{"kernel": 9}, {"kernel": 7}, {"kernel": 3}])
    asked: list[list[Trial]] = []

    def ask(trials: list[Trial]) -> dict[str, int]:
        asked.append(list(trials))
        return next(answers)

    known = (Trial(0, {"kernel": 5}, "running"),)
    assert propose_network(known, DEFAULTS, ask) == {"kernel": 3}  # type: ignore[arg-type]
    assert [[trial.state for trial in trials] for trials in asked] == [
        ["running"],
        ["running", "failed"],
        ["running", "failed", "failed"],
    ]
    assert [trial.parameters for trial in asked[2][1:]] == [{"kernel": 9}, {"kernel": 7}]


def test_where_nothing_describes_a_network_the_last_proposal_is_returned() -> None:
    calls: list[int] = []

    def ask(trials: list[Trial]) -> dict[str, int]:
        calls.append(len(trials))
        return {"kernel": 9}

    assert propose_network((), DEFAULTS, ask) == {"kernel": 9}  # type: ignore[arg-type]
    assert calls == list(range(ATTEMPTS + 1))


@pytest.mark.parametrize("sampler", ["random", "sobol", "bayesian"])
def test_every_sampler_finds_networks_in_a_space_of_mostly_none(sampler: str) -> None:
    space = Space.from_mapping(
        {
            "patch_size": {"type": "integer", "low": 8, "high": 16},
            "convolutions": {"type": "integer", "low": 2, "high": 6},
            "kernel": {"type": "categorical", "choices": [3, 5]},
            "learning_rate": {"type": "real", "low": 1e-4, "high": 1e-1, "scale": "log"},
        }
    )
    trials: list[Trial] = []
    for number in range(6):

        def ask(known: list[Trial], number: int = number) -> dict[str, object]:
            return propose(space, known, number=number, seed=2, sampler=sampler, startup=3)  # type: ignore[return-value]

        parameters = propose_network(trials, DEFAULTS, ask)  # type: ignore[arg-type]
        assert describes_network(parameters, DEFAULTS)
        assert propose_network(trials, DEFAULTS, ask) == parameters  # type: ignore[arg-type]
        trials.append(Trial(number, parameters, "complete", 0.1 * number))


def test_what_is_not_proposed_comes_from_the_study() -> None:
    assert complete({"kernel": 5, "dropout": 0.1}, DEFAULTS) == DEFAULTS.model_copy(
        update={"kernel": 5, "dropout": 0.1}
    )
