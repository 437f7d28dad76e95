"""What the images of a cohort are like: the facts that a study's settings can be proposed from."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal, cast, get_args

import numpy as np

from hakken.commands.own_cases import NO_LESIONS, FoundCase, FoundCases, Truth
from hakken.commands.own_lesions import Labels, Truths, read_truths
from hakken.core.errors import HakkenError
from hakken.core.volume import Volume
from hakken.imaging.files import FLAT, KNOWN, read_volume, suffix
from hakken.imaging.masks import find_mask, is_stripped

Modality = Literal["mr", "ct", "pet", "xray", "endoscopy"]
Mask = Literal["brain", "body", "nonzero", "none"]

EXAMINED = 12
"""Cases whose pixels are read, evenly from the table."""

SAMPLED = 50_000
"""Voxels of an image whose intensities are looked at."""

WORDS: Mapping[str, Modality] = {
    r"pet|fdg|suv": "pet",
    r"ct|cect|ncct|hu": "ct",
    r"xr|cxr|dx|cr|xray|radiograph": "xray",
    r"red|green|blue|endoscopy|colonoscopy|gastroscopy": "endoscopy",
    r"mr|mri|t1\w*|t2\w*|flair|dwi|adc|swi|tof|mra|pd|dce|bold": "mr",
}
BRAIN_ML = (700.0, 2000.0)
"""Volumes of a brain, children and the elderly among them."""

HEAD_MM = (110.0, 320.0)
"""Edges of an image that may be of a head."""


@dataclass(frozen=True)
class ChannelFacts:
    """A channel: its modality and why, whether it is in colour, and intensities (percentiles 0.5 and 99.5).

    ``lacking`` is the number of cases that lack it.
    """

    modality: Modality
    reason: str
    colour: bool
    low: float
    high: float
    lacking: int = 0


@dataclass(frozen=True)
class Facts:
    """A cohort: the voxel is the median of the examined cases, x, y, z; diameters are those of its lesions, in mm.

    Of pictures, which have no size, ``unit`` is px and both are in pixels. ``mask_threshold`` is the value from which
    on a mask is lesion, None where all but 0 is. ``filling`` is the median share of a lesion that lies in the sphere of
    its volume about its centre: 1 for a ball. ``least_shape_voxel`` is the least extent
    along x, y and z of the examined images.
    """

    cases: int
    examined: int
    channels: Mapping[str, ChannelFacts]
    spacing_mm: tuple[float, float, float]
    least_edge_voxel: int
    flat: bool
    aligned: bool
    mask: Mask
    mask_reason: str
    truth: Truth | None
    labels: Labels
    labels_reason: str
    classes: tuple[str, ...]
    normal_cases: int
    diameters_mm: tuple[float, ...]
    filling: float
    problems: tuple[str, ...] = field(default=())
    mask_threshold: int | None = None
    unit: str = "mm"
    least_shape_voxel: tuple[int, int, int] = (128, 128, 128)


UNSEEN = Facts(
    cases=0,
    examined=0,
    channels={"image": ChannelFacts("mr", "a guess, for no image was seen: mr, ct, pet, xray, endoscopy", False, 0, 0)},
    spacing_mm=(1.0, 1.0, 1.0),
    least_edge_voxel=128,
    flat=False,
    aligned=True,
    mask="none",
    mask_reason="no image was seen: `body` leaves the air out, `nonzero` and `brain` are for heads",
    truth="lesion_mask",
    labels="instances",
    labels_reason="a mask holds n for lesion n; `binary` where it holds 1 for all",
    classes=(),
    normal_cases=0,
    diameters_mm=(),
    filling=1.0,
)
"""What is assumed of images that nobody has seen."""


def cases_of_table(path: Path) -> FoundCases:
    """Return the cases of a case table whose channels are the columns that hold images.

    Raises HakkenError where there is none.
    """
    from hakken.cohort.rows import read_rows

    rows = read_rows(path)
    ordinary = {"case_id", "patient", "split", "site", "scanner", "sex", "age", *get_args(Truth)}
    channels = [
        name for name in rows.heading if name not in ordinary and _holds_images(path, [row[name] for row in rows.rows])
    ]
    if not channels or not rows.rows:
        raise HakkenError(f"{path}: no column holds paths of images; there are {', '.join(rows.heading)}")
    truth = next((cast(Truth, name) for name in get_args(Truth) if name in rows.heading), None)
    cases = []
    for row in rows.rows:
        cell = row[truth] if truth else ""
        word = NO_LESIONS if cell.lower() == NO_LESIONS else cell or None
        known = path.parent / cell if truth != "label" and word not in (None, NO_LESIONS) else word
        images = {name: path.parent / row[name] for name in channels if row[name]}
        cases.append(FoundCase(row["case_id"], row["patient"], images, known, row["split"] or None))
    if not any(all(row[name] for row in rows.rows) for name in channels):
        raise HakkenError(
            f"{path}: no column of images ({', '.join(channels)}) is filled in every row; a study needs one channel "
            "that every case has"
        )
    left = [f"column `{name}` is kept as it is" for name in rows.heading if name not in (*ordinary, *channels)]
    return FoundCases("the case table as it stands", tuple(cases), truth, tuple(left))


def _holds_images(path: Path, cells: Sequence[str]) -> bool:
    filled = [cell for cell in cells if cell]
    return bool(filled) and all(suffix(Path(cell)) in KNOWN or (path.parent / cell).is_dir() for cell in filled)


def examine(found: FoundCases) -> Facts:
    """Read the images of some cases and say what they are like; what cannot be read is told, not raised.

    Where cases are in parts already, those of the test part stay unread: nothing is to be chosen by them. Raises
    HakkenError where no case can be read.
    """
    read, volumes, coloured, problems = _read_some(found)
    if not volumes:
        raise HakkenError(f"no case can be read, so nothing can be proposed: {problems[0]}")
    first = found.channels[0]
    references = [images[first] for images in volumes]
    channels = {
        name: replace(
            _channel(name, [one[name] for one in volumes if name in one], name in coloured), lacking=found.lacking[name]
        )
        for name in found.channels
    }
    spacings = np.array([volume.spacing for volume in references])
    shapes = np.array([volume.array.shape[::-1] for volume in references])
    flat = all(volume.is_flat for volume in references)
    truths = read_truths(read, found.truth)
    spots = [spot for of_case in truths.spots for spot in of_case]
    mask, mask_reason = _region(references, channels[first].modality, flat, truths)
    return Facts(
        cases=len(found.cases),
        examined=len(volumes),
        channels=channels,
        spacing_mm=_three(np.median(spacings, axis=0)),
        least_edge_voxel=int(shapes[:, :2].min() if flat else shapes.min()),
        flat=flat,
        aligned=all(one.geometry.matches(images[first].geometry) for images in volumes for one in images.values()),
        mask=mask,
        mask_reason=mask_reason,
        truth=found.truth,
        labels=truths.labels,
        labels_reason=truths.reason,
        classes=_classes(found),
        normal_cases=sum(case.truth == NO_LESIONS for case in found.cases),
        diameters_mm=tuple(spot.diameter_mm for spot in spots),
        filling=float(np.median([spot.filling for spot in spots])) if spots else 1.0,
        problems=(*problems, *truths.problems),
        mask_threshold=truths.threshold,
        least_shape_voxel=_extents(shapes.min(0).tolist()),
        unit="px" if all(suffix(case.channels[first]) in FLAT for case in read) else "mm",
    )


def _read_some(found: FoundCases) -> tuple[list[FoundCase], list[dict[str, Volume]], set[str], list[str]]:
    """Return cases from all over the table, their images by channel, channels in colour, and what cannot be read."""
    open_cases = [case for case in found.cases if case.split != "test"] or list(found.cases)
    places = np.linspace(0, len(open_cases) - 1, min(EXAMINED, len(open_cases)))
    chosen = [open_cases[round(place)] for place in places]
    for name in found.channels:
        if not any(name in case.channels for case in chosen):
            chosen += [case for case in open_cases if name in case.channels][:1]
    read: list[FoundCase] = []
    volumes: list[dict[str, Volume]] = []
    coloured: set[str] = set()
    problems: list[str] = []
    for case in chosen:
        try:
            volumes.append({name: _read(name, path, coloured) for name, path in case.channels.items()})
            read.append(case)
        except HakkenError as error:
            problems.append(str(error))
    return read, volumes, coloured, problems


def _read(name: str, path: Path, coloured: set[str]) -> Volume:
    """Return a channel of a case; a colour picture is noted and read in green."""
    try:
        return read_volume(path, "green" if name in coloured else None)
    except HakkenError:
        if suffix(path) not in FLAT:
            raise
        volume = read_volume(path, "green")
        coloured.add(name)
        return volume


def _channel(name: str, volumes: Sequence[Volume], colour: bool) -> ChannelFacts:
    if not volumes:
        return ChannelFacts("mr", "a guess, for none of the cases that were looked at has it", colour, 0, 0)
    thinned = [np.asarray(one.array, np.float32).ravel()[:: max(1, one.array.size // SAMPLED)] for one in volumes]
    values = np.concatenate(thinned)
    low, high = (float(value) for value in np.nanpercentile(values, (0.5, 99.5)))
    modality, reason = _modality(name, low, colour, all(volume.is_flat for volume in volumes))
    return ChannelFacts(modality, reason, colour, low, high)


def _modality(name: str, low: float, colour: bool, flat: bool) -> tuple[Modality, str]:
    if colour:
        return "endoscopy", "colour pictures"
    for words, modality in WORDS.items():
        if re.search(rf"(^|[_-])({words})($|[_-])", name, re.IGNORECASE):
            return modality, f"the name `{name}`"
    if low < -200:
        return "ct", f"intensities from {low:.0f}, as Hounsfield units have"
    if flat:
        return "xray", "grey pictures; `endoscopy` for colour ones"
    return "mr", "neither the name nor the intensities tell: correct it where it is another"


def _classes(found: FoundCases) -> tuple[str, ...]:
    labels = Counter(case.truth for case in found.cases if isinstance(case.truth, str) and case.truth != NO_LESIONS)
    return tuple(sorted(str(label) for label in labels))


def _extents(shape: Sequence[int]) -> tuple[int, int, int]:
    x, y, z = (int(extent) for extent in shape)
    return x, y, z


def _three(values: np.ndarray) -> tuple[float, float, float]:
    x, y, z = (float(f"{value:.3g}") for value in values)
    return x, y, z


def _region(references: Sequence[Volume], modality: Modality, flat: bool, truths: Truths) -> tuple[Mask, str]:
    """Return the region of interest that fits the examined reference images and holds all their lesions, and why."""
    mask, reason = _shown(references, modality, flat)
    if mask == "none":
        return mask, reason
    outside = of = 0
    for volume, spots in zip(references, truths.spots, strict=True):
        if spots:
            inside = find_mask(volume, mask, modality)
            centres = np.rint(volume.geometry.to_voxel([spot.centre for spot in spots])).astype(int)
            outside += int((~inside[tuple(np.clip(centres, 0, np.array(inside.shape) - 1).T)]).sum())
            of += len(spots)
    if outside:
        return "none", f"the mask `{mask}` leaves the centre of {outside} of {of} lesions out, so every voxel counts"
    return mask, reason


def _shown(references: Sequence[Volume], modality: Modality, flat: bool) -> tuple[Mask, str]:
    """Return the region of interest that fits the examined reference images, and why."""
    if flat:
        return "none", "pictures have no air around a body that would be known: every pixel counts"
    if all(is_stripped(np.nan_to_num(volume.array)) for volume in references):
        return "nonzero", f"{len(references)} of {len(references)} images are 0 around what they show"
    if modality in ("ct", "pet"):
        return "body", f"what stands out from the air on {modality.upper()}"
    volume = references[0]
    edges = [size * spacing for size, spacing in zip(volume.array.shape[::-1], volume.spacing, strict=True)]
    if modality == "mr" and HEAD_MM[0] <= min(edges) and max(edges) <= HEAD_MM[1]:
        try:
            millilitres = float(find_mask(volume, "brain").sum()) * volume.geometry.voxel_mm3 / 1000
        except HakkenError:
            millilitres = 0.0
        if BRAIN_ML[0] <= millilitres <= BRAIN_ML[1]:
            return "brain", f"a brain of {millilitres:,.0f} ml was found in the first image"
    return "none", "neither skull-stripped images nor heads, CT or PET: every voxel counts; `body` leaves the air out"
