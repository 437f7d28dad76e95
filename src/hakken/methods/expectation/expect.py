"""The predicted mean and standard deviation of the target channel, z scores, and candidates where z is too large.

Axes are (z, y, x). Channels of an image are in the order of the study; those marked `target` are predicted from the
others. Nakao et al., Jpn J Radiol 2022;40:730-739: z = (SUV - mu) / sigma, voxels from 3.0 on.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from hakken.core.seeds import derive_seed
from hakken.inference.dense import MIB, exactly
from hakken.methods.expectation import Inference
from hakken.methods.expectation.network import ExpectationUNet
from hakken.training.method import Facts

Array = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Expected:
    """What was expected of one target channel and what was seen (z, y, x), in shares of the target's window.

    ``sigma`` holds the standard deviation of the data and the uncertainty of the network. ``z`` is 0 outside the mask.
    """

    mean: Array
    sigma: Array
    z: Array


def expected_of(
    network: ExpectationUNet, image: NDArray[Any], mask: NDArray[Any], facts: Facts, settings: Inference
) -> Expected:
    """Return what ``network`` expects of a case: ``image`` (c, z, y, x), ``mask`` (z, y, x).

    A network of two axes sees every axial slice, as many at once as fit into ``memory_mb`` of the ``settings``, at
    least one; one of three axes sees the whole image. With ``frame`` what is smaller than a patch is seen in an empty
    frame as large as one: the network normalises its maps over all that it sees, and has learnt from patches, which
    hold what lies around a body too. Dropout is drawn ``samples`` times, the same for every case.
    Raises FloatingPointError when what the network says is not finite.
    """
    names = list(facts.channels)
    whole = torch.from_numpy(np.array(image[[names.index(name) for name in facts.inputs]], np.float32))
    seen, own = framed(whole, network.dimensions, network.structure.patch_size if settings.frame else 0)
    batches = _slices(network, seen, settings.memory_mb) if network.dimensions == 2 else [seen[None]]
    device = next(network.parameters()).device
    means, sigmas = [], []
    with torch.inference_mode(), exactly(device, torch.float32):
        for number, batch in enumerate(batches):
            found = network.expect(batch.to(device), settings.samples, derive_seed(facts.seed, "dropout", number))
            means.append(found.mean[:, 0].cpu().numpy())
            sigmas.append(found.sigma[:, 0].cpu().numpy())
    mean, sigma = (np.concatenate(parts).reshape(seen.shape[1:])[own] for parts in (means, sigmas))
    if not (np.isfinite(mean).all() and np.isfinite(sigma).all()):
        raise FloatingPointError("what the network expects is not finite")
    return seen_as(mean, sigma, image, mask, facts)


def framed(image: torch.Tensor, axes: int, edge: int) -> tuple[torch.Tensor, tuple[slice, ...]]:
    """Return an image (c, z, y, x) in the middle of zeros, its last ``axes`` at least ``edge`` long, and where it lies.

    >>> framed(torch.ones(1, 2, 3, 9), 2, 8)[0].shape, framed(torch.ones(1, 2, 3, 9), 2, 8)[1][1]
    (torch.Size([1, 2, 8, 9]), slice(2, 5, None))
    """
    sizes = image.shape[1:]
    lacking = [max(edge - size, 0) if axis >= 3 - axes else 0 for axis, size in enumerate(sizes)]
    before = [missing // 2 for missing in lacking]
    ends = [(first, missing - first) for first, missing in zip(before, lacking, strict=True)]
    own = tuple(slice(first, first + size) for first, size in zip(before, sizes, strict=True))
    return functional.pad(image, [length for pair in reversed(ends) for length in pair]), own


def excess_of(z: Array, sigma: Array, tolerance: float) -> Array:
    """Return (y - mean) / sqrt(sigma^2 + tolerance^2) of z = (y - mean) / sigma, in what is counted as z.

    >>> excess_of(np.float32([4]), np.float32([0.3]), 0.4).tolist(), excess_of(np.float32([4]), np.float32([1]), 0)
    ([2.4000000953674316], array([4.], dtype=float32))
    """
    return np.asarray(z * (sigma / np.hypot(sigma, np.float32(tolerance))), np.float32)


def seen_as(mean: Array, sigma: Array, image: NDArray[Any], mask: NDArray[Any], facts: Facts) -> Expected:
    """Return what was expected (z, y, x) with how far the target channel of the ``image`` lies from it."""
    target = np.asarray(image[list(facts.channels).index(facts.targets[0])], np.float32)
    return Expected(mean, sigma, np.where(np.asarray(mask) > 0, (target - mean) / sigma, np.float32(0)))


def _slices(network: ExpectationUNet, seen: torch.Tensor, memory_mb: float) -> list[torch.Tensor]:
    """Return the axial slices (b, c, y, x) of an image (c, z, y, x), as many at once as the memory allows."""
    pixels = seen.shape[2] * seen.shape[3]
    together = int(np.clip(memory_mb * MIB // (network.bytes_per_voxel * pixels), 1, seen.shape[1]))
    slices = seen.transpose(0, 1)
    return [slices[first : first + together] for first in range(0, len(slices), together)]
