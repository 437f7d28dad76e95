from __future__ import annotations

import errno
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

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
        (RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"), "out of memory"),
        (RuntimeError("CUDA error: an illegal memory access was encountered"), None),
        (RuntimeError("DataLoader worker (pid 7) is killed by signal: Bus error"), None),
        (RuntimeError("Expected all tensors to be on the same device"), None),
        (RuntimeError("[../third_party/gloo/gloo/transport/tcp/pair.cc:534] Connection closed by peer"), None),
        (ValueError("something else"), None),
        (KeyError("no such parameter"), None),
        (TypeError("unsupported operand"), None),
        (ImportError("no module named efficientnet"), None),
        (ModuleNotFoundError("no module named efficientnet"), None),
        (HakkenError("the disk is full"), None),
        (OSError(5, "input/output error"), None),
        (OSError(errno.ENOSPC, "no space left on device"), None),
        (PermissionError(errno.EACCES, "permission denied"), None),
        (NotImplementedError("this layer"), None),
    ],
)
def test_only_the_trial_s_own_errors_fail_it(error: Exception, reason: str | None) -> None:
    assert failure_reason(error) == reason


def layer(make: Callable[..., nn.Module], *arguments: Any, **options: Any) -> Callable[..., Any]:
    """What makes a layer and sends zeros of a shape through it."""
    return lambda *shape: make(*arguments, **options)(torch.zeros(shape))


INVALID: dict[str, Callable[[], Any]] = {
    "a normalisation of one value": lambda: layer(nn.BatchNorm3d, 4)(1, 4, 1, 1, 1),
    "one of no space": lambda: layer(nn.BatchNorm1d, 4)(1, 4),
    "an instance of one voxel": lambda: layer(nn.InstanceNorm3d, 4)(1, 4, 1, 1, 1),
    "groups that do not divide": lambda: layer(nn.GroupNorm, 8, 12)(1, 12, 4),
    "groups of a convolution": lambda: layer(nn.Conv2d, 3, 4, 3, groups=2)(1, 3, 8, 8),
    "a kernel larger than the image": lambda: layer(nn.Conv3d, 1, 2, 5)(1, 1, 3, 3, 3),
    "a flat one": lambda: layer(nn.Conv2d, 1, 2, 5)(1, 1, 3, 3),
    "a pooling to nothing": lambda: layer(nn.MaxPool3d, 4)(1, 1, 3, 3, 3),
    "a mean of nothing": lambda: layer(nn.AvgPool2d, 4)(1, 1, 3, 3),
    "a mirror larger than the image": lambda: functional.pad(torch.zeros(1, 1, 3, 3), (3, 3, 3, 3), mode="reflect"),
    "a padding beyond the pooling": lambda: layer(nn.MaxPool2d, 2, padding=2)(1, 1, 8, 8),
    "resizing to nothing": lambda: functional.interpolate(torch.zeros(1, 1, 2, 2), scale_factor=0.25),
    "matrices that do not fit": lambda: layer(nn.Linear, 8, 2)(1, 9),
    "channels that do not fit": lambda: layer(nn.Conv2d, 3, 4, 3)(1, 2, 8, 8),
    "a skip that does not fit": lambda: torch.cat([torch.zeros(1, 2, 4), torch.zeros(1, 2, 5)], 1),
    "a sum that does not fit": lambda: torch.zeros(1, 4) + torch.zeros(1, 5),
    "a shape that does not fit": lambda: torch.zeros(7).view(2, 4),
    "a shape that does not grow": lambda: torch.zeros(3).expand(4),
    "targets that do not fit": lambda: functional.cross_entropy(torch.zeros(3, 2), torch.zeros(4, dtype=torch.long)),
    "a share that is none": lambda: nn.Dropout(1.5),
    "a weight of another network": lambda: functional.batch_norm(
        torch.zeros(2, 3, 4), torch.zeros(5), torch.ones(5), training=True
    ),
    "fewer than no units": lambda: nn.Linear(4, -1),
}
OTHER: dict[str, tuple[Callable[[], Any], str]] = {
    "more memory than there is": (lambda: torch.empty(2**60, dtype=torch.uint8), "out of memory"),
    "more than can be counted": (lambda: torch.empty(2**62, 2**10), "out of memory"),
    "more in an array": (lambda: np.empty(2**62, np.uint8), "out of memory"),
    "a number that float16 lacks": (
        lambda: torch.zeros(2).half().masked_fill(torch.tensor([True, False]), 1e9),
        "diverged",
    ),
    "a power that float lacks": (lambda: 10.0**400, "diverged"),
    "a matrix without an inverse": (lambda: torch.linalg.inv(torch.zeros(2, 2)), "diverged"),
    "an array without one": (lambda: np.linalg.inv(np.zeros((2, 2))), "diverged"),
}


@pytest.mark.parametrize("name", INVALID)
def test_what_pytorch_says_of_shapes_is_recognised(name: str) -> None:
    with pytest.raises((RuntimeError, ValueError)) as error:
        INVALID[name]()
    assert failure_reason(error.value) == "invalid", error.value


@pytest.mark.parametrize("name", OTHER)
def test_what_is_said_of_memory_and_numbers_is_recognised(name: str) -> None:
    provoke, reason = OTHER[name]
    with pytest.raises((RuntimeError, MemoryError, ArithmeticError, np.linalg.LinAlgError)) as error:
        provoke()
    assert failure_reason(error.value) == reason, error.value


def test_a_wrong_value_in_a_plug_in_s_own_code_is_no_result() -> None:
    with pytest.raises(ValueError, match="invalid literal") as error:
        int("seven")
    assert failure_reason(error.value) is None
