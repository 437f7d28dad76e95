"""Sources of mini-batches other than stored patches: whole cases, pairs, runs of slices, samples drawn on the fly.

Mini-batch n is a function of the seed and of n alone, so a training that was killed goes on at its step and needs no
other state.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np
import torch
from torch import Tensor

from hakken.core.errors import HakkenError
from hakken.core.seeds import derive_seed
from hakken.core.tensors import arrange_images
from hakken.patches.ahead import iterated
from hakken.patches.passes import Passes

Case = TypeVar("Case")
Tensors = Mapping[str, Tensor]


@dataclass(frozen=True, eq=False)
class Samples:
    """A mini-batch of tensors by name, each (b, ...)."""

    tensors: Tensors

    def __getitem__(self, name: str) -> Tensor:
        return self.tensors[name]

    def __len__(self) -> int:
        return len(next(iter(self.tensors.values())))

    def split(self, parts: int) -> list[Samples]:
        """Return the samples in so many parts of nearly equal size; in fewer where there are not so many.

        >>> [len(part) for part in Samples({"x": torch.zeros(5, 2)}).split(2)]
        [3, 2]
        """
        size = -(-len(self) // parts)
        places = range(0, len(self), size)
        return [Samples({name: value[at : at + size] for name, value in self.tensors.items()}) for at in places]

    def arranged(self, channels_last: bool) -> Samples:
        """Return the samples with images (b, c, y, x) and (b, c, z, y, x) in that order of memory."""
        if not channels_last:
            return self
        return Samples({name: arrange_images(value, True) for name, value in self.tensors.items()})


class DrawnSource:
    """Samples that ``draw`` makes from random numbers: signals of an equation, noise, synthetic images."""

    def __init__(
        self, draw: Callable[[torch.Generator], Tensors], seed: int, device: torch.device | str = "cpu"
    ) -> None:
        self.draw, self.seed, self.device = draw, seed, torch.device(device)

    def batch(self, number: int) -> Samples:
        """Return mini-batch ``number`` (0, 1, ...)."""
        generator = torch.Generator(self.device).manual_seed(derive_seed(self.seed, "drawn", number))
        return Samples(self.draw(generator))

    def iterate(self, start: int = 0, *, workers: int = 0, stride: int = 1) -> Iterator[Samples]:
        """Yield the mini-batches ``start``, ``start + stride``, ..., made ahead by so many ``workers``."""
        return iterated(self.batch, start, workers=workers, stride=stride)


class CaseSource(Generic[Case]):
    """Whole cases (images, items), ``batch_size`` at once, gone through in shuffled passes.

    ``load`` gives the tensors of a case, without an axis for the batch and of the same shapes for all; it may change
    them at random with the generator, whose seed is that of the sample's place in the passes.
    """

    def __init__(
        self,
        cases: Sequence[Case],
        load: Callable[[Case, torch.Generator], Tensors],
        *,
        batch_size: int,
        seed: int,
        device: torch.device | str = "cpu",
    ) -> None:
        if not cases:
            raise HakkenError("no case to learn from; see the column `split` of the case table")
        self.cases, self.load, self.batch_size, self.seed = cases, load, batch_size, seed
        self.device = torch.device(device)
        self._passes = Passes(np.arange(len(cases)), seed, "cases")

    def batch(self, number: int) -> Samples:
        """Return mini-batch ``number`` (0, 1, ...)."""
        first = number * self.batch_size
        chosen = self._passes.take(first, first + self.batch_size).tolist()
        found = [self.load(self.cases[case], self._random(first + place)) for place, case in enumerate(chosen)]
        return Samples({name: torch.stack([one[name] for one in found]).to(self.device) for name in found[0]})

    def iterate(self, start: int = 0, *, workers: int = 0, stride: int = 1) -> Iterator[Samples]:
        """Yield the mini-batches ``start``, ``start + stride``, ..., made ahead by so many ``workers``."""
        return iterated(self.batch, start, workers=workers, stride=stride)

    def _random(self, place: int) -> torch.Generator:
        return torch.Generator().manual_seed(derive_seed(self.seed, "sample", place))


class GroupSource(CaseSource[Case]):
    """Mini-batches of ``groups`` groups with ``members`` cases each, such as images of the same patient: for pairs.

    ``of`` names the group of each case. Groups are gone through in shuffled passes; of a group that is larger than
    ``members`` some are drawn, of a smaller one some come twice. The tensors stand group by group.
    """

    def __init__(
        self,
        cases: Sequence[Case],
        load: Callable[[Case, torch.Generator], Tensors],
        *,
        of: Callable[[Case], str],
        groups: int,
        members: int,
        seed: int,
        device: torch.device | str = "cpu",
    ) -> None:
        super().__init__(cases, load, batch_size=groups * members, seed=seed, device=device)
        by_group: dict[str, list[int]] = {}
        for number, case in enumerate(cases):
            by_group.setdefault(of(case), []).append(number)
        self.groups, self.members = groups, members
        self._groups = [by_group[name] for name in sorted(by_group)]
        if groups > len(self._groups):
            raise HakkenError(f"mini-batches of {groups} groups asked for, the cases have {len(self._groups)}")
        self._passes = Passes(np.arange(len(self._groups)), seed, "groups")

    def batch(self, number: int) -> Samples:
        """Return mini-batch ``number`` (0, 1, ...)."""
        chosen = self._passes.take(number * self.groups, (number + 1) * self.groups).tolist()
        cases = [
            case for place, group in enumerate(chosen) for case in self._drawn(number * self.groups + place, group)
        ]
        first = number * self.batch_size
        found = [self.load(self.cases[case], self._random(first + place)) for place, case in enumerate(cases)]
        return Samples({name: torch.stack([one[name] for one in found]).to(self.device) for name in found[0]})

    def _drawn(self, place: int, group: int) -> list[int]:
        known = self._groups[group]
        random = np.random.default_rng(derive_seed(self.seed, "members", place))
        return [known[number] for number in random.choice(len(known), self.members, len(known) < self.members)]


@dataclass(frozen=True)
class Stretch(Generic[Case]):
    """Consecutive slices of a case, from ``start`` on: what a sequence of slices is loaded from."""

    case: Case
    start: int
    length: int


def stretches(cases: Sequence[Case], slices: Callable[[Case], int], length: int) -> list[Stretch[Case]]:
    """Return every run of ``length`` consecutive slices of the cases, for a `CaseSource`; short cases have none.

    >>> [(one.case, one.start) for one in stretches(["a", "b"], {"a": 4, "b": 2}.__getitem__, 3)]
    [('a', 0), ('a', 1)]
    """
    return [Stretch(case, start, length) for case in cases for start in range(slices(case) - length + 1)]
