"""Endless sequences of sample numbers, each position a function of the seed alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hakken.core.seeds import derive_seed

Numbers = NDArray[np.intp]


class Turns:
    """An endless sequence of patch numbers in which several sequences take turns."""

    def __init__(self, sequences: Sequence[Passes]) -> None:
        self.sequences = sequences

    def __len__(self) -> int:
        return sum(map(len, self.sequences))

    def take(self, start: int, stop: int) -> Numbers:
        """Return the numbers at positions start..stop of the sequence."""
        places = np.arange(start, stop)
        found = np.empty(len(places), np.intp)
        for number, sequence in enumerate(self.sequences):
            mine = places % len(self.sequences) == number
            turns = places[mine] // len(self.sequences)
            if len(turns):
                found[mine] = sequence.take(int(turns[0]), int(turns[-1]) + 1)
        return found


class Passes:
    """An endless sequence of patch numbers: shuffled passes over ``patches``, one after the other."""

    def __init__(self, patches: NDArray[np.integer[Any]], seed: int, role: str) -> None:
        self.patches = patches
        self.seed = seed
        self.role = role
        self._order: tuple[int, Numbers] = (-1, np.empty(0, np.intp))

    def __len__(self) -> int:
        return len(self.patches)

    def take(self, start: int, stop: int) -> Numbers:
        """Return the numbers at positions start..stop of the sequence."""
        parts = [np.empty(0, np.intp)]
        while start < stop:
            number, first = divmod(start, len(self.patches))
            part = self._pass(number)[first : first + stop - start]
            parts.append(part)
            start += len(part)
        return np.concatenate(parts)

    def _pass(self, number: int) -> Numbers:
        """Return one pass, keeping the latest: most batches lie within it."""
        known, order = self._order
        if known != number:
            order = np.random.default_rng(derive_seed(self.seed, self.role, number)).permutation(self.patches)
            self._order = (number, order)
        return order
