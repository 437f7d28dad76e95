"""Windows of cases for a flow: drawn while it learns, on a lattice at use. Axes are (z, y, x), units are voxels."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from hakken.imaging.prepared import PreparedCase
from hakken.methods.glow import Parameters
from hakken.training.sources import CaseSource, Samples

TRIES = 8
"""So many windows are drawn for one that is to lie inside the mask; the one that does most is taken."""

Box = tuple[slice, ...]


@dataclass(frozen=True)
class Shape:
    """A window of ``edge`` voxels along its ``axes``, of which the share ``least_inside`` is to lie in the mask."""

    edge: int
    axes: int
    least_inside: float = 0.0

    @classmethod
    def of(cls, parameters: Parameters) -> Shape:
        """Return the shape that parameters say."""
        return cls(parameters.patch_size, parameters.axes, parameters.least_inside)

    @property
    def window(self) -> tuple[int, int, int]:
        """Its edges (z, y, x)."""
        return (1 if self.axes == 2 else self.edge, self.edge, self.edge)

    def lattice(self, inside: NDArray[np.bool_], overlap: float) -> list[Box]:
        """Return boxes that cover an image, those of which enough lies ``inside`` (z, y, x).

        Where there is none, the one of which most does. A box may end beyond an image that is smaller than a window.
        """
        starts = [
            _starts(extent, edge, overlap if edge > 1 else 0.0)
            for extent, edge in zip(inside.shape, self.window, strict=True)
        ]
        boxes = [self._box(place) for place in itertools.product(*starts)]
        shares = [float(inside[box].mean()) for box in boxes]
        chosen = [box for box, share in zip(boxes, shares, strict=True) if share >= self.least_inside - 1e-9]
        return chosen or [boxes[int(np.argmax(shares))]]

    def drawn(self, inside: NDArray[np.bool_] | None, shape: Sequence[int], random: torch.Generator) -> Box:
        """Return a box anywhere in an image of ``shape``, of which enough lies ``inside`` where that is given."""
        free = [max(extent - edge, 0) for extent, edge in zip(shape, self.window, strict=True)]
        boxes, shares = [], []
        for _ in range(1 if inside is None else TRIES):
            place = [int(torch.randint(room + 1, (), generator=random)) for room in free]
            boxes.append(self._box(place))
            shares.append(1.0 if inside is None else float(inside[boxes[-1]].mean()))
            if shares[-1] >= self.least_inside:
                break
        return boxes[int(np.argmax(shares))]

    def cut(self, image: NDArray[Any], box: Box) -> torch.Tensor:
        """Return a window (c, y, x) or (c, z, y, x) of an image (c, z, y, x), float32; beyond the image lies 0."""
        part = torch.from_numpy(np.array(image[(slice(None), *box)], np.float32))
        missing = [edge - extent for edge, extent in zip(self.window, part.shape[1:], strict=True)]
        padded = torch.nn.functional.pad(part, [end for size in reversed(missing) for end in (0, size)])
        return padded[:, 0] if self.axes == 2 else padded

    def _box(self, place: Sequence[int]) -> Box:
        return tuple(slice(start, start + edge) for start, edge in zip(place, self.window, strict=True))


class FlowSource(CaseSource[PreparedCase]):
    """Mini-batches of windows: ``images`` (b, c, ...) in [0, 1] and ``bits`` (b, 1, ...), how many these then have.

    Each case comes equally often.
    """

    def __init__(
        self, cases: Sequence[PreparedCase], parameters: Parameters, seed: int, device: torch.device | str = "cpu"
    ) -> None:
        super().__init__(cases, self._window, batch_size=parameters.batch_size, seed=seed, device=device)
        self.parameters, self.shape = parameters, Shape.of(parameters)

    def batch(self, number: int) -> Samples:
        """Return mini-batch ``number`` (0, 1, ...)."""
        samples = super().batch(number)
        bits = torch.full((len(samples), 1, *[1] * self.shape.axes), bits_at(number, self.parameters))
        return Samples({**samples.tensors, "bits": bits.to(self.device)})

    def _window(self, case: PreparedCase, random: torch.Generator) -> dict[str, torch.Tensor]:
        inside = case.mask(mmap=True) > 0 if self.shape.least_inside else None
        window = self.shape.cut(case.image(), self.shape.drawn(inside, case.geometry.shape_zyx, random))
        if self.parameters.mirrored and float(torch.rand((), generator=random)) < 0.5:
            window = window.flip(-1)
        return {"images": window}


def bits_at(number: int, parameters: Parameters) -> int:
    """Return how many bits the grey levels of mini-batch ``number`` (0, 1, ...) have.

    >>> [bits_at(number, Parameters(bits=5, first_bits=3, bits_every=10)) for number in (0, 9, 10, 25, 99)]
    [3, 3, 4, 5, 5]
    """
    if not parameters.first_bits:
        return parameters.bits
    return min(parameters.first_bits + number // parameters.bits_every, parameters.bits)


def _starts(extent: int, edge: int, overlap: float) -> list[int]:
    """Return where windows begin along an axis: evenly, the first and the last at its ends."""
    room = max(extent - edge, 0)
    count = math.ceil(room / max(edge * (1 - overlap), 1)) + 1
    return sorted({round(place) for place in np.linspace(0, room, count)})
