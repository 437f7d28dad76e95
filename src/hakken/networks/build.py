"""The networks that a study can name."""

from __future__ import annotations

from torch import nn

from hakken.networks.patch_cnn import PatchClassifier
from hakken.study import Hyperparameters, NetworkName


def build_network(name: NetworkName, channels: int, dimensions: int, parameters: Hyperparameters) -> nn.Module:
    """Return an untrained network for patches of ``channels`` with ``dimensions`` axes, 2 or 3.

    Raises InvalidArchitecture when the parameters describe none.
    """
    builders = {"patch_cnn": PatchClassifier}
    return builders[name](channels, dimensions, parameters)


def count_weights(network: nn.Module) -> int:
    """Return how many numbers training learns."""
    return sum(weight.numel() for weight in network.parameters())
