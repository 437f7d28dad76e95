"""What the families share: a normalised convolution, and the weights that a training without a file starts from."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.nn import functional


class ConvNorm(nn.Module):
    """A convolution without bias, batch normalisation (epsilon 0.001) and ReLU: (b, before, y, x) to (b, after, ...).

    Its parameters are named ``conv`` and ``bn``, as in torchvision's GoogLeNet and Inception v3.
    """

    def __init__(self, before: int, after: int, kernel: int | tuple[int, int], **settings: Any) -> None:
        super().__init__()
        self.conv = nn.Conv2d(before, after, kernel, bias=False, **settings)
        self.bn = nn.BatchNorm2d(after, eps=0.001)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Return the feature maps."""
        return functional.relu(self.bn(self.conv(images)), inplace=True)


def initialise(layer: nn.Module) -> None:
    """Set one layer's weights for a training from nothing: He's law for convolutions, SD 0.01 for dense layers.

    He et al., Delving deep into rectifiers, ICCV 2015; the dense layers as in Simonyan and Zisserman's VGG.
    """
    if isinstance(layer, nn.Conv2d):
        nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")
    elif isinstance(layer, nn.Linear):
        nn.init.normal_(layer.weight, std=0.01)
    if isinstance(layer, nn.Conv2d | nn.Linear) and layer.bias is not None:
        nn.init.zeros_(layer.bias)
