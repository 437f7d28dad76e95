"""The one player of a method that learns from stored patches."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import torch

from hakken.core.seeds import derive_seed
from hakken.patches.loader import Batch, Move, PatchLoader
from hakken.training.method import Data
from hakken.training.players import Optimisation, Player

NETWORK = "network"
"""The name of the network, and of the player, of a method that has one."""


class PatchParameters(Protocol):
    """The parameters that a source of patches needs."""

    @property
    def batch_size(self) -> int: ...  # noqa: D102

    @property
    def patch_size(self) -> int: ...  # noqa: D102

    @property
    def augmentation(self) -> float: ...  # noqa: D102

    @property
    def optimisation(self) -> Optimisation: ...  # noqa: D102


def patch_player(
    parameters: PatchParameters,
    data: Data,
    seed: int,
    device: torch.device,
    *,
    negative_ratio: float,
    hard_fraction: float = 0.0,
    classes: Sequence[str] = (),
    move: Move | None = None,
) -> Player:
    """Return the player that trains `NETWORK` on the patches of ``data.train``; see `PatchLoader` for the rest."""
    source = PatchLoader(
        data.store(),
        batch_size=parameters.batch_size,
        patch_size=parameters.patch_size,
        negative_ratio=negative_ratio,
        classes=classes,
        hard_fraction=hard_fraction,
        augmentation=parameters.augmentation,
        seed=derive_seed(seed, "batches"),
        device=device,
        cases=data.case_ids,
        move=move,
    )
    return Player(NETWORK, (NETWORK,), source, parameters.optimisation)


def volumes(batch: Batch) -> torch.Tensor:
    """Return the images (b, c, z, y, x) of a batch; slices get an axis z of one voxel."""
    return batch.images if batch.images.ndim == 5 else batch.images[:, :, None]
