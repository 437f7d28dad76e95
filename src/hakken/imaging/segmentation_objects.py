"""Truth from the clinic: DICOM segmentations (SEG) and structure sets (RTSTRUCT), drawn on the series' own grid.

SEG (PS3.3 A.51): each frame is laid onto the lattice, never interpolated. RTSTRUCT (PS3.3 A.19): a voxel belongs to a
structure where its centre lies inside an odd number of its closed contours; a centre on a contour's lower edge is
inside, on its upper edge outside, so areas are exact where contours follow voxels. Only geometry, numbers and labels
of segments are read; no message shows anything else of a header.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
from numpy.typing import NDArray
from pydicom.errors import InvalidDicomError

from hakken.core.errors import HakkenError
from hakken.core.names import plain
from hakken.core.volume import Geometry, Volume
from hakken.imaging.dicom import is_dicom
from hakken.imaging.files import read_volume
from hakken.study import REGIONS, Cohort

SEG = "1.2.840.10008.5.1.4.1.1.66.4"
LABELMAP = "1.2.840.10008.5.1.4.1.1.66.7"
RTSTRUCT = "1.2.840.10008.5.1.4.1.1.481.3"
CLOSED = ("CLOSED_PLANAR", "CLOSEDPLANAR_XOR")
STRUCTURES = "structures"
"""The key of the cohort that names the structures of lesions; those of organs are named by `regions`."""
ON_LATTICE = 0.02  # of a voxel
ON_SLICE = 0.1  # of the distance of slices
SHOWN = 8

Places = NDArray[np.intp]  # (n, 3) voxel indices z, y, x


@dataclass(frozen=True)
class Structure:
    """One segment or structure: its number and name in the file, and its voxels, indices (n, 3) z, y, x."""

    number: int
    name: str
    places: Places


def read_mask(path: Path, grid: Geometry, reference: Path, cohort: Cohort) -> Volume:
    """Return a mask: an image file as it is, a SEG or RTSTRUCT drawn on ``grid``, that of the file ``reference``.

    The structures that ``cohort`` names are drawn, all where it names none: the first by its number in the file as 1,
    the next as 2; with `labels: binary` all as 1. Raises HakkenError for another frame of reference, frames or contours
    off the grid, open contours, and structures that overlap although each is to keep a number of its own.
    """
    header = _segmentation(path)
    if header is None:
        return read_volume(path, pixel_mm=cohort.pixel_mm)
    found = _drawn(header, grid, reference, cohort.structures, STRUCTURES)
    numbered = {number: structure.name for number, structure in enumerate(found, start=1)}
    labels = np.zeros(grid.shape_zyx, np.int16)
    for number, structure in enumerate(found, start=1):
        at = tuple(structure.places.T)
        if cohort.labels != "binary":
            _check_apart(header[0], labels[at], numbered, structure, STRUCTURES)
        labels[at] = 1 if cohort.labels == "binary" else number
    return Volume.on(grid, labels)


def read_structures(path: Path, grid: Geometry, reference: Path, cohort: Cohort) -> Volume:
    """Return the labels of regions: an image file as it is, of a SEG or RTSTRUCT n where the region n is drawn.

    Structures are known by the names of `cohort.regions`, without regard to case, width and blanks; others are left
    out. Raises HakkenError as `read_mask` does, and where no structure has one of these names.
    """
    header = _segmentation(path)
    if header is None:
        return read_volume(path, pixel_mm=cohort.pixel_mm)
    number = {plain(name): place for place, name in enumerate(cohort.regions, start=1)}
    labels = np.zeros(grid.shape_zyx, np.int16)
    found: list[Structure] = []
    for structure in _drawn(header, grid, reference, cohort.regions, REGIONS):
        at = tuple(structure.places.T)
        _check_apart(header[0], labels[at], {number[plain(one.name)]: one.name for one in found}, structure, REGIONS)
        labels[at] = number[plain(structure.name)]
        found.append(structure)
    return Volume.on(grid, labels)


def _drawn(
    header: tuple[Path, Any], grid: Geometry, reference: Path, wanted: Sequence[str], key: str
) -> list[Structure]:
    """Return the wanted structures of a segmentation; raises HakkenError naming the file where it cannot be used."""
    file, data = header
    _check_frame(file, data, reference)
    try:
        return list(_structures(file, data, grid, wanted, key))
    except (AttributeError, KeyError, IndexError, TypeError, ValueError, NotImplementedError) as error:
        raise HakkenError(f"{file}: the segmentation cannot be read ({error}); export it again") from None


def _segmentation(path: Path) -> tuple[Path, Any] | None:
    """Return the file of a segmentation, alone in its folder or by itself, and its header; None for other images."""
    file = path
    if path.is_dir():
        inside = [one for one in sorted(path.iterdir()) if is_dicom(one)][:2]
        if len(inside) != 1:
            return None
        file = inside[0]
    if not is_dicom(file) and (file.suffix.lower() != ".dcm" or not file.is_file()):
        return None
    try:
        data = pydicom.dcmread(file, force=True)  # old structure sets lack the mark of DICOM
    except (InvalidDicomError, OSError, EOFError, ValueError, AttributeError):
        return None  # the reader of images says what is wrong
    return (file, data) if data.get("SOPClassUID") in (SEG, LABELMAP, RTSTRUCT) else None


def _check_frame(file: Path, data: Any, reference: Path) -> None:
    """Raise HakkenError where the segmentation was drawn in another frame of reference than the series."""
    wanted, drawn = _frame_of(reference), _frames_in(data)
    if wanted and drawn and wanted not in drawn:
        raise HakkenError(
            f"{file}: drawn in another frame of reference than {reference}; name the one drawn on this series"
        )


def _frame_of(path: Path) -> str:
    files = [one for one in sorted(path.iterdir()) if is_dicom(one)] if path.is_dir() else [path]
    if not files or not is_dicom(files[0]):
        return ""
    header = pydicom.dcmread(files[0], stop_before_pixels=True, specific_tags=["FrameOfReferenceUID"])
    return str(header.get("FrameOfReferenceUID", ""))


def _frames_in(data: Any) -> set[str]:
    frames = {str(data.get("FrameOfReferenceUID", ""))}
    frames |= {str(one.get("FrameOfReferenceUID", "")) for one in data.get("ReferencedFrameOfReferenceSequence", [])}
    frames |= {str(one.get("ReferencedFrameOfReferenceUID", "")) for one in data.get("StructureSetROISequence", [])}
    return frames - {""}


def _named(data: Any) -> list[tuple[int, str]]:
    """Return number and name of every structure, by number."""
    if data.SOPClassUID == RTSTRUCT:
        pairs = [(int(one.ROINumber), str(one.get("ROIName", ""))) for one in data.get("StructureSetROISequence", [])]
    else:
        pairs = [(int(one.SegmentNumber), str(one.get("SegmentLabel", ""))) for one in data.get("SegmentSequence", [])]
    return sorted(pair for pair in pairs if pair[0] > 0 or data.SOPClassUID == RTSTRUCT)


def _structures(file: Path, data: Any, grid: Geometry, wanted: Sequence[str], key: str) -> Iterator[Structure]:
    """Yield the wanted structures that hold a voxel, by number; ``key`` of the cohort names them."""
    named, fits = _named(data), _fits if key == STRUCTURES else _is_called
    chosen = [pair for pair in named if not wanted or any(fits(pair[1], pattern) for pattern in wanted)]
    if not chosen:
        there = ", ".join(name for _, name in named[:SHOWN]) or "none"
        raise HakkenError(
            f"{file}: no structure is named {' or '.join(wanted) or 'anything'} (there are {there}); "
            f"correct `cohort.{key}`"
        )
    draw = _contoured if data.SOPClassUID == RTSTRUCT else _framed
    drawn = draw(file, data, grid, dict(chosen))
    for number, name in chosen:
        places = drawn.get(number)
        if places is not None and len(places):
            yield Structure(number, name, places)


def _fits(name: str, pattern: str) -> bool:
    return fnmatch(name.strip().casefold(), pattern.strip().casefold())


def _is_called(name: str, region: str) -> bool:
    return plain(name) == plain(region)


def _check_apart(
    file: Path, labels: NDArray[np.int16], names: Mapping[int, str], structure: Structure, key: str
) -> None:
    """Raise HakkenError where a structure holds voxels of an earlier one; ``names`` are by label."""
    taken = labels[labels > 0]
    if taken.size:
        other = names[int(taken[0])]
        remedy = "or set `cohort.labels: binary`" if key == STRUCTURES else "or draw them apart"
        raise HakkenError(
            f"{file}: {other} and {structure.name} overlap in {taken.size} voxels; choose among them with "
            f"`cohort.{key}`, {remedy}"
        )


def _framed(file: Path, data: Any, grid: Geometry, chosen: dict[int, str]) -> dict[int, Places]:
    """Return the voxels of each chosen segment of a SEG."""
    pixels = np.asarray(data.pixel_array).reshape(-1, int(data.Rows), int(data.Columns))
    threshold = 1
    if data.get("SegmentationType") == "FRACTIONAL":
        threshold = (int(data.MaximumFractionalValue) + 1) // 2
    found: dict[int, list[Places]] = {}
    for number, (frame, plane) in enumerate(zip(pixels, _planes(data), strict=True), start=1):
        for segment in chosen:
            inside = _of_segment(data, plane, frame, segment, threshold)
            if inside is not None and inside.any():
                found.setdefault(segment, []).append(_laid(file, number, plane, np.argwhere(inside), grid))
    return {segment: np.unique(np.concatenate(parts), axis=0) for segment, parts in found.items()}


def _of_segment(
    data: Any, plane: dict[str, Any], frame: NDArray[Any], segment: int, threshold: int
) -> NDArray[np.bool_] | None:
    """Return where a frame holds a segment; None where the frame is another segment's."""
    if data.get("SegmentationType") == "LABELMAP":
        return np.asarray(frame == segment)
    identity = plane["SegmentIdentificationSequence"][0]
    return np.asarray(frame >= threshold) if int(identity.ReferencedSegmentNumber) == segment else None


def _planes(data: Any) -> Iterator[dict[str, Any]]:
    """Yield the functional groups of each frame, those that all share included."""
    shared = {element.keyword: element.value for element in data.SharedFunctionalGroupsSequence[0]}
    for own in data.PerFrameFunctionalGroupsSequence:
        yield shared | {element.keyword: element.value for element in own}


def _laid(file: Path, number: int, plane: dict[str, Any], pixels: NDArray[np.intp], grid: Geometry) -> Places:
    """Return the voxels of pixels (n, 2) row, column of one frame; raises HakkenError off the lattice."""
    position = np.array(plane["PlanePositionSequence"][0].ImagePositionPatient, float)
    cosines = np.array(plane["PlaneOrientationSequence"][0].ImageOrientationPatient, float)
    down, across = (float(value) for value in plane["PixelMeasuresSequence"][0].PixelSpacing)
    steps = np.stack([cosines[3:] * down, cosines[:3] * across])
    places = grid.to_voxel(position + pixels @ steps)
    whole = np.rint(places)
    if np.abs(places - whole).max() > ON_LATTICE:
        raise HakkenError(
            f"{file}: frame {number} lies between the voxels of the reference channel; export the segmentation of this "
            "series, or resample it to NIfTI"
        )
    if (whole < 0).any() or (whole >= grid.shape_zyx).any():
        raise HakkenError(f"{file}: frame {number} lies outside the reference channel; name the one of this series")
    return whole.astype(np.intp)


def _contoured(file: Path, data: Any, grid: Geometry, chosen: dict[int, str]) -> dict[int, Places]:
    """Return the voxels of each chosen structure of an RTSTRUCT."""
    found = {}
    for roi in data.get("ROIContourSequence", []):
        number = int(roi.ReferencedROINumber)
        if number in chosen:
            found[number] = _inside(f"{file}: structure {chosen[number]}", roi.get("ContourSequence") or [], grid)
    return found


def _inside(what: str, contours: Sequence[Any], grid: Geometry) -> Places:
    slices: dict[int, NDArray[np.bool_]] = {}
    for contour in contours:
        kind = str(contour.get("ContourGeometricType", ""))
        if kind not in CLOSED:
            raise HakkenError(f"{what} has a contour of type {kind or 'none'}; only closed contours have an inside")
        points = grid.to_voxel(np.array(contour.ContourData, float).reshape(-1, 3))
        height = float(points[:, 0].mean())
        if np.abs(points[:, 0] - round(height)).max() > ON_SLICE:
            raise HakkenError(
                f"{what} has a contour that lies between the slices of the reference channel (at slice {height:.2f}); "
                "draw it on this series, or export a mask"
            )
        if not 0 <= round(height) < grid.shape_zyx[0]:
            raise HakkenError(
                f"{what} lies outside the reference channel, at slice {height:.0f} of 0 to "
                f"{grid.shape_zyx[0] - 1}; name the one of this series"
            )
        plane = slices.setdefault(round(height), np.zeros(grid.shape_zyx[1:], bool))
        plane ^= fill_polygon(points[:, 1:], grid.shape_zyx[1:])
    parts = [np.insert(np.argwhere(plane), 0, z, axis=1) for z, plane in sorted(slices.items())]
    return np.concatenate(parts) if parts else np.empty((0, 3), np.intp)


def fill_polygon(points_yx: NDArray[np.float64], shape: tuple[int, int]) -> NDArray[np.bool_]:
    """Return which pixel centres of a plane (y, x) lie inside a closed polygon (n, 2), by the even-odd rule.

    >>> fill_polygon(np.array([[0.0, 0.0], [0.0, 2.0], [2.0, 2.0], [2.0, 0.0]]), (3, 4)).astype(int).tolist()
    [[1, 1, 0, 0], [1, 1, 0, 0], [0, 0, 0, 0]]
    """
    crossings: dict[int, list[float]] = {}
    for (y0, x0), (y1, x1) in pairwise([*points_yx.tolist(), points_yx[0].tolist()]):
        low, high = sorted((y0, y1))
        for row in range(max(0, int(np.ceil(low))), min(shape[0], int(np.ceil(high)))):
            crossings.setdefault(row, []).append(x0 + (row - y0) * (x1 - x0) / (y1 - y0))
    inside = np.zeros(shape, bool)
    for row, places in crossings.items():
        for start, stop in zip(*[iter(sorted(places))] * 2, strict=True):
            inside[row, max(0, int(np.ceil(start))) : max(0, int(np.ceil(stop)))] ^= True
    return inside
