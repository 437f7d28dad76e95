"""What one forward pass costs, found without computing anything: the network runs on tensors that have shapes alone.

Notation: a convolution from c to d maps with a kernel of k voxels takes c d k multiply-adds for each voxel of its
output, a transposed one for each voxel of its input. Normalisation, activations, pooling and biases are not counted.
"""

from __future__ import annotations

import copy
import weakref
from collections.abc import Sequence
from typing import Any

import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode

META = torch.device("meta")


def multiply_adds(network: nn.Module, shape: Sequence[int]) -> int:
    """Return the multiply-adds of one forward pass of images of ``shape`` (b, c, ...).

    >>> multiply_adds(nn.Conv2d(3, 8, 3, padding=1), (1, 3, 10, 10)) == 10 * 10 * 3 * 8 * 9
    True
    """
    counter = FlopCounterMode(display=False)
    with torch.no_grad(), counter:
        _on_meta(network)(torch.empty(tuple(shape), device=META))
    return int(counter.get_total_flops()) // 2


def peak_bytes(network: nn.Module, shape: Sequence[int]) -> int:
    """Return the most bytes of tensors that are held at once in a forward pass of images of ``shape`` (b, c, ...).

    Weights and images are among them; what a library needs inside one operation is not.

    >>> peak_bytes(nn.Sequential(nn.Conv2d(1, 1, 1, bias=False), nn.ReLU()), (1, 1, 10, 10)) == 4 * (1 + 100 + 2 * 100)
    True
    """
    held = _on_meta(network)
    image = torch.empty(tuple(shape), device=META)
    count = _Held()
    for tensor in (*held.parameters(), *held.buffers(), image):
        count.add(tensor)
    with torch.no_grad(), count:
        held(image)
    return count.most


class _Held(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Counts the bytes of the storages that are alive."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.now = self.most = 0
        self._alive: set[int] = set()

    def add(self, tensor: torch.Tensor) -> None:
        """Count a tensor's storage until it is freed; views share theirs."""
        storage = tensor.untyped_storage()
        if id(storage) not in self._alive:
            self._alive.add(id(storage))
            self.now += storage.nbytes()
            self.most = max(self.most, self.now)
            weakref.finalize(storage, self._free, id(storage), storage.nbytes())

    def _free(self, key: int, size: int) -> None:
        self._alive.discard(key)
        self.now -= size

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Run an operation and count what comes out of it."""
        found = func(*args, **(kwargs or {}))
        for tensor in found if isinstance(found, tuple | list) else (found,):
            if isinstance(tensor, torch.Tensor):
                self.add(tensor)
        return found


def _on_meta(network: nn.Module) -> nn.Module:
    """Return a copy of a network that has shapes and no numbers, in evaluation mode."""
    return copy.deepcopy(network).to(META).eval()
