"""What a training runs on: device, precision, and what it has used of them."""

from __future__ import annotations

import resource
import sys
from typing import Literal

import torch

Precision = Literal["float32", "bfloat16", "auto"]


def choose_device() -> torch.device:
    """Return the first GPU that this process may see, else the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def choose_precision(wanted: Precision, device: torch.device) -> torch.dtype:
    """Return the type in which layers compute: with `auto`, bfloat16 on a GPU that has it, else float32."""
    if wanted == "auto":
        able = device.type == "cuda" and torch.cuda.is_bf16_supported()
        return torch.bfloat16 if able else torch.float32
    return torch.bfloat16 if wanted == "bfloat16" else torch.float32


def peak_memory_mb(device: torch.device) -> float:
    """Return the most memory in MiB so far: of the GPU's allocations, or resident in this process."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 2**20
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**20
