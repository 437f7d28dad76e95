"""Which errors make a failed trial, and which are the surroundings' fault and worth another try."""

from __future__ import annotations

import torch

from hakken.core.errors import InvalidArchitecture

OUT_OF_MEMORY = "out of memory"
SAYINGS = ("DefaultCPUAllocator", "out of memory", "not enough memory")


def failure_reason(error: Exception) -> str | None:
    """Return `diverged`, `out of memory` or `invalid` for an error of the trial itself, None for any other."""
    if isinstance(error, InvalidArchitecture):
        return "invalid"
    if isinstance(error, FloatingPointError):
        return "diverged"
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return OUT_OF_MEMORY
    if isinstance(error, RuntimeError) and any(words in str(error) for words in SAYINGS):
        return OUT_OF_MEMORY
    return None
