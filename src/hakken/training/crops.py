"""Crops around known places of prepared cases, half of them hits, for a network that tells these from false ones.

Crop ``n`` of a training is a function of the seed, of the places and of n. Axes are (z, y, x), units are voxels.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from hakken.core.seeds import derive_seed
from hakken.imaging.prepared import PreparedCase
from hakken.patches.ahead import iterated
from hakken.patches.augment import Augmentation, Frame, augment, limits, only_measured
from hakken.training.sources import Samples
from hakken.training.windows import HardPlaces, Places, counting_lesions, cut, kept_in, presence_in

Floats = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Cropping:
    """What crops are like: edge in voxels, 2 or 3 axes, how many at once, how far off its place a middle may lie."""

    edge: int
    axes: int
    batch_size: int
    off: int

    def edges(self, edge: int) -> tuple[int, int, int]:
        """Return the shape (z, y, x) of what is cut with this edge."""
        return (1 if self.axes == 2 else edge, edge, edge)


class CropSource:
    """Mini-batches of augmented crops: ``images`` (b, c, p, ...), float32, and ``targets`` (b,), 1 for hits.

    Every other crop is a hit. Before it is told of ``hits`` and ``false`` ones, and where there are none, hits are put
    on lesions, and false ones anywhere in the mask. Raises HakkenError where no case has a lesion that counts.
    """

    def __init__(
        self,
        cases: Sequence[PreparedCase],
        cropping: Cropping,
        *,
        spacing: Sequence[float],
        augmentation: Augmentation,
        seed: int,
        device: torch.device | str = "cpu",
    ) -> None:
        self.cases, self.cropping, self.seed, self.device = list(cases), cropping, seed, torch.device(device)
        self.augmentation = augmentation
        self.frame = Frame(cropping.edge, 2 * cropping.edge + 1, tuple(spacing)[::-1][-cropping.axes :])
        self.edge = limits(augmentation, self.frame).edge if augmentation.strength else cropping.edge
        self._places = [Places(case) for case in self.cases]
        self._lesions = counting_lesions(self.cases)
        self._told: dict[bool, HardPlaces] = {}
        self._presence, self._kept = presence_in(self.cases[0]), kept_in(self.cases[0])

    def tell(self, hits: HardPlaces, false: HardPlaces) -> None:
        """Take crops around these places from now on, in proportion to their weights."""
        self._told = {hit: places for hit, places in ((True, hits), (False, false)) if len(places)}

    def place(self, number: int) -> tuple[PreparedCase, tuple[int, int, int]]:
        """Return the case of crop ``number`` and the voxel at its middle."""
        random = np.random.default_rng(derive_seed(self.seed, "crop", number))
        owner, voxel = self._drawn(is_hit(number), random)
        reach = self.cropping.off
        moved = voxel + random.integers(-reach, reach, size=3, endpoint=True) * (np.arange(3) >= 3 - self.cropping.axes)
        z, y, x = (int(value) for value in moved)
        return self.cases[owner], (z, y, x)

    def batch(self, number: int) -> Samples:
        """Return mini-batch ``number`` (0, 1, ...)."""
        size = self.cropping.batch_size
        numbers = range(number * size, (number + 1) * size)
        stored = torch.from_numpy(np.stack([self._crop(one) for one in numbers])).to(self.device)
        generator = torch.Generator(self.device).manual_seed(derive_seed(self.seed, "augmentation", number))
        moved = augment(stored, self.augmentation, self.frame, generator, self._kept)
        targets = torch.tensor([int(is_hit(one)) for one in numbers], device=self.device)
        return Samples({"images": only_measured(moved, self._presence), "targets": targets})

    def iterate(self, start: int = 0, *, workers: int = 0, stride: int = 1) -> Iterator[Samples]:
        """Yield the mini-batches ``start``, ``start + stride``, ..., made ahead by so many ``workers``."""
        return iterated(self.batch, start, workers=workers, stride=stride)

    def _drawn(self, hit: bool, random: np.random.Generator) -> tuple[int, NDArray[np.int64]]:
        """Return the case and the voxel of a place."""
        told = self._told.get(hit)
        if told is not None:
            chosen = int(random.choice(len(told), p=told.chance))
            return int(told.owners[chosen]), told.voxels[chosen]
        if hit:
            owner, lesion = self._lesions[int(random.integers(len(self._lesions)))]
            voxels = self._places[owner].lesions[lesion.lesion]
        else:
            owner = int(random.integers(len(self.cases)))
            voxels = self._places[owner].mask
        return owner, voxels[int(random.integers(len(voxels)))]

    def _crop(self, number: int) -> Floats:
        case, middle = self.place(number)
        return flattened(cut(case, middle, self.cropping.edges(self.edge)), self.cropping.axes)


def is_hit(number: int) -> bool:
    """Whether crop ``number`` is a hit: every other one is."""
    return number % 2 == 0


def flattened(crop: Floats, axes: int) -> Floats:
    """Return a crop (c, z, y, x) without its axis z where it has one voxel there, being one of two axes."""
    return crop[:, 0] if axes == 2 else crop
