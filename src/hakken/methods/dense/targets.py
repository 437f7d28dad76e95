"""What dense networks learn from a window: channels of targets, all between 0 and 1.

The first channels are those of the lesions that count, one for all of them or one a class; the next is 1 in those that
do not count, which are neither right nor wrong; the rest are the regions, one each.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hakken.core.errors import HakkenError
from hakken.imaging.prepared import PreparedCase
from hakken.training.windows import Targets

Floats = NDArray[np.float32]


def class_targets(classes: Sequence[str]) -> Targets:
    """Return what gives the channels of each class of ``classes``, and of the lesions that do not count.

    It raises HakkenError naming a lesion of another class: the number of a lesion is never taken for its class.
    """

    def targets(case: PreparedCase, window: tuple[slice, ...]) -> Floats:
        shape = tuple(part.stop - part.start for part in window)
        found = np.zeros((len(classes) + 1, *shape), np.float32)
        labels = case.labels(mmap=True)[window] if case.has_truth else np.zeros(shape, np.int16)
        places = _places(case, classes)
        for number in np.unique(labels[labels > 0]).tolist():
            found[places[number], labels == number] = 1
        return found

    return targets


def with_regions(targets: Targets, count: int) -> Targets:
    """Return what gives the channels of ``targets``, and of each of so many regions."""

    def both(case: PreparedCase, window: tuple[slice, ...]) -> Floats:
        numbers = np.arange(1, count + 1).reshape(-1, 1, 1, 1)
        regions = np.asarray(case.regions(mmap=True)[window])[None] == numbers
        return np.concatenate([targets(case, window), regions.astype(np.float32)])

    return both


def numbered(channels: Tensor) -> Tensor:
    """Return the number of the channel (b, 1, ...) that holds at least a half, from 1; 0 where none does.

    >>> numbered(torch.tensor([[[0.2, 0.9, 0.0], [0.6, 0.1, 0.3]]])).tolist()
    [[[2, 1, 0]]]
    """
    highest, place = channels.max(1, keepdim=True)
    return torch.where(highest >= 0.5, place + 1, 0)


def _places(case: PreparedCase, classes: Sequence[str]) -> dict[int, int]:
    """Return the channel of each lesion of a case by its number."""
    found = {}
    for lesion in case.lesions:
        if lesion.kind == "included" and lesion.lesion_class not in classes:
            raise HakkenError(
                f"case {case.case_id}, lesion {lesion.lesion}: has the class `{lesion.lesion_class or ''}`; "
                f"cohort.classes names {', '.join(classes)}"
            )
        counts = lesion.kind == "included"
        found[lesion.lesion] = classes.index(str(lesion.lesion_class)) if counts else len(classes)
    return found
