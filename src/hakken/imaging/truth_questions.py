"""What is asked about a truth that can be read: lesions of numbers, sizes and places that cannot be, or hardly.

A question has a name. What is surely wrong stops; the others are printed and kept. A study that has looked into one
names it under `cohort.accept`, and it is not asked again.

| name | what is odd | stops |
| --- | --- | --- |
| `far_pieces` | one label in pieces that lie far apart | where it is the only label of its mask |
| `grey_rims` | labels that mostly touch others, or white (255) and a few others, as grey levels of an edge | yes |
| `inverted` | nearly all of the image is lesion, its corners among it | yes |
| `large_lesions` | a lesion that fills more than half of the image | no |
| `many_lesions` | more lesions than a reader marks | no |
| `outside_content` | lesions where the image is an even background | where all are there, and ten voxels |
| `specks` | single voxels among real lesions | no |
| `twice` | two rows of a table with one place and one size | no |
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from hakken.core.names import counted
from hakken.core.volume import Geometry, Volume
from hakken.imaging.lesions import Labels, key_of
from hakken.imaging.prepared import Lesion
from hakken.study.cohort import Question

MANY = 500
"""A patient with multiple sclerosis may have two hundred lesions."""
LARGE, NEARLY_ALL = 0.5, 0.95
SPECKS, REAL = 3, 10  # so many specks are worth a word; a real lesion has so many voxels
WHITE = 255  # of a picture of 8 bits; 16 bits do not fit into labels
RIM = 0.5  # of the voxels of lower labels that touch another label
SHOWN = 3
PIECE, LOOKED_AT = 4, 100  # voxels of a piece that counts; pieces of a label, the widest first
EVERYWHERE = np.ones((3, 3, 3), bool)


@dataclass(frozen=True)
class Asked:
    """A question by its name: what is odd, what to do about it, and whether nothing may go on with it."""

    name: Question
    reason: str
    remedy: str
    stops: bool = False


def asked(labels: Labels, lesions: tuple[Lesion, ...], reference: Volume, instances: bool) -> Iterator[Asked]:
    """Yield the questions about the labels (z, y, x) of a case whose reference channel lies on the same grid.

    ``lesions`` are measured on them; ``instances`` says that the labels are the mask's own.
    """
    if not lesions:
        return
    (box,) = ndimage.find_objects((labels > 0).astype(np.uint8))
    near = labels[box]  # a volume is large, its lesions are few
    grey = list(_grey_rims(near)) if instances else []
    yield from grey
    if grey:
        return  # its other oddities come from this one
    if instances:
        yield from _far_pieces(near, reference.geometry)
    yield from _extents(labels, lesions, reference)
    yield from _counts(near, lesions, reference.geometry)
    yield from _places(near, lesions, np.asarray(reference.array), box)


def asked_of_table(lesions: tuple[Lesion, ...]) -> Iterator[Asked]:
    """Yield the questions about the lesions of a table."""
    yield from _many(lesions)
    first: dict[tuple[float, ...], int] = {}
    twice = [
        (before, lesion.lesion)
        for lesion in lesions
        if (before := first.setdefault((*lesion.centre, lesion.diameter), lesion.lesion)) != lesion.lesion
    ]
    if twice:
        shown = _some([f"{one} and {other}" for one, other in twice])
        yield Asked("twice", f"lesions {shown} have one place and one size", "remove one of the rows")


def _grey_rims(labels: Labels) -> Iterator[Asked]:
    """Ask where most voxels of the lower labels touch a voxel of another label, and where one is white among few."""
    values = np.unique(labels[labels > 0])
    if len(values) > 2 and _touch(labels, int(values[-1])):
        yield _grey(values, "that mostly touch one another, as the grey levels of a smoothed edge do")
    elif values[-1] == WHITE and 1 < len(values) < WHITE // 2:
        yield _grey(values, f"up to white ({WHITE}), which are levels of grey rather than numbers of lesions")


def _touch(labels: Labels, most: int) -> bool:
    """Whether most voxels of the labels below ``most`` touch a voxel of another label."""
    lower = (labels > 0) & (labels < most)
    highest = ndimage.maximum_filter(labels, size=3)
    lowest = ndimage.minimum_filter(np.where(labels > 0, labels, np.iinfo(labels.dtype).max), size=3)
    touching = lower & ((highest != labels) | (lowest != labels))
    return bool(np.count_nonzero(touching) >= RIM * np.count_nonzero(lower))


def _grey(values: NDArray[Any], why: str) -> Asked:
    return Asked(
        "grey_rims",
        f"{len(values)} labels ({_some(values.tolist())}) {why}",
        "write 0 and n for lesion n without smoothing, or give the study `cohort: {labels: binary, mask_threshold: "
        f"{_half(int(values[-1]))}}}`",
        stops=True,
    )


def _half(highest: int) -> str:
    return "128" if highest > 127 else f"{highest / 2:g}"


def _far_pieces(labels: Labels, geometry: Geometry) -> Iterator[Asked]:
    """Ask where pieces of one label lie far apart; where a mask has no other, any pieces that are plainly two."""
    numbers: list[int] = []
    alone = len(np.unique(labels[labels > 0])) == 1
    gap = 0.0
    for number, box in enumerate(ndimage.find_objects(labels), start=1):
        apart = 0.0 if box is None else _apart(labels[box] == number, np.array(geometry.spacing[::-1]), alone)
        if apart:
            numbers.append(number)
            gap = max(gap, apart)
    if not numbers:
        return
    what = f"label {numbers[0]} has" if len(numbers) == 1 else f"labels {_some(numbers)} have"
    more = " (the mask holds one label alone)" if alone else ", or give each a number of its own"
    yield Asked(
        "far_pieces",
        f"{what} several pieces up to {gap:.3g} {geometry.unit} apart, which count as one lesion whose centre lies "
        "between them",
        f"set `cohort.labels: binary` if each piece is a lesion{more}",
        stops=alone,
    )


def _apart(lesion: NDArray[np.bool_], spacing: NDArray[np.float64], alone: bool) -> float:
    """Return how far apart the pieces of a lesion (z, y, x) are, if that is far; else 0.

    Far is more than the wider of two pieces; of a label that is ``alone`` more than half of the narrower one and than
    two voxels. Pieces of a few voxels do not count.
    """
    pieces, count = ndimage.label(lesion, EVERYWHERE)
    if count < 2:
        return 0.0
    enough = np.flatnonzero(np.bincount(pieces.ravel())[1:] >= PIECE)
    boxes = [box for number, box in enumerate(ndimage.find_objects(pieces)) if box is not None and number in enough]
    low = np.array([[side.start for side in box] for box in boxes]).reshape(-1, 3) * spacing
    high = np.array([[side.stop - 1 for side in box] for box in boxes]).reshape(-1, 3) * spacing
    width = (high - low + spacing).max(axis=1, initial=0)
    most = 0.0
    for one, other in combinations(np.argsort(-width)[:LOOKED_AT].tolist(), 2):
        between = np.maximum(np.maximum(low[one] - high[other], low[other] - high[one]), 0)
        gap = float(np.linalg.norm(between))
        least = max(width[other] / 2, 2 * spacing.max()) if alone else width[one]
        most = max(most, gap) if gap > least else most
    return most


def _extents(labels: Labels, lesions: tuple[Lesion, ...], reference: Volume) -> Iterator[Asked]:
    """Ask where most of the image is lesion."""
    share = np.count_nonzero(labels) / labels.size
    corners = labels[np.ix_(*[sorted({0, size - 1}) for size in labels.shape])]
    if share > NEARLY_ALL or (share > LARGE and corners.all()):
        yield Asked(
            "inverted",
            f"{share:.0%} of the image is lesion{', its corners too' if corners.all() else ''}: black and white may "
            "have changed places",
            "write 0 for background and 1 for lesion",
            stops=True,
        )
        return
    largest = max(lesions, key=lambda lesion: lesion.size)
    part = largest.size / (labels.size * reference.geometry.voxel_size)
    if part > LARGE:
        unit = reference.geometry.unit
        yield Asked(
            "large_lesions",
            f"lesion {largest.lesion} fills {part:.0%} of the image ({largest.diameter:.4g} {unit} across)",
            "look whether the mask is that of the lesions",
        )


def _counts(labels: Labels, lesions: tuple[Lesion, ...], grid: Geometry) -> Iterator[Asked]:
    """Ask about very many lesions, and about single voxels among real ones."""
    yield from _many(lesions)
    sizes = np.bincount(labels.ravel())[1:]
    counting = [lesion.lesion for lesion in lesions if lesion.kind == "included"]
    voxels = np.array([sizes[number - 1] for number in counting], np.int64)
    specks = int(np.count_nonzero(voxels == 1))
    if specks >= SPECKS and voxels.max(initial=0) >= REAL:
        yield Asked(
            "specks",
            f"{specks} of {counted(len(counting), 'lesion')} are single {'pixels' if grid.is_flat else 'voxels'}",
            f"remove them, or leave them out by a least size (`cohort.minimum_lesion_{key_of(grid)}`)",
        )


def _many(lesions: tuple[Lesion, ...]) -> Iterator[Asked]:
    """Ask about more lesions than a reader marks."""
    if len(lesions) > MANY:
        remedy = "look whether noise or an edge became lesions"
        yield Asked("many_lesions", f"{len(lesions)} lesions in one case", remedy)


def _places(
    labels: Labels, lesions: tuple[Lesion, ...], image: NDArray[Any], box: tuple[slice, ...]
) -> Iterator[Asked]:
    """Ask about lesions where the image is as even as its background: they may be those of another image."""
    background = image.min()
    numbers = [lesion.lesion for lesion in lesions]
    highest = np.asarray(ndimage.maximum(image[box], labels, numbers))
    empty = [number for number, value in zip(numbers, highest.tolist(), strict=True) if value == background]
    if empty and background < image.max():
        every = len(empty) == len(numbers)
        which = "every lesion" if every and len(numbers) > 1 else f"lesion {_some(empty)}"
        yield Asked(
            "outside_content",
            f"{which} lies where the image holds nothing but {float(background):g}, its lowest value",
            "look whether mask and image belong together",
            stops=every and int(np.count_nonzero(labels)) >= REAL,
        )


def _some(numbers: list[Any]) -> str:
    more = f" and {len(numbers) - SHOWN} more" if len(numbers) > SHOWN else ""
    return ", ".join(str(number) for number in numbers[:SHOWN]) + more
