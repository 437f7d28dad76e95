"""Windows of prepared cases, cut where they are wanted while a network learns: nothing is cut beforehand.

The arrays of a case stay mapped from disk, so a window costs what its voxels cost. Window ``n`` of a training is a
function of the seed and of n alone. A share of the windows holds a lesion near its middle; lesions are drawn in
proportion to a power of their size. The others lie anywhere in the masks of the cases, or in part, once they are told,
on places that the network takes for lesions and that are none. Axes are (z, y, x), units are voxels.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage

from hakken.core.errors import HakkenError
from hakken.core.seeds import derive_seed
from hakken.imaging.prepared import Lesion, PreparedCase
from hakken.patches.ahead import iterated
from hakken.patches.augment import Augmentation, Frame, augment, limits, only_measured
from hakken.study import presence_of
from hakken.training.sources import Samples

Floats = NDArray[np.float32]
Voxels = NDArray[np.int64]
Voxel = tuple[int, int, int]

PLACES = 256
"""So many voxels of a lesion, and 16 times as many of a mask, are kept to put windows on."""
OFF_CENTRE = 1 / 3
"""How far from the middle of its window a lesion's voxel may lie, as a fraction of the edge."""


@dataclass(frozen=True)
class Drawing:
    """Which windows are drawn: edge in voxels, how many at once, how many hold a lesion, and which lesions.

    ``lesion_power`` is the power of a lesion's size with which it is drawn: 0 draws all alike, 1 by the voxel; where
    it is ``balanced``, lesions of each class are drawn equally often. Of the windows without a lesion ``region_share``
    lies on the ``region`` of this number, where the case has it; the others anywhere in the mask. Before that
    ``hard_share`` of them goes to the hard places that a source is told of (`WindowSource.tell`), once it is.
    """

    edge: int
    axes: int
    batch_size: int
    lesion_share: float = 0.5
    lesion_power: float = 0.5
    balanced: bool = False
    region: int = 0
    region_share: float = 0.0
    hard_share: float = 0.0


Targets = Callable[[PreparedCase, tuple[slice, ...]], Floats]
"""The target channels (t, *window) of a case in a window that lies within it."""


class Places:
    """The voxels of a case that windows are put on, looked up when they are first wanted."""

    def __init__(self, case: PreparedCase) -> None:
        self.case = case
        self._regions: dict[int, Voxels] = {}

    @cached_property
    def lesions(self) -> dict[int, Voxels]:
        """Some voxels (n, 3) of each lesion, by its number."""
        labels = self.case.labels()
        found = {}
        for lesion, box in enumerate(ndimage.find_objects(labels), start=1):
            if box is not None:
                voxels = np.argwhere(labels[box] == lesion) + [axis.start for axis in box]
                found[lesion] = _some(voxels, PLACES, f"{self.case.pixel_digest} {lesion}")
        return found

    @cached_property
    def mask(self) -> Voxels:
        """Some voxels (n, 3) of the mask; the middle of the image where the mask is empty."""
        shape = self.case.geometry.shape_zyx
        places = np.flatnonzero(self.case.mask())
        if not len(places):
            return np.array([[extent // 2 for extent in shape]], np.int64)
        return np.stack(np.unravel_index(_some(places, 16 * PLACES, self.case.pixel_digest), shape), 1)

    def region(self, number: int) -> Voxels:
        """Return some voxels (n, 3) of a region; of the mask where the case lacks it."""
        if number not in self._regions:
            places = np.flatnonzero(self.case.regions(mmap=True) == number)
            chosen = _some(places, 16 * PLACES, f"{self.case.pixel_digest} region {number}")
            self._regions[number] = np.stack(np.unravel_index(chosen, self.case.geometry.shape_zyx), 1)
        found = self._regions[number]
        return found if len(found) else self.mask


@dataclass(frozen=True, eq=False)
class HardPlaces:
    """Voxels that windows without a lesion are to be put on: ``voxels`` (n, 3), each drawn in proportion to its weight.

    ``owners`` (n,) are the places of their cases among those of a source, ``weights`` (n,) are positive.
    """

    owners: NDArray[np.int64]
    voxels: Voxels
    weights: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.owners)

    @cached_property
    def chance(self) -> NDArray[np.float64]:
        """How likely each is drawn."""
        return np.asarray(self.weights / self.weights.sum())


class WindowSource:
    """Mini-batches of augmented windows: ``images`` (b, c, p, ...) and ``targets`` (b, t, p, ...), float32.

    ``targets`` gives the target channels of a case. Beyond a case lie zeros. Raises HakkenError where no case has a
    lesion that counts.
    """

    def __init__(
        self,
        cases: Sequence[PreparedCase],
        targets: Targets,
        drawing: Drawing,
        *,
        spacing: Sequence[float],
        augmentation: Augmentation,
        seed: int,
        device: torch.device | str = "cpu",
    ) -> None:
        self.cases, self.targets, self.drawing = list(cases), targets, drawing
        self.seed, self.device, self.augmentation = seed, torch.device(device), augmentation
        self.frame = Frame(drawing.edge, 2 * drawing.edge + 1, tuple(spacing)[::-1][-drawing.axes :])
        self.edge = limits(augmentation, self.frame).edge if augmentation.strength else drawing.edge
        self._places = [Places(case) for case in self.cases]
        self._lesions = counting_lesions(self.cases)
        self._chance = self._chances()
        self._hard: HardPlaces | None = None
        self._presence, self._kept = presence_in(self.cases[0]), kept_in(self.cases[0])

    def tell(self, places: HardPlaces) -> None:
        """Put ``hard_share`` of the windows without a lesion on these places from now on; on none where there are none.

        Mini-batches that are asked for after that are a function of these places too.
        """
        self._hard = places if len(places) else None

    def batch(self, number: int) -> Samples:
        """Return mini-batch ``number`` (0, 1, ...)."""
        first = number * self.drawing.batch_size
        parts = [self._window(first + place) for place in range(self.drawing.batch_size)]
        stored = torch.from_numpy(np.stack(parts)).to(self.device)
        hidden = stored.shape[1] - len(self.cases[0].channels)
        kept = hidden + self._kept
        generator = torch.Generator(self.device).manual_seed(derive_seed(self.seed, "augmentation", number))
        moved = only_measured(augment(stored, self.augmentation, self.frame, generator, kept), self._presence)
        return Samples({"images": moved[:, :-hidden], "targets": moved[:, -hidden:]})

    def iterate(self, start: int = 0, *, workers: int = 0, stride: int = 1) -> Iterator[Samples]:
        """Yield the mini-batches ``start``, ``start + stride``, ..., made ahead by so many ``workers``."""
        return iterated(self.batch, start, workers=workers, stride=stride)

    def place(self, number: int) -> tuple[PreparedCase, Voxel]:
        """Return the case of window ``number`` and the voxel at its middle: within the case, as windows are at use."""
        case, middle = self._drawn(number)
        flat, edge = 3 - self.drawing.axes, self.drawing.edge
        shape = case.geometry.shape_zyx
        moved = [_within(at, size, edge) for at, size in zip(middle[flat:], shape[flat:], strict=True)]
        return case, _voxel((*middle[:flat], *moved))

    def _drawn(self, number: int) -> tuple[PreparedCase, Voxel]:
        """Return the case of window ``number`` and the voxel that it is put on, which may lie beyond the case."""
        random = np.random.default_rng(derive_seed(self.seed, "window", number))
        if not self._holds_lesion(number):
            if self._hard is not None and random.random() < self.drawing.hard_share:
                hard = self._hard
                chosen = int(random.choice(len(hard), p=hard.chance))
                return self.cases[hard.owners[chosen]], _voxel(hard.voxels[chosen] + self._offset(random))
            places = self._places[int(random.integers(len(self.cases)))]
            share = self.drawing.region_share
            inside = places.region(self.drawing.region) if share and random.random() < share else places.mask
            return places.case, _voxel(inside[int(random.integers(len(inside)))])
        owner, lesion = self._lesions[int(random.choice(len(self._lesions), p=self._chance))]
        places = self._places[owner]
        voxels, offset = places.lesions[lesion.lesion], self._offset(random)
        return places.case, _voxel(voxels[int(random.integers(len(voxels)))] + offset)

    def _offset(self, random: np.random.Generator) -> Voxels:
        """Return how far (z, y, x) the middle of a window lies from what it is to hold."""
        reach = int(self.drawing.edge * OFF_CENTRE)
        moved = random.integers(-reach, reach, size=3, endpoint=True)
        moved[: 3 - self.drawing.axes] = 0
        return moved

    def _holds_lesion(self, number: int) -> bool:
        """Whether window ``number`` is one of those that hold a lesion: they are spread evenly."""
        share = self.drawing.lesion_share
        return math.floor((number + 1) * share + 1e-9) > math.floor(number * share + 1e-9)

    def _window(self, number: int) -> Floats:
        """Return channels and targets (c + t, q, ...) of window ``number`` as they are stored."""
        case, middle = self.place(number)
        flat = self.drawing.axes == 2
        window = cut(case, middle, (1 if flat else self.edge, self.edge, self.edge), self.targets)
        return window[:, 0] if flat else window

    def _chances(self) -> NDArray[np.float64]:
        """Return how likely each lesion is drawn."""
        weight = np.array([lesion.size**self.drawing.lesion_power for _, lesion in self._lesions], float)
        if self.drawing.balanced:
            names = [lesion.lesion_class or "" for _, lesion in self._lesions]
            _, member = np.unique(np.array(names), return_inverse=True)
            weight /= np.bincount(member, weight)[member]
        return np.asarray(weight / weight.sum())


def counting_lesions(cases: Sequence[PreparedCase]) -> list[tuple[int, Lesion]]:
    """Return the lesions that count, each with the number of its case; raises HakkenError where there is none."""
    found = [
        (number, lesion) for number, case in enumerate(cases) for lesion in case.lesions if lesion.kind == "included"
    ]
    if not found:
        raise HakkenError("no training case has a lesion that counts, so there is nothing to learn")
    return found


def presence_in(case: PreparedCase) -> list[tuple[int, int]]:
    """Return the places of channels that a case may lack, and of those that say where they were measured."""
    return [(case.channels.index(name), case.channels.index(presence_of(name))) for name in case.optional]


def kept_in(case: PreparedCase) -> int:
    """Return how many of the last channels hold no intensities: where optional ones were measured, and scalars."""
    return len(case.optional) + len(case.scalars)


def cut(case: PreparedCase, middle: Voxel, edges: Voxel, targets: Targets | None = None) -> Floats:
    """Return the channels (c, *edges) of a case around a voxel, and behind them its ``targets``; zeros beyond the case.

    The voxel is the one at half of each edge, rounded down; it may lie beyond the case.
    """
    starts = [place - edge // 2 for place, edge in zip(middle, edges, strict=True)]
    spans = [
        (max(start, 0), max(min(start + edge, size), 0))
        for start, edge, size in zip(starts, edges, case.geometry.shape_zyx, strict=True)
    ]
    inside = tuple(slice(min(low, high), high) for low, high in spans)
    parts = np.asarray(case.image()[(slice(None), *inside)], np.float32)
    if targets is not None:
        parts = np.concatenate([parts, targets(case, inside)])
    window = np.zeros((len(parts), *edges), np.float32)
    place = tuple(slice(part.start - start, part.stop - start) for part, start in zip(inside, starts, strict=True))
    window[(slice(None), *place)] = parts
    return window


def label_targets(case: PreparedCase, window: tuple[slice, ...]) -> Floats:
    """Return two channels: 1 in lesions that count, and 1 in those that do not, which are neither right nor wrong."""
    labels = case.labels(mmap=True)[window] if case.has_truth else None
    if labels is None:
        return np.zeros((2, *(part.stop - part.start for part in window)), np.float32)
    excluded = [lesion.lesion for lesion in case.lesions if lesion.kind != "included"]
    ignored = np.isin(labels, excluded) if excluded else np.zeros(labels.shape, bool)
    return np.stack([(labels > 0) & ~ignored, ignored]).astype(np.float32)


def heat_targets(case: PreparedCase, window: tuple[slice, ...], *, least: float = 1.5, part: float = 1 / 3) -> Floats:
    """Return two channels: a Gaussian of height 1 about each lesion that counts, and 1 near those that do not.

    The Gaussian's standard deviation is ``part`` of the lesion's radius, at least ``least`` voxels; where several meet,
    the highest counts.
    """
    found = np.zeros((2, *(one.stop - one.start for one in window)), np.float32)
    for lesion in case.lesions:
        sigma, centre = _spread(case, lesion, least, part)
        squares = [
            ((np.arange(one.start, one.stop) - at) / width) ** 2
            for one, at, width in zip(window, centre, sigma, strict=True)
        ]
        far = squares[0][:, None, None] + squares[1][None, :, None] + squares[2][None, None, :]
        if lesion.kind == "included":
            np.maximum(found[0], np.exp(-far / 2), out=found[0])
        else:
            found[1][far < (1 / part) ** 2] = 1
    return found


def _spread(case: PreparedCase, lesion: Lesion, least: float, part: float) -> tuple[list[float], list[float]]:
    """Return the standard deviations of a lesion's heat and its centre, z, y, x in voxels."""
    spacing = case.geometry.spacing[::-1]
    sigma = [max(least, part * lesion.diameter / 2 / size) for size in spacing]
    return sigma, case.geometry.to_voxel(np.array([lesion.centre]))[0].tolist()


def _some(voxels: NDArray[np.integer[Any]], most: int, role: str) -> Voxels:
    """Return at most so many rows, drawn by what a case shows and not by its name."""
    if len(voxels) > most:
        random = np.random.default_rng(derive_seed(0, "places", role))
        voxels = voxels[np.sort(random.choice(len(voxels), most, replace=False))]
    return np.asarray(voxels, np.int64)


def _within(middle: int, size: int, edge: int) -> int:
    """Return the middle nearest to ``middle`` at which a window lies within ``size`` voxels, or over all of them.

    >>> [_within(middle, 10, 4) for middle in (-1, 3, 9)], _within(0, 3, 6)
    ([2, 3, 8], 2)
    """
    if size <= edge:
        return edge // 2 - (edge - size) // 2
    return min(max(middle, edge // 2), size - edge + edge // 2)


def _voxel(values: Iterable[int]) -> Voxel:
    z, y, x = (int(value) for value in values)
    return (z, y, x)
