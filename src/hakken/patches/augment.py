"""Augmentation of a whole batch of patches at once: what to change is drawn first, then applied.

Notation: b patches, c channels, d = 2 or 3 spatial axes in the order (z, y, x), p edge of the result, q edge of the
input, o offset of a voxel from the centre voxel (index ``edge // 2``), s voxel size in mm by axis. The value at offset
o of the result is that of the input at offset  M o + D (B(o) - B(0)),  where

    M = S^-1 Z R S P   P permutes axes of equal voxel size and flips them; R rotates and Z scales in mm; S = diag(s)
    D (d, k^d)         elastic displacement of the k^d nodes of a coarse grid over the patch, in voxels
    B(o) (k^d)         weights of the nodes at o, smooth, not negative and of sum 1

so the labelled voxel stays at the centre whatever is drawn. All of it is one ``grid_sample`` a batch.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

NODES = 4  # k
LEAST_BLUR = 0.2
"""Standard deviation in voxels up to which a Gaussian takes less than a hundred-thousandth from each neighbour."""
REACH_OF_BLUR = 3.0
"""Standard deviations at which a Gaussian ends."""


@dataclass(frozen=True)
class Augmentation:
    """How far patches may change; ``strength`` 0..1 multiplies every amount, and the probability of flips.

    Rotation about any axis and scaling are uniform up to ``rotation_degrees`` and, on a log scale, ``1 + scale``.
    ``elastic_voxel`` bounds the elastic displacement relative to the centre, in units of the smallest voxel edge.
    Intensities become ``range * x^gamma`` within the range of the patch, then ``gain * x + shift + noise``, by channel;
    ``gain`` and ``gamma`` are amounts on a log scale, ``shift`` and ``noise`` are in units of the normalised image.
    A patch is turned, scaled and displaced with the chance ``warped``; others are flipped alone, so that a network also
    sees images that no interpolation has smoothed, as it does later on. A channel is blurred with the chance
    ``blurred`` by a Gaussian whose standard deviation is up to ``blur_voxel``.
    """

    strength: float
    rotation_degrees: float = 20.0
    scale: float = 0.15
    elastic_voxel: float = 2.0
    gain: float = 0.2
    shift: float = 0.2
    gamma: float = 0.25
    noise: float = 0.1
    warped: float = 1.0
    blur_voxel: float = 0.0
    blurred: float = 0.2


@dataclass(frozen=True)
class Frame:
    """The sizes that bound a geometric change: edges ``patch`` (p) and ``stored``, and voxel size by axis (z, y, x)."""

    patch: int
    stored: int
    spacing: tuple[float, ...]

    @property
    def half(self) -> int:
        """Largest offset within the result: p // 2."""
        return self.patch // 2

    @property
    def room(self) -> int:
        """Largest offset that the stored patch holds on both sides of its centre."""
        return self.stored - 1 - self.stored // 2

    def reach(self, rotation: float, scale: float, elastic: float) -> float:
        """Return a bound on the offsets that are read, in voxels, for rotations up to ``rotation`` radians.

        A row of R has length 1 and a diagonal of at least cos(rotation), which bounds the row of M as below; ``skew``
        is what the other axes weigh in voxels of this one.
        """
        bounds = []
        for axis, size in enumerate(self.spacing):
            others = [other / size for index, other in enumerate(self.spacing) if index != axis]
            skew = math.hypot(*others)
            angle = min(rotation, math.atan(skew))
            row = math.cos(angle) + skew * math.sin(angle)
            bounds.append(self.half * scale * row + elastic * min(self.spacing) / size)
        return max(bounds)


@dataclass(frozen=True)
class Limits:
    """What fits a frame: rotation in radians, scale factor, displacement, chance of a flip, edge to read (q).

    ``warps`` is false where the result is a plain crop.
    """

    rotation: float
    scale: float
    elastic: float
    flip: float
    edge: int
    warps: bool


@dataclass(frozen=True)
class Changes:
    """What happens to each patch of a batch; every tensor has the batch as its first axis.

    ``matrix`` (b, d, d) M; ``nodes`` (b, d, k^d) D; ``gamma``, ``gain``, ``shift`` (b, c); ``blur`` (b, c), standard
    deviations in voxels, 0 for channels that stay sharp; ``noise`` (b, c, p, ...).
    """

    matrix: Tensor
    nodes: Tensor
    gamma: Tensor
    gain: Tensor
    shift: Tensor
    blur: Tensor
    noise: Tensor

    def __getitem__(self, index: slice) -> Changes:
        """Return the changes of some patches of the batch."""
        return Changes(*[getattr(self, field.name)[index] for field in fields(self)])


@lru_cache(maxsize=64)
def limits(augmentation: Augmentation, frame: Frame) -> Limits:
    """Return the geometric amounts that fit the stored border, so that nothing beyond it is ever read.

    Where the frame is too small for the full amounts, all are lowered by the same factor; where not even a flip about
    the centre voxel fits (an even patch without margin), the geometry stays as it is.
    """
    strength = augmentation.strength
    if strength == 0 or frame.half > frame.room:
        return Limits(0.0, 1.0, 0.0, 0.0, frame.patch, warps=False)

    def amounts(part: float) -> tuple[float, float, float]:
        rotation = math.radians(augmentation.rotation_degrees) * strength * part
        return rotation, (1 + augmentation.scale) ** (strength * part), augmentation.elastic_voxel * strength * part

    part = _largest(lambda part: frame.reach(*amounts(part)) <= frame.room)
    reach = frame.reach(*amounts(part))
    edge = min(2 * math.ceil(reach - 1e-9) + 1, frame.stored)
    return Limits(*amounts(part), flip=strength, edge=edge, warps=True)


def draw_changes(
    augmentation: Augmentation, frame: Frame, patches: int, channels: int, generator: torch.Generator
) -> Changes:
    """Draw the changes of a batch on the device of ``generator``; the same generator state gives the same changes."""
    bounds = limits(augmentation, frame)
    strength = augmentation.strength
    axes = len(frame.spacing)

    def uniform(*shape: int) -> Tensor:
        return 2 * torch.rand(patches, *shape, generator=generator, device=generator.device) - 1

    chosen = torch.ones(patches, device=generator.device)
    if augmentation.warped < 1:
        chosen = ((uniform() + 1) / 2 < augmentation.warped).float()
    smallest = torch.tensor([min(frame.spacing) / size for size in frame.spacing], device=generator.device)
    volume = (patches, channels, *[frame.patch] * axes)
    noise = torch.randn(volume, generator=generator, device=generator.device)
    level = uniform(channels).abs() * augmentation.noise * strength
    return Changes(
        matrix=_draw_matrix(bounds, frame, uniform, chosen),
        nodes=uniform(axes, NODES**axes) * (bounds.elastic / 2) * smallest[:, None] * chosen[:, None, None],
        gamma=torch.exp(uniform(channels) * augmentation.gamma * strength),
        gain=torch.exp(uniform(channels) * augmentation.gain * strength),
        shift=uniform(channels) * augmentation.shift * strength,
        blur=_draw_blur(augmentation, patches, channels, uniform),
        noise=noise.mul_(_over_voxels(level, axes)),
    )


def apply_changes(images: Tensor, changes: Changes, augmentation: Augmentation, frame: Frame) -> Tensor:
    """Apply drawn changes to ``images`` (b, c + t, q, ...), float32, and return (b, c + t, p, ...).

    q may be any edge from ``limits(augmentation, frame).edge`` up to the stored one; the result is the same. The last t
    channels, for which no intensities are drawn, move with the image and keep their values.
    """
    if limits(augmentation, frame).warps:
        grid = sampling_grid(changes, frame.patch, images.shape[-1])
        moved = functional.grid_sample(images, grid, align_corners=True)
    else:
        moved = crop(images, frame.patch)
    seen = changes.gain.shape[1]
    if seen == moved.shape[1]:
        return change_intensities(moved, changes)
    return torch.cat([change_intensities(moved[:, :seen], changes), moved[:, seen:]], 1)


def augment(
    images: Tensor, augmentation: Augmentation, frame: Frame, generator: torch.Generator, kept: int = 0
) -> Tensor:
    """Draw and apply changes to ``images`` (b, c, q, ...); at strength 0 this is the central crop (b, c, p, ...).

    The last ``kept`` channels, which hold no intensities, move with the image and keep their values.
    """
    if augmentation.strength == 0:
        return crop(images, frame.patch)
    changes = draw_changes(augmentation, frame, images.shape[0], images.shape[1] - kept, generator)
    return apply_changes(images, changes, augmentation, frame)


def only_measured(images: Tensor, presence: Sequence[tuple[int, int]]) -> Tensor:
    """Return ``images`` (b, c, p, ...) with optional channels 0 wherever they were not measured.

    ``presence`` are the places of such channels, and of those that say where: changed intensities are no measured ones.
    """
    if not presence:
        return images
    whole = images.clone()
    for channel, where in presence:
        whole[:, channel] *= images[:, where] > 0
    return whole


def crop(images: Tensor, edge: int) -> Tensor:
    """Return the patches (b, c, edge, ...) around the centre voxel of ``images`` (b, c, q, ...)."""
    start = images.shape[-1] // 2 - edge // 2
    for axis in range(2, images.ndim):
        images = images.narrow(axis, start, edge)
    return images


def sampling_grid(changes: Changes, patch: int, edge: int) -> Tensor:
    """Return where each voxel of the result is read, (b, p, ..., d), in the coordinates of ``grid_sample``.

    -1 and 1 are the first and last voxel of an input of ``edge`` voxels; the last axis is ordered x, y, z.
    """
    axes = changes.matrix.shape[-1]
    offsets = torch.arange(patch, device=changes.matrix.device, dtype=torch.float32) - patch // 2
    shift = _displacement(changes.nodes, patch)
    grid = torch.empty((len(shift), *[patch] * axes, axes), device=shift.device)
    for axis in range(axes):
        position = shift[:, axis] + edge // 2
        for along in range(axes):
            step = offsets.view([patch if index == along else 1 for index in range(axes)])
            position = position + _over_voxels(changes.matrix[:, axis, along], axes) * step
        grid[..., axes - 1 - axis] = position
    return grid.mul_(2 / (edge - 1)).sub_(1)


def change_intensities(patches: Tensor, changes: Changes) -> Tensor:
    """Apply gamma, gain, shift, noise and blur to ``patches`` (b, c, p, ...)."""
    axes = tuple(range(2, patches.ndim))
    low, high = patches.amin(axes, keepdim=True), patches.amax(axes, keepdim=True)
    extent = (high - low).clamp_min(1e-6)
    gamma, gain, shift = (_over_voxels(value, len(axes)) for value in (changes.gamma, changes.gain, changes.shift))
    unit = ((patches - low) / extent).pow_(gamma)
    changed = unit.mul_(extent * gain).add_(low * gain + shift).add_(changes.noise)
    return _blurred(changed, changes.blur)


def _draw_blur(augmentation: Augmentation, patches: int, channels: int, uniform: Callable[..., Tensor]) -> Tensor:
    """Draw the standard deviation of the blur of each channel (b, c) in voxels, 0 for those that stay sharp."""
    greatest = augmentation.blur_voxel * augmentation.strength
    if not greatest:
        return uniform(0).new_zeros(patches, channels)
    chosen = (uniform(channels) + 1) / 2 < augmentation.blurred
    return torch.where(chosen, uniform(channels).abs() * greatest, 0.0)


def _blurred(images: Tensor, blur: Tensor) -> Tensor:
    """Blur the channels of ``images`` (b, c, p, ...) by Gaussians of standard deviations ``blur`` (b, c) in voxels.

    Beyond the border lie its own values.
    """
    chosen = blur > LEAST_BLUR
    if not chosen.any():
        return images
    sigma, axes = blur[chosen], images.ndim - 2
    reach = math.ceil(REACH_OF_BLUR * float(sigma.max()))
    kernels = torch.exp(-(torch.arange(-reach, reach + 1, device=sigma.device) ** 2) / (2 * sigma[:, None] ** 2))
    kernels = kernels / kernels.sum(1, keepdim=True)
    maps = images[chosen]
    for axis in range(1, maps.ndim):
        padded = _prolonged(maps, axis, reach)
        shifted = (padded.narrow(axis, place, maps.shape[axis]) for place in range(2 * reach + 1))
        maps = sum(
            (_over_voxels(weight, axes) * part for weight, part in zip(kernels.T, shifted, strict=True)),
            start=torch.zeros_like(maps),
        )
    images[chosen] = maps
    return images


def _prolonged(images: Tensor, axis: int, reach: int) -> Tensor:
    """Return images with ``reach`` more voxels at both ends of an axis, which repeat the border."""
    places = torch.arange(-reach, images.shape[axis] + reach, device=images.device).clamp(0, images.shape[axis] - 1)
    return images.index_select(axis, places)


def _displacement(nodes: Tensor, patch: int) -> Tensor:
    """Return the displacement (b, d, p, ...) in voxels of the nodes (b, d, k^d), 0 at the centre voxel."""
    axes = nodes.shape[1]
    weights = _node_weights(patch).to(nodes.device)
    field = nodes.reshape(-1, axes, *[NODES] * axes)
    for _ in range(axes):
        field = torch.tensordot(field, weights, dims=([2], [1]))  # the oldest axis goes, the new one comes last
    middle = np.ravel_multi_index([patch // 2] * axes, [patch] * axes)
    return field - _over_voxels(field.flatten(2)[..., int(middle)], axes)


@lru_cache(maxsize=64)
def _node_weights(patch: int) -> Tensor:
    """Return the weights (p, k) of the nodes at each voxel; neighbours blend smoothly, by 3 t^2 - 2 t^3."""
    position = torch.linspace(0, NODES - 1, patch)
    distance = (position[:, None] - torch.arange(NODES)).abs().clamp(max=1)
    return 1 - distance**2 * (3 - 2 * distance)


def _draw_matrix(bounds: Limits, frame: Frame, uniform: Callable[..., Tensor], chosen: Tensor) -> Tensor:
    """Draw M (b, d, d), from offsets in the result to offsets in the input, in voxels; ``chosen`` (b,) are warped."""
    axes = len(frame.spacing)
    size = torch.tensor(frame.spacing, dtype=torch.float32)
    rotation = _rotation(uniform(1 if axes == 2 else 3), uniform() * bounds.rotation * chosen)
    size = size.to(rotation.device)
    zoom = bounds.scale ** (uniform() * chosen)
    choices = _axis_changes(frame.spacing).to(rotation.device)
    drawn = ((uniform() + 1) / 2 * len(choices)).long().clamp(max=len(choices) - 1)
    chosen = torch.where((uniform() + 1) / 2 < bounds.flip, drawn, 0)
    return rotation * (size / size[:, None]) * zoom[:, None, None] @ choices[chosen]


def _rotation(axis: Tensor, angle: Tensor) -> Tensor:
    """Return rotations (b, d, d) by ``angle`` (b,) radians about ``axis`` (b, 3), by Rodrigues' formula."""
    if axis.shape[1] == 1:
        cosine, sine = torch.cos(angle), torch.sin(angle)
        return torch.stack([cosine, -sine, sine, cosine], dim=1).view(-1, 2, 2)
    x, y, z = (axis / axis.norm(dim=1, keepdim=True).clamp_min(1e-6)).unbind(1)
    zero = torch.zeros_like(x)
    cross = torch.stack([zero, -z, y, z, zero, -x, -y, x, zero], dim=1).view(-1, 3, 3)
    sine, cosine = torch.sin(angle)[:, None, None], torch.cos(angle)[:, None, None]
    return torch.eye(3, device=axis.device) + sine * cross + (1 - cosine) * cross @ cross


@lru_cache(maxsize=16)
def _axis_changes(spacing: tuple[float, ...]) -> Tensor:
    """Return all matrices (n, d, d) that flip axes and permute those of equal voxel size; the first changes nothing."""
    axes = range(len(spacing))
    matrices = []
    for order in itertools.permutations(axes):
        if all(math.isclose(spacing[a], spacing[b], rel_tol=1e-4) for a, b in zip(axes, order, strict=True)):
            for signs in itertools.product((1.0, -1.0), repeat=len(spacing)):
                matrices.append(torch.diag(torch.tensor(signs)) @ torch.eye(len(spacing))[list(order)])
    return torch.stack(matrices)


def _largest(fits: Callable[[float], bool]) -> float:
    """Return the largest part of 1 that fits, by bisection; 0 is known to fit."""
    if fits(1.0):
        return 1.0
    low, high = 0.0, 1.0
    for _ in range(30):
        middle = (low + high) / 2
        low, high = (middle, high) if fits(middle) else (low, middle)
    return low


def _over_voxels(values: Tensor, axes: int) -> Tensor:
    """Append ``axes`` axes of length 1."""
    return values.reshape(*values.shape, *[1] * axes)
