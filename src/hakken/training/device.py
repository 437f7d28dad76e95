"""What a training runs on: device, precision, and what it has used of them."""

from __future__ import annotations

import resource
import sys
from typing import Literal

import torch

from hakken.training.layout import Layout, read_layout

Precision = Literal["float32", "bfloat16", "auto"]


def choose_device() -> torch.device:
    """Return the first GPU that this process may see, else the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def choose_layout(wanted: Precision, device: torch.device) -> Layout:
    """Return in which order of memory and at which precision layers compute.

    With `auto`: bfloat16 on a GPU that has it; on a CPU what `hakken tune-cpu` has found for this host, else float32.
    Raises HakkenError where the file of this host's layout is damaged.
    """
    if wanted != "auto":
        return Layout(precision=wanted)
    if device.type == "cuda":
        return Layout(precision="bfloat16" if torch.cuda.is_bf16_supported() else "float32")
    return read_layout() or Layout()


def loading_threads(device: torch.device) -> int:
    """Return how many threads make mini-batches ahead: as many as this process may use, while a GPU learns.

    On the CPU learning itself takes all threads, so mini-batches are made in between; so they are where there is one.
    """
    return torch.get_num_threads() if device.type == "cuda" else 0


def peak_memory_mb(device: torch.device) -> float:
    """Return the most memory in MiB so far: of the GPU's allocations, or resident in this process."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 2**20
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**20
