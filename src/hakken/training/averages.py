"""Exponential moving averages of the weights of those players who ask for them."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import nn

from hakken.training.players import Networks, Player


class Averages:
    """A copy of each network of a player with ``average``, whose weights follow those of the network slowly.

    After each of the player's updates a weight w of the copy becomes d w + (1 - d) v, v being the network's own and d
    the decay; buffers are the network's own.
    """

    def __init__(self, networks: Networks, players: Sequence[Player]) -> None:
        self._copies: dict[str, nn.Module] = {
            name: copy.deepcopy(networks[name]).requires_grad_(False)
            for player in players
            if player.average is not None
            for name in player.networks
        }

    def follow(self, player: Player, networks: Networks) -> None:
        """Move the copies of the player's networks."""
        if player.average is None:
            return
        with torch.no_grad():
            for name in player.networks:
                mine, theirs = self._copies[name], networks[name]
                for slow, fast in zip(mine.parameters(), theirs.parameters(), strict=True):
                    slow.lerp_(fast, 1 - player.average)
                for kept, now in zip(mine.buffers(), theirs.buffers(), strict=True):
                    kept.copy_(now)

    @property
    def copies(self) -> tuple[nn.Module, ...]:
        """The copies."""
        return tuple(self._copies.values())

    def of(self, networks: Networks) -> Networks:
        """Return the networks, the copies in the place of those that have one."""
        return {**networks, **self._copies}

    def state_dict(self) -> dict[str, dict[str, Any]]:
        """Return the weights of the copies."""
        return {name: network.state_dict() for name, network in self._copies.items()}

    def load_state_dict(self, state: Mapping[str, Mapping[str, Any]]) -> None:
        """Go on from what `state_dict` returned."""
        for name, network in self._copies.items():
            network.load_state_dict(state[name])
