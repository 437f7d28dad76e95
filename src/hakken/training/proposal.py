"""Asking for parameters that describe a network at all.

Whether a patch is large enough for its convolutions is known without training. A proposal that is not is answered at
once as a failed trial, so the proposer learns from it and proposes again, and no slot is spent on it. The result is as
replayable as the proposer: it depends on space, trials, number and seed alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from hakken.networks.patch_cnn import InvalidArchitecture, remaining_extent
from hakken.search.trial import Trial, Value
from hakken.study import Hyperparameters

ATTEMPTS = 32
FIRST_NUMBER = 1_000_000_000  # numbers of answers that are no trials


def propose_network(
    trials: Iterable[Trial], defaults: Hyperparameters, ask: Callable[[list[Trial]], dict[str, Value]]
) -> dict[str, Value]:
    """Return the first proposal of ``ask`` that describes a network, or the last of `ATTEMPTS`.

    ``ask`` maps the known trials to a proposal; ``defaults`` holds what it leaves out.
    """
    known = list(trials)
    proposal = ask(known)
    for attempt in range(ATTEMPTS):
        if describes_network(proposal, defaults):
            break
        known.append(Trial(FIRST_NUMBER + attempt, proposal, "failed"))
        proposal = ask(known)
    return proposal


def describes_network(proposal: Mapping[str, Value], defaults: Hyperparameters) -> bool:
    """Return whether the patch is large enough for the layers."""
    try:
        remaining_extent(complete(proposal, defaults))
    except InvalidArchitecture:
        return False
    return True


def complete(proposal: Mapping[str, Value], defaults: Hyperparameters) -> Hyperparameters:
    """Return all hyper-parameters: those of the proposal, and ``defaults`` for the others."""
    return Hyperparameters.model_validate(defaults.model_dump() | dict(proposal))
