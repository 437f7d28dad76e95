"""A DICOM series in a folder to a volume: sorted by position, rescaled, checked for gaps; PET becomes SUV.

Of a header only geometry, pixel layout and the identity of the series are read, and of PET what an SUV needs. The
identity is never shown: messages name files by their names alone. Positions and directions are in mm, LPS (DICOM
PS3.3, C.7.6.2).
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray

from hakken.core.errors import HakkenError
from hakken.core.volume import IDENTITY, Volume
from hakken.imaging.suv import suv_factor

SERIES, FRAMES, PHOTOMETRIC, MODALITY = "0020|000e", "0028|0008", "0028|0004", "0008|0060"
PET = "PT"
POSITION, ORIENTATION = "0020|0032", "0020|0037"
ROWS, COLUMNS = "0028|0010", "0028|0011"
PIXEL_SPACING, IMAGER_SPACING, THICKNESS = "0028|0030", "0018|1164", "0018|0050"
STEP_TOLERANCE = 0.1
SAME_PLACE_MM = 1e-3


@dataclass(frozen=True)
class _Slice:
    """What is needed of one file; ``position`` of its first pixel, ``spacing`` of its rows and columns in mm."""

    path: Path
    series: str
    modality: str
    rows: int
    columns: int
    position: tuple[float, ...] | None
    orientation: tuple[float, ...]
    spacing: tuple[float, float]
    thickness: float

    @property
    def kind(self) -> tuple[object, ...]:
        """Slices of one volume have this in common."""
        return (self.series, self.rows, self.columns, tuple(round(value, 4) for value in self.orientation))

    @property
    def normal(self) -> NDArray[np.float64]:
        return np.cross(self.orientation[:3], self.orientation[3:])


def is_dicom(path: Path) -> bool:
    """Whether a file carries the DICOM mark after its preamble of 128 bytes."""
    if not path.is_file():
        return False
    with path.open("rb") as stream:
        return stream.read(132)[128:] == b"DICM"


def read_series(path: Path) -> Volume:
    """Return the one series in a folder, or one DICOM file, as a volume (float32, rescaled to the modality's units).

    PET is returned as SUV by body weight. Slices are sorted along the normal of their plane. Raises HakkenError for a
    folder without DICOM files, several series, slices of different shape or direction, two slices at one place, a
    missing slice and a tilted gantry, and for PET that cannot be turned into SUV.
    """
    slices = [_read_header(file) for file in _files(path)]
    _check_one_series(path, slices)
    if len(slices) == 1:
        return _volume(slices, slices[0].thickness)
    if any(one.position is None for one in slices):
        raise HakkenError(f"{path}: slices without a position; convert the series to NIfTI where its order is known")
    ordered = sorted(slices, key=_height)
    return _volume(ordered, _checked_step(path, ordered))


def _files(path: Path) -> list[Path]:
    if not path.is_dir():
        if not path.exists():
            raise HakkenError(f"{path}: no such file; correct the path in the case table")
        return [path]
    candidates = [file for file in sorted(path.iterdir()) if file.is_file() and file.name.upper() != "DICOMDIR"]
    files = [file for file in candidates if is_dicom(file)]
    if not files:
        raise HakkenError(f"{path}: a folder without DICOM files; name the folder that holds the slices of the series")
    return files


def _read_header(path: Path) -> _Slice:
    reader = sitk.ImageFileReader()
    reader.SetFileName(str(path))
    reader.SetImageIO("GDCMImageIO")
    try:
        reader.ReadImageInformation()
    except RuntimeError:
        raise HakkenError(f"{path}: no readable DICOM image; copy the file anew from its source") from None
    if int(_text(reader, FRAMES) or 1) > 1:
        raise HakkenError(f"{path}: holds several frames; convert it to NIfTI, or export one file a slice")
    if not _text(reader, PHOTOMETRIC).startswith("MONOCHROME"):  # MONOCHROME1, inverted film, is turned on reading
        raise HakkenError(f"{path}: a colour image; a channel needs one grey value a pixel")
    rows, columns = (_numbers(reader, PIXEL_SPACING) or _numbers(reader, IMAGER_SPACING) or (1.0, 1.0))[:2]
    return _Slice(
        path=path,
        series=_text(reader, SERIES),
        modality=_text(reader, MODALITY),
        rows=int(_text(reader, ROWS)),
        columns=int(_text(reader, COLUMNS)),
        position=_numbers(reader, POSITION),
        orientation=_numbers(reader, ORIENTATION) or IDENTITY[:6],
        spacing=(rows, columns),
        thickness=(_numbers(reader, THICKNESS) or (1.0,))[0] or 1.0,
    )


def _text(reader: sitk.ImageFileReader, tag: str) -> str:
    return str(reader.GetMetaData(tag)).strip(" \x00") if reader.HasMetaDataKey(tag) else ""


def _numbers(reader: sitk.ImageFileReader, tag: str) -> tuple[float, ...] | None:
    text = _text(reader, tag)
    return tuple(float(part) for part in text.split("\\")) if text else None


def _check_one_series(path: Path, slices: list[_Slice]) -> None:
    groups: dict[object, list[_Slice]] = {}
    for one in slices:
        groups.setdefault(one.series, []).append(one)
    if len(groups) > 1:
        raise HakkenError(
            f"{path}: {len(groups)} series in one folder ({_named(groups)}); move each into its own folder"
        )
    kinds: dict[object, list[_Slice]] = {}
    for one in slices:
        kinds.setdefault(one.kind, []).append(one)
    if len(kinds) > 1:
        raise HakkenError(f"{path}: slices of different size or direction ({_named(kinds)}); keep those of one stack")


def _named(groups: dict[object, list[_Slice]]) -> str:
    """Name groups by number of slices, size and first file; descriptions may hold personal data and are not shown."""
    return "; ".join(
        f"{len(group)} of {group[0].columns}x{group[0].rows} from {group[0].path.name}" for group in groups.values()
    )


def _height(one: _Slice) -> float:
    """Distance in mm along the normal of the slice's plane."""
    return float(one.normal @ np.asarray(one.position, float))


def _checked_step(path: Path, ordered: list[_Slice]) -> float:
    """Return the distance of neighbouring slices in mm; HakkenError where it is not the same everywhere."""
    heights = np.array([_height(one) for one in ordered])
    steps = np.diff(heights)
    usual = float(np.median(steps))
    for (left, right), step in zip(pairwise(ordered), steps, strict=True):
        names = f"{left.path.name} and {right.path.name}"
        if step < SAME_PLACE_MM:
            raise HakkenError(f"{path}: {names} lie at the same place; remove the duplicate")
        if abs(step - usual) > STEP_TOLERANCE * usual:
            raise HakkenError(
                f"{path}: slices missing or uneven: {names} are {step:.2f} mm apart, the others {usual:.2f} mm; "
                "export the whole series again"
            )
    step = float(heights[-1] - heights[0]) / (len(ordered) - 1)
    _check_upright(path, ordered, step)
    return step


def _check_upright(path: Path, ordered: list[_Slice], step: float) -> None:
    """Raise HakkenError where the slices are shifted against each other (a tilted gantry)."""
    shift = np.asarray(ordered[-1].position, float) - np.asarray(ordered[0].position, float)
    sideways = shift - ordered[0].normal * np.dot(shift, ordered[0].normal)
    if np.linalg.norm(sideways) > STEP_TOLERANCE * max(step, 1.0):
        raise HakkenError(
            f"{path}: slices shifted sideways (tilted gantry); resample the series to upright slices first"
        )


def _volume(ordered: list[_Slice], step: float) -> Volume:
    first = ordered[0]
    # Each slice may have its own slope (PET): read as floats, or SimpleITK rounds to the type of the first.
    names = [str(one.path) for one in ordered]
    try:
        array = sitk.GetArrayFromImage(sitk.ReadImage(names, sitk.sitkFloat32, "GDCMImageIO"))
    except RuntimeError:
        raise HakkenError(f"{first.path.parent}: the pixels of the series cannot be read; export it again") from None
    if first.modality == PET:
        array *= np.float32(suv_factor([one.path for one in ordered]))
    x, y, z = first.position or (0.0, 0.0, 0.0)
    columns = np.array([first.orientation[:3], first.orientation[3:], first.normal]).T
    return Volume(
        array=array.reshape(len(ordered), first.rows, first.columns),
        spacing=(first.spacing[1], first.spacing[0], step),
        origin=(x, y, z),
        direction=tuple(columns.ravel().tolist()),
    )
