from __future__ import annotations

import pytest
import torch

from hakken.core.errors import HakkenError, InvalidArchitecture
from hakken.training.failures import failure_reason
from hakken.training.loop import Diverged


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (InvalidArchitecture("patch 4 is too small"), "invalid"),
        (Diverged("the loss was nan"), "diverged"),
        (FloatingPointError("the network's scores are not finite"), "diverged"),
        (torch.OutOfMemoryError("CUDA out of memory"), "out of memory"),
        (MemoryError(), "out of memory"),
        (
            RuntimeError("[enforce fail at alloc_cpu.cpp:117] DefaultCPUAllocator: can't allocate memory"),
            "out of memory",
        ),
        (RuntimeError("CUDA error: an illegal memory access was encountered"), None),
        (ValueError("something else"), None),
        (HakkenError("the disk is full"), None),
        (OSError(5, "input/output error"), None),
    ],
)
def test_only_the_trial_s_own_errors_fail_it(error: Exception, reason: str | None) -> None:
    assert failure_reason(error) == reason


def test_memory_that_a_cpu_does_not_have_is_recognised() -> None:
    with pytest.raises(RuntimeError) as error:
        torch.empty(2**60, dtype=torch.uint8)
    assert failure_reason(error.value) == "out of memory"
