"""The networks that a study can name."""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn

from hakken.networks.autoencoder import ConvAutoencoder, level_edges
from hakken.networks.expectation import ExpectationUNet
from hakken.networks.imagenet.crop_classifier import CHANNELS, FAMILIES, CropClassifier
from hakken.networks.patch_cnn import InvalidArchitecture, PatchClassifier, remaining_extent
from hakken.networks.projection_cnn import ProjectionClassifier
from hakken.networks.unet import UNet, level_widths
from hakken.study import Hyperparameters, NetworkName, Training


def build_network(
    name: NetworkName,
    channels: int,
    dimensions: int,
    parameters: Hyperparameters,
    widths: Sequence[int] | None = None,
) -> nn.Module:
    """Return an untrained network for patches of ``channels`` with ``dimensions`` axes, 2 or 3.

    ``widths`` are the feature maps of each level of a `unet` that was cut out of a larger one. Raises
    InvalidArchitecture when the parameters describe none.
    """
    if name in FAMILIES:
        raise InvalidArchitecture(f"{name} classifies crops and no patches of a volume; `build_classifier` makes it")
    if name == "projection_cnn":
        return ProjectionClassifier(channels, parameters)
    if name == "expectation_unet":
        return ExpectationUNet(channels, 1, dimensions, parameters)
    if name == "unet":
        return UNet(channels, 1, dimensions, parameters, widths)
    network = ConvAutoencoder if name == "conv_autoencoder" else PatchClassifier
    return network(channels, dimensions, parameters)


def build_classifier(training: Training, channels: int, classes: int, parameters: Hyperparameters) -> CropClassifier:
    """Return an untrained classifier of crops with ``channels``, by the name and the input size that a study gives.

    Raises InvalidArchitecture for another number of channels than three, and for images too small for the network.
    """
    if channels != CHANNELS:
        raise InvalidArchitecture(f"{training.network} sees {CHANNELS} channels, the study has {channels}")
    return CropClassifier(training.network, classes, training.input_size, parameters.dropout)


def require_architecture(name: NetworkName, parameters: Hyperparameters) -> None:
    """Raise InvalidArchitecture when the parameters describe no network of this name; nothing is built."""
    if name == "conv_autoencoder":
        level_edges(parameters)
    elif name in ("unet", "expectation_unet"):
        level_widths(parameters)
    else:
        remaining_extent(parameters)


def count_weights(network: nn.Module) -> int:
    """Return how many numbers training learns."""
    return sum(weight.numel() for weight in network.parameters())
