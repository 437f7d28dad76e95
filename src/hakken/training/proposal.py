"""The one way to propose: what a trial trains, asked of the search and known to describe a network.

Whether a patch is large enough for its convolutions is known without training. A proposal that is not is answered at
once as a failed trial, so the proposer learns from it and proposes again, and no slot is spent on it. A point that the
settings name to be tried first is trained as it stands. The result is as replayable as the proposer: it depends on
settings, trials and number alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import cast

from hakken.networks.build import require_architecture
from hakken.networks.patch_cnn import InvalidArchitecture
from hakken.search.settings import Settings
from hakken.search.trial import Trial, Value
from hakken.study import Hyperparameters, NetworkName

ATTEMPTS = 32
FIRST_NUMBER = 1_000_000_000  # numbers of answers that are no trials


def propose_trial(settings: Settings, trials: Iterable[Trial], number: int) -> dict[str, Value]:
    """Return the parameters of trial ``number`` given all other ``trials``, finished and pending.

    They are the first proposal that describes a network, or the last of `ATTEMPTS`.
    """
    known, defaults = list(trials), Hyperparameters.model_validate(settings.defaults)
    proposal = settings.propose(known, number)
    for attempt in range(ATTEMPTS):
        if proposal in settings.first or describes_network(proposal, defaults, cast(NetworkName, settings.network)):
            break
        known.append(Trial(FIRST_NUMBER + attempt, proposal, "failed"))
        proposal = settings.propose(known, number)
    return proposal


def describes_network(
    proposal: Mapping[str, Value], defaults: Hyperparameters, network: NetworkName = "patch_cnn"
) -> bool:
    """Return whether there is such a ``network``: whether the patch is large enough for the layers, above all."""
    try:
        require_architecture(network, complete(proposal, defaults))
    except InvalidArchitecture:
        return False
    return True


def complete(proposal: Mapping[str, Value], defaults: Hyperparameters) -> Hyperparameters:
    """Return all hyper-parameters: those of the proposal, and ``defaults`` for the others."""
    return Hyperparameters.model_validate(defaults.model_dump() | dict(proposal))
