"""From grey levels to a density and from a density to bits per dimension.

An image of 2**n grey levels k = 0, 1, ... becomes x = (k + u) / 2**n - 1/2 with u uniform on [0, 1): without that noise
a density may grow without bounds on the few values that there are. The expected -log2 of its density over the bins of
an image is then at least -log2 of the probability of the image itself (Theis et al., A note on the evaluation of
generative models, ICLR 2016).
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

ALMOST = 1 - 2.0**-9
"""The window spans this share of the 2**n levels: k / 255 in float16, as prepared images are, is then k of 256 levels,
and k shifted right of fewer."""


def quantised(images: Tensor, bits: Tensor | int) -> Tensor:
    """Return the grey levels 0, 1, ..., 2**bits - 1 (as floats) of images whose window is [0, 1].

    There are at most 8 ``bits``, which may differ from sample to sample (b, 1, ...).

    >>> quantised(torch.tensor([-0.1, 0.0, 0.49, 0.51, 1.0]), 1)
    tensor([0., 0., 0., 1., 1.])
    """
    levels = 2.0 ** torch.as_tensor(bits, device=images.device)
    return (images.clamp(0, 1) * (levels * ALMOST)).floor()


def dequantised(levels: Tensor, bits: Tensor | int, noise: Tensor | float) -> Tensor:
    """Return x in [-1/2, 1/2) of grey levels; ``noise`` is u, uniform on [0, 1), or 1/2 for the middle of each bin."""
    return (levels + noise) / 2.0 ** torch.as_tensor(bits, device=levels.device) - 0.5


def bits_per_dimension(log_density: Tensor, dimensions: int, bits: Tensor | int = 0) -> Tensor:
    """Return -log2 of the probability of a bin for each sample (b,), divided by the ``dimensions`` D of this image.

    ``log_density`` (b,) in nats is that of x; D is all its values: channels times extents. A uniform density over all
    grey levels has ``bits`` bits.

    >>> bits_per_dimension(torch.zeros(1), 64, 5)
    tensor([5.])
    """
    return -log_density / (dimensions * math.log(2)) + bits
