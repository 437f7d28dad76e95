"""A U-Net that says of every voxel what one image is expected to show, and how far off that may be, given another.

After Nakao et al., Anomaly detection in chest 18F-FDG PET/CT by Bayesian deep learning, Jpn J Radiol 2022;40:730-739:
from CT the mean and the standard deviation of the uptake of a patient without disease. Notation: mu and sigma are the
two outputs at a voxel, y the target, z = (y - mu) / sigma. Sigma is the deviation of the data (what CT cannot tell);
with dropout left on, S passes give mu_s and sigma_s, and by the law of total variance

    mu = mean of mu_s,    sigma^2 = mean of sigma_s^2 + variance of mu_s,

whose second part is the network's own doubt (Kendall and Gal, What uncertainties do we need in Bayesian deep learning
for computer vision?, NIPS 2017).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import nn
from torch.nn import functional

from hakken.networks.structure import Structure
from hakken.networks.unet import UNet

UNIT = 0.05
"""What the outputs are counted in, as a share of the target's window, so that weights and outputs are of order 1:
tissue without disease takes up about 0.05 of a window of SUV 0 to 20."""

FLOOR = 0.0025
"""The least sigma, as a share of the target's window (SUV 0.05 of 20). Where a target hardly varies, as in air, the
likelihood has no maximum and sigma would fall until one voxel outweighs all others; no scanner's noise is below it."""


class Expectation(NamedTuple):
    """What is expected: ``mean`` and ``sigma`` (b, targets, ...) in shares of the target's window."""

    mean: torch.Tensor
    sigma: torch.Tensor


class ExpectationUNet(nn.Module):
    """Images (b, channels, ...) to the mean and standard deviation of ``targets`` other images, voxel by voxel.

    Built as `UNet` with two outputs a target. Each of the ``windows``, two shares of the first channel, gives a channel
    more, in which they become 0 and 1 and what lies outside is cut: maps are normalised over body and air together, and
    beside that step tissues hardly differ. ``structure.dropout`` stands where its descent ends and remains in use
    in `expect`. Raises InvalidArchitecture where `UNet` does.

    >>> network = ExpectationUNet(1, structure=Structure(poolings=2, base_features=4))
    >>> mean, sigma = network(torch.zeros(3, 1, 40, 56))
    >>> mean.shape, bool((sigma > FLOOR).all())
    (torch.Size([3, 1, 40, 56]), True)
    """

    def __init__(
        self,
        channels: int,
        targets: int = 1,
        dimensions: int = 2,
        structure: Structure | None = None,
        windows: Sequence[tuple[float, float]] = (),
    ) -> None:
        super().__init__()
        self.unet = UNet(channels + len(windows), 2 * targets, dimensions, structure)
        self.targets, self.dimensions, self.windows = targets, dimensions, tuple(windows)

    @property
    def structure(self) -> Structure:
        """What the network was built from."""
        return self.unet.structure

    @property
    def bytes_per_voxel(self) -> int:
        """An upper estimate of the memory of one voxel in a forward pass: the finest level, joined and unfolded."""
        unfolded = 2 * int(self.structure.kernel**self.dimensions)
        return 4 * self.unet.widths[0] * (3 + unfolded)

    def forward(self, images: torch.Tensor) -> Expectation:
        """Return mean and sigma of images (b, channels, ...), of one pass."""
        first = images[:, :1]
        further = [((first - low) / (high - low)).clamp(0, 1) for low, high in self.windows]
        mean, raw = self.unet(torch.cat([images, *further], 1)).float().split(self.targets, 1)
        return Expectation(UNIT * mean, FLOOR + UNIT * functional.softplus(raw))

    def expect(self, images: torch.Tensor, samples: int = 1, seed: int = 0) -> Expectation:
        """Return mean and sigma by ``samples`` passes with dropout, the same ones for the same seed.

        One sample, or no dropout, is one pass without it. Whether the network trains does not matter.
        """
        drawn = samples if self.structure.dropout > 0 and samples > 1 else 1
        before = self.unet.training
        self.unet.train(drawn > 1)  # of its layers dropout alone does something else in training
        try:
            with torch.random.fork_rng(_devices(images)):
                torch.manual_seed(seed)
                passes = [self(images) for _ in range(drawn)]
        finally:
            self.unet.train(before)
        means = torch.stack([one.mean for one in passes])
        own = torch.stack([one.sigma for one in passes]).square().mean(0)
        return Expectation(means.mean(0), (own + means.var(0, unbiased=False)).sqrt())


def negative_log_likelihood(
    expected: Expectation, target: torch.Tensor, inside: torch.Tensor, beta: float = 0.0
) -> torch.Tensor:
    """Return the mean over voxels ``inside`` of -log p(y) = log sigma + z^2 / 2 + log(2 pi) / 2, as a scalar.

    ``target`` (b, targets, ...) and ``inside`` of the same shape. Without any voxel the loss is 0. With ``beta`` above
    0 each voxel counts (sigma / UNIT)^(2 beta) times, a factor that nothing is learnt from. Of the likelihood itself
    the gradient of mu is the error over sigma^2, so that where sigma has grown first, mu is learnt no longer; at a beta
    of 1 it is the error (Seitzer et al., On the pitfalls of heteroscedastic uncertainty estimation with probabilistic
    neural networks, ICLR 2022). Where the loss of a voxel is least does not depend on beta.
    """
    z = (target - expected.mean) / expected.sigma
    loss = expected.sigma.log() + 0.5 * z.square() + 0.5 * math.log(2 * math.pi)
    if beta > 0:
        loss = loss * (expected.sigma.detach() / UNIT) ** (2 * beta)
    weight = inside.to(loss.dtype)
    return (loss * weight).sum() / weight.sum().clamp_min(1)


def _devices(images: torch.Tensor) -> list[torch.device]:
    """Return the devices whose random state is put back, other than the CPU."""
    return [images.device] if images.device.type == "cuda" else []
