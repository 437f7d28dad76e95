"""From shards to training batches.

Batch ``step`` is a pure function of the seed and the step: which patches it holds and how they are augmented. So a run
that was killed goes on at its step and needs no other state. Each kind of patch is gone through in shuffled passes,
every patch once before any comes again. The numbers of positives and of hard negatives follow the wanted ratio over the
steps so far, so that the ratio holds for any batch size. Where classes are told apart they take turns, each in passes
of its own.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hakken.errors import HakkenError
from hakken.patches.augment import Augmentation, Frame, augment, limits
from hakken.patches.sampling import Kind
from hakken.patches.shards import PatchStore
from hakken.seeds import derive_seed

Numbers = NDArray[np.intp]


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
    the amounts themselves. With ``classes`` a positive's target is the index of its class. Raises HakkenError when the
    store has no positives or no negatives that are asked for, a positive's class is none of ``classes``, or the patches
    are smaller than ``patch_size``.
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
    ) -> None:
        self.store = store
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
        self.targets = self._targets(classes)
        self._passes: dict[Kind, _Passes | _Turns] = {
            kind: _Passes(store.of_kind(kind), seed, kind.name.lower()) for kind in Kind
        }
        if classes:
            self._passes[Kind.POSITIVE] = self._by_class(len(classes))
        self.hard_fraction = self._available_hard_fraction(hard_fraction)

    def batch(self, step: int) -> Batch:
        """Return the batch of ``step`` (0, 1, ...); the same seed and step always give the same batch."""
        patches = self.choose(step)
        images = self._to_device(self.store.read(patches, limits(self.augmentation, self.frame).edge))
        targets = torch.from_numpy(self.targets[patches])
        generator = torch.Generator(self.device).manual_seed(derive_seed(self.seed, "augmentation", step))
        hidden = self.store.layout.targets
        augmented = augment(images, self.augmentation, self.frame, generator, hidden)
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

    def iterate(self, start_step: int = 0, prefetch: bool = True, stride: int = 1) -> Iterator[Batch]:
        """Yield the batch of ``start_step`` and every ``stride``-th after it, without end.

        With ``prefetch`` a thread makes the next one while this one is used.
        """
        if not prefetch:
            step = start_step
            while True:
                yield self.batch(step)
                step += stride
        with ThreadPoolExecutor(max_workers=1, thread_name_prefix="patches") as pool:
            step = start_step
            coming = pool.submit(self.batch, step)
            while True:
                step += stride
                ready, coming = coming.result(), pool.submit(self.batch, step)
                yield ready

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
        positive = self.store.kinds == Kind.POSITIVE
        if not classes:
            return np.asarray(positive, np.int64)
        number = {name: index for index, name in enumerate(classes)}
        unknown = sorted(set(self.store.classes[positive].tolist()) - set(number))
        if unknown:
            raise HakkenError(
                f"{self.store.folder}: a lesion has the class `{unknown[0]}`; cohort.classes of the study names "
                f"{', '.join(classes)}"
            )
        return np.array([number.get(name, 0) for name in self.store.classes.tolist()], np.int64)

    def _by_class(self, classes: int) -> _Turns:
        """Return the positives such that each class comes equally often, however frequent it is."""
        positives = self.store.of_kind(Kind.POSITIVE)
        groups = [positives[self.targets[positives] == number] for number in range(classes)]
        return _Turns([_Passes(group, self.seed, f"class {n}") for n, group in enumerate(groups) if len(group)])

    def _to_device(self, patches: NDArray[np.float16]) -> Tensor:
        """Return patches as float32 on the device; they travel as float16, from pinned memory to a GPU."""
        images = torch.from_numpy(patches)
        if self.device.type == "cuda":
            images = images.pin_memory().to(self.device, non_blocking=True)
        return images.float()


class _Turns:
    """An endless sequence of patch numbers in which several sequences take turns."""

    def __init__(self, sequences: Sequence[_Passes]) -> None:
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


class _Passes:
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
