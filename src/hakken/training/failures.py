"""Which errors make a failed trial, and which are the surroundings' fault and worth another try.

A trial fails by its own parameters where they describe nothing that can be trained: a layer that finds too few voxels,
shapes that do not fit each other, a loss that is no number, more memory than there is. PyTorch has no exceptions of its
own for most of that, so its words are recognised; tests provoke each of them. Whatever is not recognised, an error of
the disk, of an import or in a plug-in's code, ends the job.
"""

from __future__ import annotations

import re
import traceback
from pathlib import Path

import numpy as np
import torch

from hakken.core.errors import InvalidArchitecture

INVALID, DIVERGED, OUT_OF_MEMORY = "invalid", "diverged", "out of memory"
SINGULAR = torch.linalg.LinAlgError  # type: ignore[attr-defined]  # public by the documentation alone
LAYERS = Path(torch.nn.__file__).parent

WITHOUT_ROOM = re.compile(
    r"DefaultCPUAllocator|out of memory|not enough memory|could not create a memory|ALLOC_FAILED|"
    r"[Ss]torage size calculation overflowed"
)
WITHOUT_NUMBER = re.compile(r"cannot be converted to type .* without overflow|contains? (?:NaN|inf)|is singular")
WITHOUT_NETWORK = re.compile(
    r"Expected more than 1 value per channel|[Kk]ernel size can't be greater than actual input size|"
    r"[Oo]utput size is too small|Invalid computed output size|[Ii]nput and output sizes should be greater than 0|"
    r"[Pp]adding size should be less than the corresponding input dimension|pad should be (?:smaller|at most)|"
    r"shapes cannot be multiplied|size mismatch|The size of tensor a .* must match|Sizes of tensors must match|"
    r"The expanded size of the tensor|shape '.*' is invalid for input of size|cannot reshape tensor of 0 elements|"
    r"[Ee]xpected .* to have \d+ channels|expected input.* to have \d+ channels|must be divisible by|"
    r"negative dimension|non-empty|non-positive (?:stride|kernel)|weight should contain|running_mean should contain|"
    r"Expected .* input batch_size .* to match target batch_size|of size 0|numel\(\) == 0"
)


def failure_reason(error: Exception) -> str | None:
    """Return `diverged`, `out of memory` or `invalid` for an error of the trial itself, None for any other."""
    if isinstance(error, InvalidArchitecture):
        return INVALID
    if isinstance(error, FloatingPointError | OverflowError | np.linalg.LinAlgError | SINGULAR):
        return DIVERGED
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return OUT_OF_MEMORY
    return _by_its_words(error)


def _by_its_words(error: Exception) -> str | None:
    """Return the reason of an error for which PyTorch has no exception of its own."""
    said = str(error)
    if type(error) is RuntimeError and WITHOUT_ROOM.search(said):
        return OUT_OF_MEMORY
    if type(error) is RuntimeError and WITHOUT_NUMBER.search(said):
        return DIVERGED
    if type(error) is RuntimeError and WITHOUT_NETWORK.search(said):
        return INVALID
    return INVALID if type(error) is ValueError and _of_a_layer(error) else None


def _of_a_layer(error: Exception) -> bool:
    """Whether a layer of PyTorch has raised an error; of values, they complain of shapes and of their own settings."""
    places = traceback.extract_tb(error.__traceback__)
    return bool(places) and LAYERS in Path(places[-1].filename).parents
