"""How long a forward pass takes on this machine."""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence

import torch
from torch import nn

WARM_UP = 2


def latency_seconds(network: nn.Module, shape: Sequence[int], repeats: int) -> float:
    """Return the median time in seconds of ``repeats`` forward passes of images of ``shape`` (b, c, ...).

    On the device of the network, after two passes that do not count; the images are zeros.
    """
    device = next(network.parameters()).device
    image = torch.zeros(tuple(shape), device=device)
    seconds = []
    with torch.inference_mode():
        for number in range(WARM_UP + repeats):
            _wait(device)
            start = time.perf_counter()
            network(image)
            _wait(device)
            if number >= WARM_UP:
                seconds.append(time.perf_counter() - start)
    return statistics.median(seconds)


def _wait(device: torch.device) -> None:
    """Let a GPU finish what it was given."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
