"""How badly an autoencoder reconstructs a volume, patch by patch. Axes are (z, y, x), units are voxels.

Sato et al., Proc. SPIE 10575 (2018): the anomaly of a patch is the mean squared error of its reconstruction. That only
voxels of the mask count is ours.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn.functional import pad

from hakken.inference.dense import MIB, exactly
from hakken.inference.maps import ScoreMap, Triple, at_lattice, triple
from hakken.methods.autoencoder.judged import judged_voxels
from hakken.methods.autoencoder.network import ConvAutoencoder

BATCH = 256  # patches; more are not faster
Places = NDArray[np.int64]


def anomaly_map(
    network: ConvAutoencoder,
    image: torch.Tensor,
    *,
    stride_voxel: int,
    memory_mb: float,
    mask: NDArray[Any] | None = None,
    least_inside: float = 0.5,
) -> ScoreMap:
    """Return the reconstruction error at every ``stride_voxel``-th voxel of ``image`` (c, z, y, x).

    A point's score is the mean squared error over those voxels of its patch that lie inside ``mask`` (z, y, x; the
    whole image without one), and over the channels; the patch holds the point at index ``patch // 2``, and beyond the
    image lie zeros. What the mask leaves out is seen and not counted: its border differs from case to case and says
    nothing of lesions. Points outside the mask, and those of which less than ``least_inside`` of the patch lies in it,
    are not evaluated and score 0. As many patches are reconstructed at once as fit into ``memory_mb``, at least one.
    ``network`` is taken to be in evaluation mode.
    """
    shape = triple(image.shape[1:])
    origin, step = _lattice(network, shape, stride_voxel)
    inside = np.ones(shape, bool) if mask is None else np.asarray(mask) > 0
    scores = np.zeros(at_lattice(inside, origin, step).shape, np.float32)
    judged = judged_voxels(inside, network.patch_shape, least_inside)
    places = np.argwhere(at_lattice(judged, origin, step)) * step + origin
    for some, squared, counted in _errors(network, image, inside, places, memory_mb):
        points = (some - origin) // step
        scores[tuple(points.T)] = (squared * counted).sum((1, 2, 3)) / counted.sum((1, 2, 3))
    return ScoreMap(scores, origin, step)


def error_volume(
    network: ConvAutoencoder,
    image: torch.Tensor,
    *,
    stride_voxel: int,
    memory_mb: float,
    mask: NDArray[Any] | None = None,
    least_inside: float = 0.5,
) -> NDArray[np.float32]:
    """Return the squared error (z, y, x) of each voxel of ``image`` (c, z, y, x), the mean over the channels.

    Patches are those of `anomaly_map`; a voxel's error is the mean over those that cover it. Voxels outside ``mask``
    (z, y, x) and voxels that no patch covers are 0.
    """
    shape = triple(image.shape[1:])
    origin, step = _lattice(network, shape, stride_voxel)
    inside = np.ones(shape, bool) if mask is None else np.asarray(mask) > 0
    patch = np.asarray(network.patch_shape)
    total = np.zeros(np.asarray(shape) + 2 * patch)  # so wide that every patch lies within
    count = np.zeros_like(total)
    judged = judged_voxels(inside, network.patch_shape, least_inside)
    places = np.argwhere(at_lattice(judged, origin, step)) * step + origin
    for some, squared, _ in _errors(network, image, inside, places, memory_mb):
        for low, values in zip(some - patch // 2 + patch, squared, strict=True):
            box = tuple(slice(start, start + edge) for start, edge in zip(low, patch, strict=True))
            total[box] += values
            count[box] += 1
    inner = tuple(slice(edge, edge + extent) for edge, extent in zip(patch, shape, strict=True))
    return np.asarray(np.where(inside, total[inner] / np.maximum(count[inner], 1), 0), np.float32)


def _lattice(network: ConvAutoencoder, shape: Triple, stride_voxel: int) -> tuple[Triple, Triple]:
    """Return origin and step of the lattice, centred in the image; a flat network sees every slice."""
    step = triple((1 if network.dimensions == 2 else stride_voxel, stride_voxel, stride_voxel))
    return triple(((extent - 1) % distance) // 2 for extent, distance in zip(shape, step, strict=True)), step


def _errors(
    network: ConvAutoencoder,
    image: torch.Tensor,
    inside: NDArray[np.bool_],
    places: Places,
    memory_mb: float,
) -> Iterator[tuple[Places, NDArray[np.float32], NDArray[np.bool_]]]:
    """Yield some of the ``places`` (n, 3) z, y, x, the squared errors (n, *patch) of their patches, and what counts."""
    patch = network.patch_shape
    margins = [margin for edge in reversed(patch) for margin in (edge, edge)]
    padded, known = pad(image, margins), pad(torch.from_numpy(inside), margins).numpy()
    device = next(network.parameters()).device
    batch = int(np.clip(memory_mb * MIB // network.bytes_per_patch, 1, BATCH))
    with torch.inference_mode(), exactly(device, torch.float32):
        for some in (places[start : start + batch] for start in range(0, len(places), batch)):
            cuts = _cuts(some, patch)
            patches = torch.stack([padded[(slice(None), *cut)] for cut in cuts]).to(device, torch.float32)
            squared = (network(patches).float() - patches).square().mean(1)
            yield some, squared.cpu().numpy(), np.stack([known[cut] for cut in cuts])


def _cuts(places: Places, patch: Triple) -> list[tuple[slice, ...]]:
    """Return where the patches of places lie in the image with a margin of one patch."""
    lows = places - np.asarray(patch) // 2 + patch
    return [tuple(slice(low, low + edge) for low, edge in zip(at, patch, strict=True)) for at in lows.tolist()]
