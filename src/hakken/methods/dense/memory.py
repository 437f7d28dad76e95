"""What a training of a dense network needs of memory, estimated without building it."""

from __future__ import annotations

NUMBERS = 16
"""Numbers of four bytes for each voxel of each feature map: 11 are kept for the backward pass (counted on seven
networks of two and three axes: 10.9 to 11.2), the rest is what the passes hold while they run."""

AROUND = 600e6
"""Bytes of Python, PyTorch and its libraries."""

MOST_MAPS = 320


def training_bytes(
    edge: int, axes: int, *, batch_size: int, levels: int, base_features: int = 8, growth: float = 2.0
) -> float:
    """Return about how many bytes a training holds at once, with windows of ``edge`` voxels along each axis.

    >>> round(training_bytes(48, 3, batch_size=2, levels=4) / 1e6)
    750
    """
    maps: float = sum(
        min(base_features * growth**level, MOST_MAPS) * (edge / 2**level) ** axes for level in range(levels)
    )
    return AROUND + 4 * NUMBERS * batch_size * maps
