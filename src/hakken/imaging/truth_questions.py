"""What is asked about a truth that can be read: lesions of numbers, sizes and places that cannot be, or hardly.

A question has a name. What is surely wrong stops; the others are printed and kept. A study that has looked into one
names it under `cohort.accept`, and it is not asked again.

| name | what is odd | stops |
| --- | --- | --- |
| `burnt_in` | a lesion where the image has one value, found nowhere else: the truth was drawn into it | no |
| `enclosed` | a label that lies inside another one, as a tumour in its organ | no |
| `far_pieces` | one label in pieces that lie far apart | where it is the only label of its mask |
| `grey_rims` | labels that mostly touch others, or white (255) and a few others, as grey levels of an edge | yes |
| `ignore_label` | 255 among few other labels, which often stands for what is not known | yes |
| `inverted` | nearly all of the image is lesion, its corners among it | yes |
| `large_lesions` | a lesion that fills more than half of the image, or a whole slice of a volume | no |
| `many_lesions` | more lesions than a reader marks | no |
| `outlines` | a lesion of which little but the outline is marked | no |
| `outside_content` | lesions where the image is background | where it is even, all are there, and ten voxels |
| `specks` | single voxels among real lesions | no |

Those about tables of lesions stand in `hakken.imaging.table_questions`.
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
IGNORED, FEW = 255, 20  # the label, and so many others at most
ENCLOSED = 0.8  # of the voxels around a label are of another one
OUTLINE = 1.5  # times as many voxels has a lesion once it is filled
WHOLE_SLICE = MOSTLY = 0.95
SAMPLED = 200_000  # voxels that the background is told from
EVEN, NOISE, AWAY = 0.8, 4.0, 20.0
"""So much of the border is background, within so many deviations of its noise; tissue is so many brighter."""
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
    surely = [*(_grey_rims(near) if instances else ()), *_inverted(labels)]
    if surely:
        yield from surely
        return  # its other oddities come from this one
    if instances:
        yield from _far_pieces(near, reference.geometry)
        yield from _ignored(near)
        yield from _enclosed(near)
    yield from _extents(labels, lesions, reference)
    yield from _counts(near, lesions, reference.geometry)
    yield from _outlines(near)
    yield from places(near, lesions, np.asarray(reference.array), box)


def _grey_rims(labels: Labels) -> Iterator[Asked]:
    """Ask where most voxels of the lower labels touch a voxel of another label, and of pictures where one is white."""
    values = np.unique(labels[labels > 0])
    if len(values) > 2 and _touch(labels, int(values[-1])):
        yield _grey(values, "that mostly touch one another, as the grey levels of a smoothed edge do")
    elif labels.shape[0] == 1 and values[-1] == WHITE and 1 < len(values) < WHITE // 2:
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
        f"{len(values)} labels ({some(values.tolist())}) {why}",
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
    what = f"label {numbers[0]} has" if len(numbers) == 1 else f"labels {some(numbers)} have"
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


def _ignored(labels: Labels) -> Iterator[Asked]:
    """Ask about the label 255 beside few others that are much smaller."""
    values = np.unique(labels[labels > 0])
    if 2 <= len(values) <= FEW and values[-1] == IGNORED and values[-2] < IGNORED / 2:
        yield Asked(
            "ignore_label",
            f"label {IGNORED} beside {counted(len(values) - 1, 'other label')} up to {values[-2]}: it often stands for "
            "what is to be ignored",
            f"write 0 where there is no lesion, and another number if {IGNORED} is one",
            stops=True,
        )


def _enclosed(labels: Labels) -> Iterator[Asked]:
    """Ask where most of what surrounds a label is of another one."""
    for number, box in list(_boxes(labels))[:LOOKED_AT]:
        part = np.pad(labels[box], 1)
        own = part == number
        ring = part[ndimage.binary_dilation(own) & ~own]
        other, count = np.unique(ring[ring > 0], return_counts=True)
        if len(other) and count.max() >= ENCLOSED * ring.size:
            yield Asked(
                "enclosed",
                f"label {number} lies inside label {other[count.argmax()]}, as a tumour in its organ or a part in its "
                "lesion does, and both count as lesions",
                "write one number for each lesion, and 0 for what is none",
            )
            return


def _outlines(labels: Labels) -> Iterator[Asked]:
    """Ask about lesions that hold much more once their cavities, in space and in each slice, are filled."""
    found = []
    for number, box in list(_boxes(labels))[:LOOKED_AT]:
        lesion = labels[box] == number
        slices = np.stack([ndimage.binary_fill_holes(plane) for plane in lesion])
        whole = np.count_nonzero(ndimage.binary_fill_holes(slices))
        if np.count_nonzero(lesion) >= REAL and whole >= OUTLINE * np.count_nonzero(lesion):
            found.append(number)
    if found:
        yield Asked(
            "outlines",
            f"of lesion {some(found)} little but the outline is marked",
            "fill it, if all that lies within belongs to the lesion",
        )


def _boxes(labels: Labels) -> Iterator[tuple[int, tuple[slice, ...]]]:
    """Yield each label with its box."""
    for number, box in enumerate(ndimage.find_objects(labels), start=1):
        if box is not None:
            yield number, box


def _inverted(labels: Labels) -> Iterator[Asked]:
    """Ask where nearly all of the image is lesion, or most of it with its corners."""
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


def _extents(labels: Labels, lesions: tuple[Lesion, ...], reference: Volume) -> Iterator[Asked]:
    """Ask about a lesion that fills more than half of the image, or a whole slice."""
    largest = max(lesions, key=lambda lesion: lesion.size)
    part = largest.size / (labels.size * reference.geometry.voxel_size)
    if part > LARGE:
        unit = reference.geometry.unit
        yield Asked(
            "large_lesions",
            f"lesion {largest.lesion} fills {part:.0%} of the image ({largest.diameter:.4g} {unit} across)",
            "look whether the mask is that of the lesions",
        )
    elif not reference.is_flat and (slices := _whole_slices(labels)):
        yield Asked(
            "large_lesions",
            f"all of slice {some(slices)} is lesion",
            "look whether the mask is that of the lesions",
        )


def _whole_slices(labels: Labels) -> list[int]:
    """Return the slices, from 0, that are marked from edge to edge."""
    shares = np.count_nonzero(labels, axis=(1, 2)) / labels[0].size
    return np.flatnonzero(shares >= WHOLE_SLICE).tolist()


def _counts(labels: Labels, lesions: tuple[Lesion, ...], grid: Geometry) -> Iterator[Asked]:
    """Ask about very many lesions, and about single voxels among real ones."""
    yield from many(lesions)
    sizes = np.bincount(labels[labels > 0])[1:]
    counting = [lesion.lesion for lesion in lesions if lesion.kind == "included"]
    voxels = np.array([sizes[number - 1] for number in counting], np.int64)
    specks = int(np.count_nonzero(voxels == 1))
    if specks >= SPECKS and voxels.max(initial=0) >= REAL:
        yield Asked(
            "specks",
            f"{specks} of {counted(len(counting), 'lesion')} are single {'pixels' if grid.is_flat else 'voxels'}",
            f"remove them, or leave them out by a least size (`cohort.minimum_lesion_{key_of(grid)}`)",
        )


def many(lesions: tuple[Lesion, ...]) -> Iterator[Asked]:
    """Ask about more lesions than a reader marks."""
    if len(lesions) > MANY:
        remedy = "look whether noise or an edge became lesions"
        yield Asked("many_lesions", f"{len(lesions)} lesions in one case", remedy)


def places(labels: Labels, lesions: tuple[Lesion, ...], image: NDArray[Any], box: tuple[slice, ...]) -> Iterator[Asked]:
    """Ask about lesions where the image is background, and about such as were drawn into it.

    ``labels`` are those of the ``box`` of the image; without noise a lesion in the background has the lowest value
    alone, with noise nearly all of its values are of those of the border.
    """
    part = image[box]
    values = {number: part[where][labels[where] == number] for number, where in _boxes(labels)}
    floor, top = image.min(), image.max()
    empty = [number for number, one in values.items() if one.max() == floor] if floor < top else []
    noisy = [] if empty else _in_noise(values, background(image))
    if found := empty or noisy:
        every = len(found) == len(lesions)
        which = "every lesion" if every and len(lesions) > 1 else f"lesion {some(found)}"
        what = f"{float(floor):g}, its lowest value" if empty else "the noise of its background"
        yield Asked(
            "outside_content",
            f"{which} lies where the image holds nothing but {what}",
            "look whether mask and image belong together",
            stops=bool(empty) and every and int(np.count_nonzero(labels)) >= REAL,
        )
    drawn = {float(one[0]) for one in values.values() if floor < one[0] == one.min() == one.max()}
    yield from _burnt_in(labels, part, image, sorted(drawn))


def background(image: NDArray[Any]) -> tuple[float, float] | None:
    """Return between which values the background around an image (z, y, x) lies; None where it has none of its own.

    It is told from the border: mostly even but for noise, and much darker than what the image shows.
    """
    faces = [image[:, [0, -1]].ravel(), image[:, :, [0, -1]].ravel(), image[[0, -1]].ravel()]
    border = _sampled(np.concatenate(faces[: 2 if image.shape[0] == 1 else 3]).astype(np.float64))
    middle = float(np.median(border))
    noise = 1.4826 * float(np.median(np.abs(border - middle)))
    bright = float(np.percentile(_sampled(image.ravel()), 95))
    low, high = middle - NOISE * noise, middle + NOISE * noise
    even = float(np.mean((border >= low) & (border <= high)))
    return (low, high) if noise > 0 and even >= EVEN and bright > middle + AWAY * noise else None


def _sampled(values: NDArray[Any]) -> NDArray[Any]:
    return values[:: max(1, values.size // SAMPLED)]


def _in_noise(values: dict[int, NDArray[Any]], around: tuple[float, float] | None) -> list[int]:
    """Return the lesions of which nearly all ``values`` are those of the background ``around`` the patient."""
    if around is None:
        return []
    low, high = around
    return [
        number for number, one in values.items() if one.size > 1 and np.mean((one >= low) & (one <= high)) >= MOSTLY
    ]


def _burnt_in(labels: Labels, part: NDArray[Any], image: NDArray[Any], values: list[float]) -> Iterator[Asked]:
    """Ask where ``values`` that fill lesions stand nowhere else in the image, and are more than a few voxels."""
    for value in values[:FEW]:
        inside = int(np.count_nonzero((part == value) & (labels > 0)))
        if inside >= REAL and int(np.count_nonzero(image == value)) == inside:
            yield Asked(
                "burnt_in",
                f"the image is {value:g} in {inside} voxels of lesions and nowhere else: the truth seems to be drawn "
                "into it",
                "give the image as it was before anything was drawn",
            )
            return


def some(numbers: list[Any]) -> str:
    """Return the first of some numbers, and how many there are beyond.

    >>> some([1, 2, 3, 4])
    '1, 2, 3 and 1 more'
    """
    more = f" and {len(numbers) - SHOWN} more" if len(numbers) > SHOWN else ""
    return ", ".join(str(number) for number in numbers[:SHOWN]) + more
