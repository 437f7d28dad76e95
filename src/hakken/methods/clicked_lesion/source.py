"""Mini-batches of volumes of interest around clicks on the lesions of the training cases.

Volume ``n`` of a training is a function of the seed and of n alone. Kinds of lesions, as the column says by which kinds
are left out, are drawn equally often, and the lesions of a kind as well.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from hakken.core.errors import HakkenError
from hakken.core.seeds import derive_seed
from hakken.imaging.prepared import PreparedCase
from hakken.inference.clicks import Click, VolumeOfInterest, between, exact_clicks
from hakken.methods.clicked_lesion import Parameters
from hakken.methods.clicked_lesion.changes import drawn_amounts, inverted, sharpened
from hakken.patches.ahead import iterated
from hakken.patches.augment import Augmentation, Frame, augment, limits
from hakken.training.sources import Samples

AMOUNTS = {
    "rotation_degrees": 30.0,
    "scale": 0.25,
    "gain": 0.35,
    "shift": 0.15,
    "gamma": 0.4,
    "noise": 0.15,
    "blur_voxel": 1.4,
}
"""How far volumes may change at full strength; intensities are in units of the range 0 to 1."""
HIDDEN = 2
"""Channels behind those of the image: the lesion, and other lesions, which are neither right nor wrong."""


@dataclass(frozen=True)
class Place:
    """A lesion of a case, and the click on its centre."""

    case: PreparedCase
    lesion: int
    click: Click


class ClickSource:
    """Mini-batches of ``images`` (b, c, n, n, n) and ``targets`` (b, 2, n, n, n), float32.

    ``kinds`` says of which kind each case is, ``channels`` which of its channels are seen. Raises HakkenError where no
    case has a lesion that counts.
    """

    def __init__(
        self,
        cases: Sequence[PreparedCase],
        kinds: Sequence[str],
        channels: Sequence[int],
        parameters: Parameters,
        *,
        seed: int,
        device: torch.device | str = "cpu",
    ) -> None:
        self.parameters, self.channels, self.seed = parameters, list(channels), seed
        self.device = torch.device(device)
        self.places: dict[str, list[Place]] = {}
        for case, kind in zip(cases, kinds, strict=True):
            found = [Place(case, lesion, click) for lesion, click in exact_clicks(case).items()]
            self.places.setdefault(kind, []).extend(found)
        self.kinds = sorted(kind for kind, places in self.places.items() if places)
        if not self.kinds:
            raise HakkenError("no training case has a lesion that counts, so there is nothing to learn")
        self.augmentation = Augmentation(parameters.augmentation, **AMOUNTS)
        self.frame = Frame(parameters.voxels, 2 * parameters.voxels + 1, (1.0, 1.0, 1.0))
        self.edge = limits(self.augmentation, self.frame).edge if parameters.augmentation else parameters.voxels

    def batch(self, number: int) -> Samples:
        """Return mini-batch ``number`` (0, 1, ...)."""
        size = self.parameters.batch_size
        stored = torch.from_numpy(np.stack([self._stored(number * size + place) for place in range(size)]))
        draw = torch.Generator().manual_seed(derive_seed(self.seed, "changes", number))
        images, hidden = stored[:, :-HIDDEN], stored[:, -HIDDEN:]
        images = inverted(images, torch.rand(size, generator=draw) < self.parameters.inversion)
        images = sharpened(images, drawn_amounts(size, self.parameters.augmentation, draw))
        moved = augment(torch.cat([images, hidden], 1), self.augmentation, self.frame, draw, HIDDEN).to(self.device)
        return Samples({"images": moved[:, :-HIDDEN], "targets": moved[:, -HIDDEN:]})

    def iterate(self, start: int = 0, *, workers: int = 0, stride: int = 1) -> Iterator[Samples]:
        """Yield the mini-batches ``start``, ``start + stride``, ..., made ahead by so many ``workers``."""
        return iterated(self.batch, start, workers=workers, stride=stride)

    def place(self, number: int) -> tuple[Place, Click]:
        """Return the lesion of volume ``number`` and where it is clicked on."""
        random = np.random.default_rng(derive_seed(self.seed, "lesion", number))
        own = self.places[self.kinds[int(random.integers(len(self.kinds)))]]
        chosen = own[int(random.integers(len(own)))]
        return chosen, chosen.click.moved(self.parameters.jitter, random)

    def _stored(self, number: int) -> NDArray[np.float32]:
        """Return channels and targets (c + 2, q, q, q) of volume ``number``, with the margin that changes need."""
        chosen, click = self.place(number)
        case, labels = chosen.case, chosen.case.labels(mmap=True)
        voxels = self.parameters.voxels
        wide = VolumeOfInterest.around(click, self.parameters.edge, voxels, case.geometry).wider(self.edge)
        image, first = case.image(), self.edge // 2 - voxels // 2
        seen = (slice(first, first + voxels),) * 3
        cut = [wide.cut(image[channel]) for channel in self.channels]
        parts = [between(values, values[seen]) for values in cut]
        box = labels[wide.box]
        own = wide.cut_flags(box == chosen.lesion)
        alone = len(case.lesions) == 1
        others = np.zeros_like(own) if alone else wide.cut_flags((box > 0) & (box != chosen.lesion))
        return np.stack([*parts, own, others])
