"""Glow: a flow in several scales, as a list of stages that hand each other half of their channels.

A `Stage` halves the extents, takes a `Chain` of steps, and splits the channels: one half goes on, the other is a latent
whose density depends on the first. The last stage keeps nothing back. All that crosses from one stage to the next is
an image; the log density is the sum of what each stage adds to it, one number a sample. So the list may be cut
anywhere and its parts computed on several devices, each adding up its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn

from hakken.core.errors import InvalidArchitecture
from hakken.networks.flow.backward import Backward, Chain
from hakken.networks.flow.steps import Normal, Squeeze


class Passed(NamedTuple):
    """What comes out of a stage.

    ``rest`` (b, c, ...) goes on to the next one, None after the last; ``latent`` (b, k, ...) is what is split off, in
    standard deviations from its mean, ``density`` (b, ...) its log density at each position, ``stretched`` (b,)
    log |det| of the stage.
    """

    rest: Tensor | None
    latent: Tensor
    density: Tensor
    stretched: Tensor

    @property
    def added(self) -> Tensor:
        """What the stage adds to the log density of each sample (b,), in nats."""
        return self.stretched + self.density.flatten(1).sum(1)


@dataclass(frozen=True, eq=False)
class Encoded:
    """Images as a flow sees them: the ``latents`` of all stages, the first finest, all expected to be standard normal.

    ``log_density`` (b,) is that of each image, ``positions`` (b, ...) that of each of its voxels, in nats: the latents'
    where they stand, and the determinants spread evenly. They sum to the former.
    """

    latents: tuple[Tensor, ...]
    log_density: Tensor
    positions: Tensor


class Stage(nn.Module):
    """One scale of the flow: images of ``channels`` channels to half of their squeezed channels, or none (``last``)."""

    def __init__(
        self, channels: int, axes: int, *, depth: int, width: int, backward: Backward = "plain", last: bool
    ) -> None:
        super().__init__()
        inner = channels * 2**axes
        self.squeeze = Squeeze()
        self.chain = Chain(inner, axes, width, depth, backward)
        self.last = last
        self.normal = Normal(inner, 0, axes) if last else Normal(inner // 2, inner // 2, axes)

    def forward(self, x: Tensor) -> Passed:
        """Return what goes on, what is split off, and what it adds to the log density."""
        y, stretched = self.chain(self.squeeze(x)[0])
        rest, split = self._halves(y)
        latent, density = self.normal(split, rest)
        return Passed(rest, latent, density, stretched)

    def inverse(self, rest: Tensor | None, latent: Tensor) -> Tensor:
        """Return the images of what went on and what was split off."""
        split = self.normal.inverse(latent, rest)
        return self.squeeze.inverse(self.chain.inverse(split if rest is None else torch.cat([rest, split], 1)))

    def initialise(self, x: Tensor) -> Tensor | None:
        """Set what is to be set by the first images, and return what goes on."""
        return self._halves(self.chain.initialise(self.squeeze(x)[0]))[0]

    def _halves(self, y: Tensor) -> tuple[Tensor | None, Tensor]:
        if self.last:
            return None, y
        rest, split = y.chunk(2, 1)
        return rest, split


class Glow(nn.Module):
    """Images (b, channels, ...) of ``axes`` axes to their log density (b,) in nats, and to latents and back.

    ``levels`` stages of ``depth`` steps, whose couplings have ``width`` feature maps. Extents are multiples of
    `multiple`, and may differ from image to image and from axis to axis. Raises InvalidArchitecture for what is none.

    >>> flow = Glow(1, 3, levels=2, depth=2, width=4)
    >>> [tuple(latent.shape) for latent in flow.encode(torch.zeros(1, 1, 8, 4, 12)).latents]
    [(1, 4, 4, 2, 6), (1, 32, 2, 1, 3)]
    """

    def __init__(
        self, channels: int, axes: int, *, levels: int, depth: int, width: int, backward: Backward = "plain"
    ) -> None:
        super().__init__()
        if min(channels, levels, depth, width) < 1:
            raise InvalidArchitecture(
                f"{channels} channels, {levels} levels of {depth} steps and {width} maps: each must be 1 or more"
            )
        self.channels, self.axes = channels, axes
        self.stages = nn.ModuleList()
        for level in range(levels):
            last = level == levels - 1
            self.stages.append(Stage(channels, axes, depth=depth, width=width, backward=backward, last=last))
            channels = channels * 2**axes // 2

    @property
    def multiple(self) -> int:
        """What every extent must be a multiple of."""
        return int(2 ** len(self.stages))

    @property
    def parameter_count(self) -> int:
        """How many numbers training learns."""
        return sum(weight.numel() for weight in self.parameters())

    @property
    def condition(self) -> float:
        """The largest condition number of the channels' mixing in any step: large where the inverse loses digits."""
        return max(stage.chain.condition for stage in self._each)

    @property
    def fallen(self) -> bool:
        """Whether any stage has given up to compute gradients through its inverse."""
        return any(stage.chain.fallen for stage in self._each)

    def forward(self, images: Tensor) -> Tensor:
        """Return the log density (b,) of images, in nats."""
        self._require(images)
        return through(self._each, images)[1]

    def encode(self, images: Tensor) -> Encoded:
        """Return latents and densities of images."""
        self._require(images)
        rest: Tensor | None = images
        latents, total = [], images.new_zeros(len(images))
        positions, inner = torch.zeros_like(images[:, 0]), [1] * self.axes
        for stage in self._each:
            assert rest is not None
            rest, latent, density, stretched = passed = stage(rest)
            latents.append(latent)
            total = total + passed.added
            inner = [2 * edge for edge in inner]
            cells = positions[0].numel()
            positions = positions + _spread(density, self.axes, inner[0]) / inner[0] ** self.axes
            positions = positions + (stretched / cells).view(-1, *[1] * self.axes)
        return Encoded(tuple(latents), total, positions)

    def decode(self, latents: Sequence[Tensor]) -> Tensor:
        """Return the images of the ``latents`` of all stages."""
        rest: Tensor | None = None
        for stage, latent in zip(reversed(self._each), reversed(latents), strict=True):
            rest = stage.inverse(rest, latent)
        assert rest is not None
        return rest

    def initialise(self, images: Tensor) -> None:
        """Set shift and scale of every `ActNorm` by images, once; all processes must take part, each with its own."""
        self._require(images)
        with torch.no_grad():
            rest: Tensor | None = images
            for stage in self._each:
                assert rest is not None
                rest = stage.initialise(rest)

    @property
    def _each(self) -> Sequence[Stage]:
        return [stage for stage in self.stages if isinstance(stage, Stage)]

    def _require(self, images: Tensor) -> None:
        """Raise ValueError for images of another shape than the network takes."""
        expected = images.ndim == self.axes + 2 and images.shape[1] == self.channels
        if not expected or any(edge % self.multiple for edge in images.shape[2:]):
            raise ValueError(
                f"images of shape {tuple(images.shape)}: this flow takes (b, {self.channels}, ...) of {self.axes} "
                f"axes, each a multiple of {self.multiple}"
            )


def through(stages: Iterable[Stage], images: Tensor) -> tuple[Tensor | None, Tensor]:
    """Return what goes on after some consecutive ``stages``, and what these add to the log density of each sample."""
    rest: Tensor | None = images
    total = images.new_zeros(len(images))
    for stage in stages:
        assert rest is not None
        passed = stage(rest)
        rest, total = passed.rest, total + passed.added
    return rest, total


def _spread(values: Tensor, axes: int, edge: int) -> Tensor:
    """Return values (b, ...) each repeated over a cell of so many voxels along each axis."""
    for axis in range(1, axes + 1):
        values = values.repeat_interleave(edge, axis)
    return values
