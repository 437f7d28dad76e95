"""A crop of three channels becomes the logits of its classes, by a network of the ImageNet years."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional

from hakken.core.errors import InvalidArchitecture
from hakken.networks.imagenet import alexnet, efficientnet_lite, googlenet, inception_v3, resnet, vgg

Triple = tuple[float, float, float]
CHANNELS = 3


@dataclass(frozen=True)
class Family:
    """How a network is made from the number of classes and the dropout, and what it expects of an image.

    ``minimum`` is the smallest edge; intensities 0 to 1 become (value - ``mean``) / ``sd``, for red, green and blue.
    """

    make: Callable[[int, float], nn.Module]
    minimum: int
    mean: Triple = (0.485, 0.456, 0.406)
    sd: Triple = (0.229, 0.224, 0.225)


HALF: Triple = (0.5, 0.5, 0.5)
FAMILIES: dict[str, Family] = {
    "alexnet": Family(alexnet.AlexNet, alexnet.MINIMUM),
    "vgg16": Family(lambda classes, dropout: vgg.VGG(16, classes, dropout), vgg.MINIMUM),
    "vgg19": Family(lambda classes, dropout: vgg.VGG(19, classes, dropout), vgg.MINIMUM),
    # The weights of these two come from TensorFlow, where an image ranges from -1 to 1.
    "googlenet": Family(googlenet.GoogLeNet, googlenet.MINIMUM, HALF, HALF),
    "inception_v3": Family(inception_v3.InceptionV3, inception_v3.MINIMUM, HALF, HALF),
    "resnet50": Family(lambda classes, dropout: resnet.ResNet(50, classes, dropout), resnet.MINIMUM),
    "resnet101": Family(lambda classes, dropout: resnet.ResNet(101, classes, dropout), resnet.MINIMUM),
    "efficientnet_lite0": Family(
        efficientnet_lite.EfficientNetLite0,
        efficientnet_lite.MINIMUM,
        mean=(127 / 255, 127 / 255, 127 / 255),
        sd=(128 / 255, 128 / 255, 128 / 255),
    ),
}
"""The networks by the name that a study gives them."""


class CropClassifier(nn.Module):
    """Crops (b, 3, p, p) with intensities 0 to 1, red, green and blue, to logits (b, classes).

    A crop of any edge is resized to ``input_size`` pixels (bilinear) and normalised as the family expects, with its
    published weights and without. ``backbone`` alone has weights, so the names of a published file fit it. Raises
    InvalidArchitecture for a name that is none and for images that are too small for the network.

    >>> CropClassifier("resnet50", classes=5, input_size=64)(torch.zeros(2, 3, 24, 24)).shape
    torch.Size([2, 5])
    """

    mean: torch.Tensor
    sd: torch.Tensor

    def __init__(self, name: str, classes: int, input_size: int, dropout: float = 0.0) -> None:
        super().__init__()
        family = require_input(name, input_size)
        self.name, self.classes, self.input_size, self.channels = name, classes, input_size, CHANNELS
        self.backbone = family.make(classes, dropout)
        for key, values in (("mean", family.mean), ("sd", family.sd)):
            self.register_buffer(key, torch.tensor(values).reshape(1, CHANNELS, 1, 1), persistent=False)

    def forward(self, crops: torch.Tensor) -> torch.Tensor:
        """Return the logits; raises ValueError for crops that are not (b, 3, y, x)."""
        if crops.ndim != 4 or crops.shape[1] != CHANNELS:
            raise ValueError(f"crops of shape {tuple(crops.shape)}: this network takes (b, {CHANNELS}, y, x)")
        logits: torch.Tensor = self.backbone((self.resized(crops) - self.mean) / self.sd)
        return logits

    def resized(self, crops: torch.Tensor) -> torch.Tensor:
        """Return the crops (b, 3, input_size, input_size) as the network sees them, before they are normalised."""
        edge = self.input_size
        if crops.shape[-2:] == (edge, edge):
            return crops
        return functional.interpolate(crops, (edge, edge), mode="bilinear", align_corners=False, antialias=True)

    @property
    def parameter_count(self) -> int:
        """How many numbers training learns."""
        return sum(weight.numel() for weight in self.parameters())


def require_input(name: str, input_size: int) -> Family:
    """Return the family of a network; raises InvalidArchitecture for no such name and for too small images."""
    if name not in FAMILIES:
        raise InvalidArchitecture(f"no network `{name}`; there are {', '.join(FAMILIES)}")
    if input_size < FAMILIES[name].minimum:
        raise InvalidArchitecture(
            f"{name} needs images of {FAMILIES[name].minimum} pixels or more, parameters.input_size is {input_size}"
        )
    return FAMILIES[name]
