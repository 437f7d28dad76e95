"""From shards to training batches.

Batch ``step`` is a pure function of the seed and the step: which patches it holds and how they are augmented. So a run
that was killed goes on at its step and needs no other state. Each kind of patch is gone through in shuffled passes,
every patch once before any comes again. The numbers of positives and of hard negatives follow the wanted ratio over the
steps so far, so that the ratio holds for any batch size. Where classes are told apart they take turns, each in passes
of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hakken.core.errors import HakkenError
from hakken.core.seeds import derive_seed
from hakken.core.tensors import arrange_images
from hakken.patches.ahead import iterated
from hakken.patches.augment import Augmentation, Frame, augment, limits, only_measured
from hakken.patches.passes import Numbers, Passes, Turns
from hakken.patches.sampling import Kind
from hakken.patches.shards import PatchStore

Move = Callable[[Tensor, Numbers], Tensor]
"""Stored patches (b, c, p, ...) and their numbers in the store (b,), to patches of the same shape."""


@dataclass(frozen=True)
class Batch:
    """A mini-batch: ``images`` (b, c, p, ...) float32; ``targets`` (b,) int64, 1 where a lesion is at the centre.

    Where classes are to be told apart, ``targets`` are their indices. ``maps`` (b, t, p, ...) float32 are the target
    channels, which moved as the images did. ``patches`` (b,) are the numbers of the patches in the store, ascending.
    """

    images: Tensor
    targets: Tensor
    patches: Numbers
    maps: Tensor | None = None

    def __len__(self) -> int:
        return len(self.targets)

    def split(self, parts: int) -> list[Batch]:
        """Return the batch in so many parts of nearly equal size, in its order; in fewer where it has not so many."""
        size = -(-len(self) // parts)
        return [
            Batch(
                self.images[start : start + size],
                self.targets[start : start + size],
                self.patches[start : start + size],
                None if self.maps is None else self.maps[start : start + size],
            )
            for start in range(0, len(self), size)
        ]

    def arranged(self, channels_last: bool) -> Batch:
        """Return the batch with its images in the order of memory that networks with such weights want."""
        return replace(self, images=arrange_images(self.images, channels_last)) if channels_last else self


@dataclass(frozen=True)
class Counts:
    """How many patches of each kind have been used before some step."""

    easy: int
    hard: int
    positive: int


class PatchLoader:
    """Batches of augmented patches of edge ``patch_size`` on ``device``.

    ``negative_ratio`` negatives come with a positive, ``hard_fraction`` of them hard ones (all of the kind there is,
    where the store lacks the other); an infinite ratio takes negatives alone. ``augmentation`` is a strength 0..1 or
    the amounts themselves. With ``classes`` a positive's target is the index of its class. Patches are those of
    ``cases`` alone, where some are named; ``move`` changes the stored patches before they are augmented. Raises
    HakkenError when the store has no positives or no negatives that are asked for, a positive's class is none of
    ``classes``, or the patches are smaller than ``patch_size``.
    """

    def __init__(
        self,
        store: PatchStore,
        *,
        batch_size: int,
        patch_size: int,
        negative_ratio: float,
        hard_fraction: float,
        augmentation: float | Augmentation,
        seed: int,
        device: torch.device | str = "cpu",
        classes: Sequence[str] = (),
        cases: Collection[str] | None = None,
        move: Move | None = None,
    ) -> None:
        self.store = store
        self.move = move
        self.batch_size = batch_size
        self.seed = seed
        self.device = torch.device(device)
        self.augmentation = Augmentation(augmentation) if isinstance(augmentation, int | float) else augmentation
        layout = store.layout
        if patch_size > layout.size_voxel:
            raise HakkenError(
                f"{store.folder}: patch_size {patch_size} is above patches.size_voxel {layout.size_voxel} of these "
                "patches; raise the latter and cut them again"
            )
        self.frame = Frame(patch_size, layout.edge, layout.spacing_mm[::-1][-layout.axes :])
        self.positive_fraction = 1 / (1 + negative_ratio)
        chosen = np.ones(len(store), bool) if cases is None else np.isin(store.cases, list(cases))
        self._of_kind = {kind: numbers[chosen[numbers]] for kind in Kind for numbers in [store.of_kind(kind)]}
        self.targets = self._targets(classes)
        self._passes: dict[Kind, Passes | Turns] = {
            kind: Passes(self._of_kind[kind], seed, kind.name.lower()) for kind in Kind
        }
        if classes:
            self._passes[Kind.POSITIVE] = self._by_class(len(classes))
        self.hard_fraction = self._available_hard_fraction(hard_fraction)

    def batch(self, step: int) -> Batch:
        """Return the batch of ``step`` (0, 1, ...); the same seed and step always give the same batch."""
        patches = self.choose(step)
        edge = None if self.move is not None else limits(self.augmentation, self.frame).edge
        images = self._to_device(self.store.read(patches, edge))
        if self.move is not None:
            images = self.move(images, patches)
        targets = torch.from_numpy(self.targets[patches])
        generator = torch.Generator(self.device).manual_seed(derive_seed(self.seed, "augmentation", step))
        hidden, presence = self.store.layout.targets, self.store.layout.presence
        kept = hidden + len(presence) + self.store.layout.scalars
        augmented = only_measured(augment(images, self.augmentation, self.frame, generator, kept), presence)
        seen = augmented.shape[1] - hidden
        maps = augmented[:, seen:] if hidden else None
        return Batch(augmented[:, :seen], targets.to(self.device, non_blocking=True), patches, maps)

    def choose(self, step: int) -> Numbers:
        """Return the numbers of the patches (b,) of ``step``, ascending, so that they are read in the order on disk."""
        before, after = self._used(step), self._used(step + 1)
        parts = [
            self._passes[Kind.EASY].take(before.easy, after.easy),
            self._passes[Kind.HARD].take(before.hard, after.hard),
            self._passes[Kind.POSITIVE].take(before.positive, after.positive),
        ]
        return np.sort(np.concatenate(parts))

    def iterate(self, start: int = 0, *, workers: int = 0, stride: int = 1) -> Iterator[Batch]:
        """Yield the batch of step ``start`` and every ``stride``-th after it, made ahead by so many ``workers``."""
        return iterated(self.batch, start, workers=workers, stride=stride)

    def _used(self, step: int) -> Counts:
        """Return how many patches of each kind the steps before ``step`` hold."""
        total = step * self.batch_size
        positive = int(total * self.positive_fraction + 1e-9)
        hard = int((total - positive) * self.hard_fraction + 1e-9)
        return Counts(total - positive - hard, hard, positive)

    def _available_hard_fraction(self, wanted: float) -> float:
        easy, hard, positive = (len(self._passes[kind]) for kind in Kind)
        lonely = positive == 0 and self.positive_fraction > 0
        if lonely or (easy + hard == 0 and self.positive_fraction < 1):
            lacking = "positive" if lonely else "negative"
            raise HakkenError(f"{self.store.folder}: holds no {lacking} patches; see `patches` in the study")
        if hard == 0:
            return 0.0
        return wanted if easy else 1.0

    def _targets(self, classes: Sequence[str]) -> NDArray[np.int64]:
        """Return the target (n,) of each patch of the store."""
        if not classes:
            return np.asarray(self.store.kinds == Kind.POSITIVE, np.int64)
        number = {name: index for index, name in enumerate(classes)}
        unknown = sorted(set(self.store.classes[self._of_kind[Kind.POSITIVE]].tolist()) - set(number))
        if unknown:
            raise HakkenError(
                f"{self.store.folder}: a lesion has the class `{unknown[0]}`; cohort.classes of the study names "
                f"{', '.join(classes)}"
            )
        return np.array([number.get(name, 0) for name in self.store.classes.tolist()], np.int64)

    def _by_class(self, classes: int) -> Turns:
        """Return the positives such that each class comes equally often, however frequent it is."""
        positives = self._of_kind[Kind.POSITIVE]
        groups = [positives[self.targets[positives] == number] for number in range(classes)]
        return Turns([Passes(group, self.seed, f"class {n}") for n, group in enumerate(groups) if len(group)])

    def _to_device(self, patches: NDArray[np.float16]) -> Tensor:
        """Return patches as float32 on the device; they travel as float16, from pinned memory to a GPU."""
        images = torch.from_numpy(patches)
        if self.device.type == "cuda":
            images = images.pin_memory().to(self.device, non_blocking=True)
        return images.float()
