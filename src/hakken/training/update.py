"""One player's turn in a round: its updates, each the mean of the gradients of one or more mini-batches."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn

from hakken.core.seeds import derive_seed
from hakken.training.optimiser import Optimiser
from hakken.training.players import Loss, Networks, Player
from hakken.training.team import Team


def learnt(networks: Networks, player: Player) -> list[nn.Parameter]:
    """Return the weights that a player moves, in the order of its networks; those that are frozen are left out."""
    weights = [weight for name in player.networks for weight in networks[name].parameters() if weight.requires_grad]
    return list(dict.fromkeys(weights))


@dataclass(eq=False)
class Turn:
    """Updates the networks of ``player``, the ``number``-th of the players; all else stands still meanwhile."""

    player: Player
    networks: Networks
    loss: Callable[[str, Networks, Any, torch.Generator], Loss]
    minibatches: int
    seed: int
    precision: torch.dtype
    channels_last: bool
    team: Team
    parts: int
    number: int
    waited: float = field(default=0.0, init=False)  # seconds, in the last round
    _stream: Iterator[Any] = field(init=False)

    def __post_init__(self) -> None:
        self._weights = learnt(self.networks, self.player)
        self._device = self._weights[0].device
        mine = set(self._weights)
        everyone = {weight for network in self.networks.values() for weight in network.parameters()}
        self._others = [weight for weight in everyone - mine if weight.requires_grad]

    def begin(self, step: int, workers: int) -> None:
        """Open the player's source at the first mini-batch that this process takes from ``step`` on.

        So many ``workers`` are to make mini-batches ahead.
        """
        rounds = -(-(step // self.minibatches) // self.player.every)  # in which the player was updated before
        first = rounds * self.player.updates * self.minibatches
        self._stream = iter(self.player.source.iterate(first + self.team.rank, workers=workers, stride=self.team.size))

    def updates(self, step: int, optimiser: Optimiser) -> Iterator[dict[str, torch.Tensor]]:
        """Make the player's updates in the round at ``step``, and yield this process's share of the losses of each."""
        whole, self.waited = step // self.minibatches, 0.0
        if whole % self.player.every:
            return
        for number in range(self.player.updates):
            first = (whole // self.player.every * self.player.updates + number) * self.minibatches
            optimiser.clear()
            with _standing_still(self._others):
                losses = self._gradients(first)
            self.team.share_gradients(self._weights)
            if self.player.clip is not None:
                nn.utils.clip_grad_norm_(self._weights, self.player.clip)
            optimiser.step()
            yield losses

    def _gradients(self, first: int) -> dict[str, torch.Tensor]:
        """Add up the gradients of this process's mini-batches of one update, the first of which is ``first``."""
        found: dict[str, list[torch.Tensor]] = {}
        for place in range(self.team.rank, self.minibatches, self.team.size):
            role = [self.player.name] if self.number else []
            seed = derive_seed(self.seed, "step", first + place, *role)
            torch.manual_seed(seed)
            draw = torch.Generator(self._device).manual_seed(seed)
            for share, piece in self._pieces(self._taken()):
                weight = share * self.team.size / self.minibatches
                with _autocast(self._device, self.precision):
                    loss = self.loss(self.player.name, self.networks, piece.arranged(self.channels_last), draw)
                    value = loss.value if weight == 1 else loss.value * weight
                value.backward()  # type: ignore[no-untyped-call]
                found.setdefault(self.player.name, []).append(value.detach())
                for name, more in loss.log.items():
                    found.setdefault(f"{self.player.name}.{name}", []).append(more.detach() * weight)
        return {name: values[0] if len(values) == 1 else torch.stack(values).sum() for name, values in found.items()}

    def _taken(self) -> Any:
        """Return the next mini-batch, and add up how long it was waited for."""
        start = time.monotonic()
        batch = next(self._stream)
        self.waited += time.monotonic() - start
        return batch

    def _pieces(self, batch: Any) -> list[tuple[float, Any]]:
        """Return a mini-batch in ``parts``, each with its share of it; in fewer where it has not so many samples."""
        if self.parts == 1:
            return [(1.0, batch)]
        pieces = batch.split(self.parts)
        return [(len(piece) / len(batch), piece) for piece in pieces]


@contextmanager
def _standing_still(weights: Sequence[nn.Parameter]) -> Iterator[None]:
    """Within the block these weights gather no gradients; what passes through them still does."""
    for weight in weights:
        weight.requires_grad_(False)
    try:
        yield
    finally:
        for weight in weights:
            weight.requires_grad_(True)


def _autocast(device: torch.device, precision: torch.dtype) -> AbstractContextManager[Any]:
    """Return the context in which layers compute at ``precision``; weights and losses stay float32."""
    return nullcontext() if precision == torch.float32 else torch.autocast(device.type, precision)
