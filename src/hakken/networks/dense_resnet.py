"""A residual encoder-decoder with several heads, as a list of stages that hand each other all that they need.

An encoder-decoder with skip connections (Ronneberger et al., U-Net, MICCAI 2015) whose levels are residual blocks (He
et al., CVPR 2016), with heads on several levels of the decoder (deep supervision: Lee et al., AISTATS 2015).

Notation: level l = 0, 1, ... has w_l feature maps on a grid coarser by 2**l. Down: a block of ``convolutions`` layers,
whose first takes steps of 2 from level 1 on. Up: the coarser level is doubled by a transposed convolution to w_l maps,
joined with what level l made on the way down, and passed through a block of ``joining`` layers. A block adds what comes
in, brought to its number of maps by a convolution of edge 1, to what its layers make of it.

A stage takes and returns `Passed`: what the next stage reads, the skip tensors that are still wanted, and what the
heads have said so far. Nothing else crosses from one stage to the next, so that the list may be cut anywhere and its
parts computed on several devices, or again in the backward pass.

Maps are normalised by their own mean and variance in this image, each by itself (instance normalisation) or in groups
of `GROUP` (Wu and He, ECCV 2018). Nothing is averaged over a mini-batch: the result for a window does not depend on the
windows beside it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from hakken.core.errors import InvalidArchitecture
from hakken.networks.convolution import Convolution, Doubling, ordered, padded

GROUP = 4
SLOPE = 0.01
RARE = 0.01
"""The probability that maps of findings begin with everywhere: without it the first hundred steps only learn that most
voxels hold nothing (Lin et al., Focal loss for dense object detection, ICCV 2017)."""

QUIET = 0.01
"""SD of the weights of a heat map at the start, so that it does begin at `RARE` everywhere: its loss sums over voxels,
and is else that of the many that are too high, which teaches the network to be silent."""

Norm = Literal["instance", "group", "none"]


@dataclass(frozen=True)
class Head:
    """What a network says of each voxel: ``outputs`` logits.

    ``labels``: a softmax over them and the background, whose logit is 0, so that one output is a sigmoid; ``heat``:
    each a sigmoid of its own; ``classes``: logits of the image as a whole, from the mean over the coarsest level.
    ``rare``: maps begin with the probability `RARE` everywhere, as is right for findings and not for organs.
    """

    outputs: int
    kind: Literal["labels", "heat", "classes"] = "labels"
    rare: bool = True


class Passed(NamedTuple):
    """What one stage hands to the next: maps (b, w, ...), skip tensors, finest first, and logits by head and level."""

    maps: Tensor
    kept: tuple[Tensor, ...] = ()
    said: tuple[Tensor, ...] = ()


class DenseResNet(nn.Module):
    """Images (b, channels, ...) to logits by head: (b, outputs, ...) of the same extent, and of coarser levels.

    With ``axes=3`` images are (b, c, z, y, x). With ``axes=2`` they are (b, c, y, x), or (b, c, z, y, x), whose slices
    are then seen one by one; with ``sequence`` the slices of an image inform each other at the coarsest level
    (`Slices`). With ``phases`` the channels are as many points in time, which `PhaseStem` sees before anything else.
    ``supervised`` levels have heads, from the finest. Raises InvalidArchitecture for widths that the normalisation does
    not divide, and for more supervised levels than there are in the decoder.

    >>> network = DenseResNet(2, {"lesions": Head(1)}, widths=(8, 16, 32))
    >>> [tuple(logits.shape) for logits in network(torch.zeros(1, 2, 20, 24, 13))["lesions"]]
    [(1, 1, 20, 24, 13), (1, 1, 10, 12, 7)]
    """

    def __init__(
        self,
        channels: int,
        heads: Mapping[str, Head],
        axes: int = 3,
        *,
        widths: Sequence[int] = (8, 16, 32, 64),
        convolutions: int = 2,
        joining: int = 2,
        norm: Norm = "instance",
        supervised: int = 2,
        dropout: float = 0.0,
        phases: int = 0,
        sequence: bool = False,
    ) -> None:
        super().__init__()
        require_widths(widths, norm, supervised)
        if phases and phases != channels:
            raise InvalidArchitecture(f"{phases} phases of {channels} channels: each channel must be one phase")
        self.channels, self.axes, self.widths = channels, axes, tuple(widths)
        self.heads, self.supervised, self.dropout = dict(heads), supervised, dropout
        self.stem = PhaseStem(phases, widths[0], axes) if phases else None
        seen = phases * widths[0] if phases else channels
        self.stages = nn.ModuleList(
            Down(before, after, axes, convolutions=convolutions, norm=norm, halved=level > 0)
            for level, (before, after) in enumerate(pairwise((seen, *widths)))
        )
        self.slices = Slices(widths[-1], axes) if sequence else None
        self.pooled = nn.ModuleDict(
            {name: nn.Linear(widths[-1], head.outputs) for name, head in heads.items() if head.kind == "classes"}
        )
        maps = {name: head for name, head in heads.items() if head.kind != "classes"}
        for level in reversed(range(len(widths) - 1)):
            spoken = maps if level < supervised else {}
            up = Up(widths[level + 1], widths[level], axes, convolutions=joining, norm=norm, heads=spoken)
            self.stages.append(up)
        self._maps = tuple(maps)

    @property
    def multiple(self) -> int:
        """What the extents of an image are made a multiple of, by values of its border."""
        return int(2 ** (len(self.widths) - 1))

    @property
    def parameter_count(self) -> int:
        """How many numbers training learns."""
        return sum(weight.numel() for weight in self.parameters())

    def forward(self, images: Tensor) -> dict[str, tuple[Tensor, ...]]:
        """Return the logits of each head, the finest first; ``classes`` has those of the image (b, outputs) alone."""
        if self.axes == 2 and images.ndim == 5:
            return self._by_slices(images)
        return self._run(images, len(images))

    def _by_slices(self, images: Tensor) -> dict[str, tuple[Tensor, ...]]:
        found = self._run(images.transpose(1, 2).flatten(0, 1), len(images))
        back = {}
        for name, every in found.items():
            joined = [one.reshape(len(images), -1, *one.shape[1:]) for one in every]
            flat = name in self.pooled
            back[name] = tuple(one.mean(1) if flat else one.transpose(1, 2) for one in joined)
        return back

    def _run(self, images: Tensor, volumes: int) -> dict[str, tuple[Tensor, ...]]:
        whole = ordered(padded(images, self.multiple))
        passed = Passed(whole if self.stem is None else self.stem(whole))
        found: dict[str, tuple[Tensor, ...]] = {}
        for level, stage in enumerate(self.stages, start=1):
            passed = stage(passed)
            if level == len(self.widths):
                maps = passed.maps if self.slices is None else self.slices(passed.maps, volumes)
                maps = functional.dropout(maps, self.dropout, self.training)
                passed = passed._replace(maps=maps)
                mean = maps.flatten(2).mean(2)
                found = {name: (linear(mean),) for name, linear in self.pooled.items()}
        for place, name in enumerate(self._maps):
            levels = passed.said[place :: len(self._maps)]
            found[name] = tuple(_cropped(logits, images, 2**level) for level, logits in enumerate(levels))
        return found


class Down(nn.Module):
    """A level of the encoder; keeps what it makes as a skip tensor."""

    def __init__(self, before: int, after: int, axes: int, *, convolutions: int, norm: Norm, halved: bool) -> None:
        super().__init__()
        stride = 2 if halved else 1
        self.block = Block(before, after, axes, convolutions=convolutions, norm=norm, stride=stride)

    def forward(self, passed: Passed) -> Passed:
        """Return the maps of this level, kept beside those of the levels above."""
        maps = self.block(passed.maps)
        return Passed(maps, (*passed.kept, maps), passed.said)


class Up(nn.Module):
    """A level of the decoder: the coarser level doubled, joined with its skip tensor; with heads where it has any."""

    def __init__(
        self, before: int, after: int, axes: int, *, convolutions: int, norm: Norm, heads: Mapping[str, Head]
    ) -> None:
        super().__init__()
        self.rise = Doubling(before, after, axes)
        self.block = Block(2 * after, after, axes, convolutions=convolutions, norm=norm)
        self.heads = nn.ModuleDict({name: Convolution(after, head.outputs, axes, 1) for name, head in heads.items()})
        for name, head in self.heads.items():
            assert isinstance(head, Convolution)
            assert head.bias is not None
            nn.init.constant_(head.bias, math.log(RARE / (1 - RARE)) if heads[name].rare else 0.0)
            if heads[name].kind == "heat":
                nn.init.normal_(head.weight, std=QUIET)

    def forward(self, passed: Passed) -> Passed:
        """Return the maps of this level, without the skip tensors that nobody needs any more."""
        kept = passed.kept[:-1]  # the last is what the coarser level made itself
        maps = self.block(torch.cat([kept[-1], self.rise(passed.maps)], 1))
        return Passed(maps, kept, (*(head(maps) for head in self.heads.values()), *passed.said))


class Block(nn.Module):
    """So many convolutions, each normalised, and what came in added before the last activation."""

    def __init__(self, before: int, after: int, axes: int, *, convolutions: int, norm: Norm, stride: int = 1) -> None:
        super().__init__()
        maps = [before] + [after] * convolutions
        steps = [stride] + [1] * (convolutions - 1)
        self.layers = nn.ModuleList(
            Convolution(one, other, axes, 3, stride=step, bias=norm == "none")
            for (one, other), step in zip(pairwise(maps), steps, strict=True)
        )
        self.norms = nn.ModuleList(_norm(after, norm) for _ in range(convolutions))
        self.shortcut = (
            Convolution(before, after, axes, 1, stride=stride, bias=False) if before != after or stride > 1 else None
        )

    def forward(self, maps: Tensor) -> Tensor:
        """Return the maps (b, after, ...) of maps (b, before, ...)."""
        found = maps
        for number, (layer, norm) in enumerate(zip(self.layers, self.norms, strict=True)):
            found = norm(layer(found))
            if number == len(self.layers) - 1:
                found = found + (maps if self.shortcut is None else self.shortcut(maps))
            found = functional.leaky_relu(found, SLOPE)
        return found


class PhaseStem(nn.Module):
    """Phases (b, p, ...) to maps (b, p * width, ...): twice a convolution in space, shared, and one over the phases.

    The first looks at each phase by itself with the same weights, the second at the ``reach`` phases around each one,
    at every voxel by itself; outside of the phases lie zeros.
    """

    def __init__(self, phases: int, width: int, axes: int, reach: int = 3) -> None:
        super().__init__()
        self.phases, self.width = phases, width
        self.space = nn.ModuleList(Convolution(before, width, axes, 3) for before in (1, width))
        self.time = nn.ModuleList(
            nn.Conv2d(width, width, (reach, 1), padding=(reach // 2, 0)) for _ in range(len(self.space))
        )

    def forward(self, images: Tensor) -> Tensor:
        """Return the maps of all phases, phase by phase."""
        batch, extent = len(images), images.shape[2:]
        maps = images.flatten(0, 1)[:, None]
        for space, along in zip(self.space, self.time, strict=True):
            maps = functional.leaky_relu(space(maps), SLOPE)
            over = maps.reshape(batch, self.phases, self.width, -1).transpose(1, 2)
            maps = functional.leaky_relu(along(over), SLOPE).transpose(1, 2).reshape(-1, self.width, *extent)
        return maps.reshape(batch, self.phases * self.width, *extent)


class Slices(nn.Module):
    """What the slices of a volume tell each other: a bidirectional LSTM over their means, added to every voxel."""

    def __init__(self, width: int, axes: int) -> None:
        super().__init__()
        if axes != 2:
            raise InvalidArchitecture("a sequence of slices is for networks of two axes; a third sees them itself")
        self.memory = nn.LSTM(width, width, bidirectional=True, batch_first=True)
        self.back = nn.Linear(2 * width, width)

    def forward(self, maps: Tensor, volumes: int) -> Tensor:
        """Return maps (volumes * slices, w, y, x) of the same shape."""
        means = maps.flatten(2).mean(2).reshape(volumes, -1, maps.shape[1])
        told = self.back(self.memory(means)[0]).flatten(0, 1)
        joined: Tensor = maps + told[:, :, None, None]
        return joined


def widths_of(base: int, levels: int, growth: float = 2.0, most: int = 320) -> tuple[int, ...]:
    """Return the feature maps of each level, in whole groups; they grow from one to the next up to ``most``.

    >>> widths_of(8, 4), widths_of(10, 3, 1.5)
    ((8, 16, 32, 64), (12, 16, 24))
    """
    exact = [min(base * growth**level, most) for level in range(levels)]
    return tuple(GROUP * math.ceil(round(maps, 6) / GROUP) for maps in exact)


def _cropped(logits: Tensor, images: Tensor, step: int) -> Tensor:
    """Return the part of logits on a grid coarser by ``step`` that lies on the images before they were padded."""
    every = [slice(-(-extent // step)) for extent in images.shape[2:]]
    return logits[(slice(None), slice(None), *every)]


def _norm(width: int, norm: Norm) -> nn.Module:
    if norm == "none":
        return nn.Identity()
    return nn.GroupNorm(width if norm == "instance" else width // GROUP, width)


def require_widths(widths: Sequence[int], norm: Norm, supervised: int) -> None:
    """Raise InvalidArchitecture for what describes no network."""
    if len(widths) < 2:
        raise InvalidArchitecture(f"{len(widths)} level: an encoder-decoder has at least 2")
    if any(width < 1 or (norm == "group" and width % GROUP) for width in widths):
        raise InvalidArchitecture(f"feature maps {tuple(widths)}: give each level a positive multiple of {GROUP}")
    if not 1 <= supervised < len(widths):
        raise InvalidArchitecture(f"{supervised} supervised levels: the decoder has {len(widths) - 1}")
