"""The parts that a flow is made of. Each returns what it makes of x and log |det| of each sample (b,), and goes back.

Kingma and Dhariwal, Glow: generative flow with invertible 1x1 convolutions, NeurIPS 2018; real NVP: Dinh et al., ICLR
2017. That the coupling's hidden layers are not normalised and that the bounds of its scales are as they are is ours.
Determinants, densities and the mixing of channels are computed at the precision of the images, whatever the autocast;
only the convolutions within a coupling follow it, which change what is computed and not that it can be reversed.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, distributed, nn
from torch.nn import functional

from hakken.networks.convolution import Convolution, ordered

LEAST_SD = 1e-6
Mapped = tuple[Tensor, Tensor]
"""What becomes of images, and log |det| of each (b,)."""


class Invertible(nn.Module):
    """What maps images (b, c, ...) to others, and back."""

    def forward(self, x: Tensor) -> Mapped:
        """Return y, and log |det dy/dx| of each sample (b,) in nats."""
        raise NotImplementedError

    def inverse(self, y: Tensor) -> Tensor:
        """Return the x that `forward` maps to ``y``."""
        raise NotImplementedError


class Squeeze(Invertible):
    """Images (b, c, ...) to (b, 2**axes c, ...) of half the extents: each cell of 2 by 2 (by 2) becomes channels.

    Channel c of offset (z, y, x) within the cell is channel ((c 2 + z) 2 + y) 2 + x afterwards. Raises ValueError for
    odd extents.
    """

    def forward(self, x: Tensor) -> Mapped:
        """Return the cells as channels; nothing is stretched."""
        extent, axes = x.shape[2:], x.ndim - 2
        if any(edge % 2 for edge in extent):
            raise ValueError(f"images of extents {tuple(extent)} cannot be halved")
        cells = x.reshape(*x.shape[:2], *(size for edge in extent for size in (edge // 2, 2)))
        inner, outer = range(3, 3 + 2 * axes, 2), range(2, 2 + 2 * axes, 2)
        y = cells.permute(0, 1, *inner, *outer).reshape(len(x), -1, *(edge // 2 for edge in extent))
        return y, x.new_zeros(len(x))

    def inverse(self, y: Tensor) -> Tensor:
        """Return the images of such channels."""
        extent, axes = y.shape[2:], y.ndim - 2
        cells = y.reshape(len(y), -1, *[2] * axes, *extent)
        order = [place for axis in range(axes) for place in (2 + axes + axis, 2 + axis)]
        return cells.permute(0, 1, *order).reshape(len(y), -1, *(2 * edge for edge in extent))


class ActNorm(Invertible):
    """Each channel shifted and scaled: y = (x + shift) exp(log_scale).

    Nothing is drawn from data unless `initialise` is called: then, and only the first time, shift and scale are such
    that the channels have mean 0 and standard deviation 1 over the mini-batches of all processes.
    """

    initialised: Tensor

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.shift = nn.Parameter(torch.zeros(channels))
        self.log_scale = nn.Parameter(torch.zeros(channels))
        self.register_buffer("initialised", torch.zeros((), dtype=torch.int64))

    @torch.no_grad()
    def initialise(self, x: Tensor) -> None:
        """Set shift and scale by ``x``, the same in all processes, unless that was done before."""
        if self.initialised:
            return
        values = x.double().transpose(0, 1).flatten(1)
        sums = torch.stack([torch.full_like(values[:, 0], values.shape[1]), values.sum(1), values.square().sum(1)])
        if distributed.is_initialized():
            distributed.all_reduce(sums)  # or replicas would begin with other weights and keep the difference
        mean, square = sums[1] / sums[0], sums[2] / sums[0]
        self.shift.copy_(-mean)
        self.log_scale.copy_(-(square - mean**2).clamp(min=LEAST_SD**2).sqrt().log())
        self.initialised.fill_(1)

    def forward(self, x: Tensor) -> Mapped:
        """Return the channels shifted and scaled."""
        y = (x + _wide(self.shift, x)) * _wide(self.log_scale.exp(), x)
        return y, (self.log_scale.sum() * _positions(x)).expand(len(x))

    def inverse(self, y: Tensor) -> Tensor:
        """Return the channels as they were."""
        return y * _wide((-self.log_scale).exp(), y) - _wide(self.shift, y)


class Mixing(Invertible):
    """A convolution of edge 1 that mixes all channels: y = W x at each position; W begins as a random rotation.

    W is kept as it is and not in LU factors: with as much noise these are conditioned worse. The sign of its
    determinant does not matter, so that W may pass into a reflection without a harm.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        rotation, upper = torch.linalg.qr(torch.randn(channels, channels))
        self.weight = nn.Parameter(rotation * upper.diagonal().sign())

    def forward(self, x: Tensor) -> Mapped:
        """Return the channels mixed."""
        with _exactly(x):
            stretched = torch.linalg.slogdet(self.weight).logabsdet * _positions(x)
            return torch.matmul(self.weight, x.flatten(2)).view_as(x), stretched.expand(len(x))

    def inverse(self, y: Tensor) -> Tensor:
        """Return the channels as they were; the inverse of W is computed in float64."""
        with _exactly(y):
            weight = torch.linalg.inv(self.weight.double()).to(y.dtype)
            return torch.matmul(weight, y.flatten(2)).view_as(y)

    @torch.no_grad()
    def condition(self) -> float:
        """Return the condition number of W: by how much relative errors may grow on the way back."""
        return float(torch.linalg.cond(self.weight.double()))


class Coupling(Invertible):
    """The second half of the channels is shifted and scaled by what a small network makes of the first half.

    With a, b the halves: y = (a, (b + t(a)) exp(s(a))), s = `BOUND` tanh(r(a) / `BOUND`). The network has convolutions
    of edges 3, 1, 3; the last is 0 at the start, so that a flow begins as a linear map.
    """

    BOUND = 2.0

    def __init__(self, channels: int, axes: int, width: int) -> None:
        super().__init__()
        half = channels // 2
        maps = [(half, width, 3), (width, width, 1), (width, 2 * half, 3)]
        self.layers = nn.ModuleList(Convolution(before, after, axes, kernel) for before, after, kernel in maps)
        last = self.layers[-1]
        assert isinstance(last, Convolution)
        nn.init.zeros_(last.weight)

    def forward(self, x: Tensor) -> Mapped:
        """Return both halves, the first as it was."""
        kept, moved = x.chunk(2, 1)
        shift, log_scale = self._told(kept)
        return torch.cat([kept, (moved + shift) * log_scale.exp()], 1), log_scale.flatten(1).sum(1)

    def inverse(self, y: Tensor) -> Tensor:
        """Return both halves as they were."""
        kept, moved = y.chunk(2, 1)
        shift, log_scale = self._told(kept)
        return torch.cat([kept, moved * (-log_scale).exp() - shift], 1)

    def _told(self, kept: Tensor) -> tuple[Tensor, Tensor]:
        """Return t and s of the first half, at its precision."""
        maps = ordered(kept) if kept.ndim == 4 else kept  # in three axes the other order is as fast
        for layer in self.layers[:-1]:
            maps = functional.relu(layer(maps))
        shift, raw = self.layers[-1](maps).to(kept.dtype).chunk(2, 1)
        return shift, self.BOUND * torch.tanh(raw / self.BOUND)


class Step(Invertible):
    """A step of the flow: `ActNorm`, `Mixing`, `Coupling`."""

    def __init__(self, channels: int, axes: int, width: int) -> None:
        super().__init__()
        self.norm, self.mixing = ActNorm(channels), Mixing(channels)
        self.coupling = Coupling(channels, axes, width)

    def forward(self, x: Tensor) -> Mapped:
        """Return what the three make of x."""
        total = x.new_zeros(len(x))
        for part in (self.norm, self.mixing, self.coupling):
            x, stretched = part(x)
            total = total + stretched
        return x, total

    def inverse(self, y: Tensor) -> Tensor:
        """Return x, the three undone in turn."""
        return self.norm.inverse(self.mixing.inverse(self.coupling.inverse(y)))


class Normal(nn.Module):
    """A normal density of the channels ``of`` at each position, independent of each other.

    Means and log standard deviations come from the channels ``given``, by a convolution that is 0 at the start, or
    where there are none they are numbers by channel.
    """

    BOUND = 5.0

    def __init__(self, of: int, given: int, axes: int) -> None:
        super().__init__()
        self.layer = Convolution(given, 2 * of, axes, 3) if given else None
        self.fixed = nn.Parameter(torch.zeros(2 * of)) if not given else None
        if self.layer is not None:
            nn.init.zeros_(self.layer.weight)

    def forward(self, z: Tensor, given: Tensor | None) -> Mapped:
        """Return z (b, of, ...) in standard deviations from its mean, and its log density at each position (b, ...)."""
        mean, log_sd = self._told(z, given)
        standard = (z - mean) * (-log_sd).exp()
        density = -0.5 * (standard.square() + math.log(2 * math.pi)) - log_sd
        return standard, density.sum(1)

    def inverse(self, standard: Tensor, given: Tensor | None) -> Tensor:
        """Return z of what `forward` gave."""
        mean, log_sd = self._told(standard, given)
        return mean + standard * log_sd.exp()

    def _told(self, z: Tensor, given: Tensor | None) -> tuple[Tensor, Tensor]:
        if self.layer is None:
            assert self.fixed is not None
            mean, raw = (_wide(part, z) for part in self.fixed.chunk(2))
        else:
            with _exactly(z):
                mean, raw = self.layer(given).chunk(2, 1)
        return mean, self.BOUND * torch.tanh(raw / self.BOUND)


def _wide(values: Tensor, like: Tensor) -> Tensor:
    """Return values by channel (c,) in a shape that goes with images (b, c, ...)."""
    return values.view(-1, *[1] * (like.ndim - 2))


def _positions(x: Tensor) -> int:
    return math.prod(x.shape[2:])


def _exactly(x: Tensor) -> torch.autocast:
    """Return the context in which nothing is computed at a lower precision than that of ``x``."""
    return torch.autocast(x.device.type, enabled=False)
