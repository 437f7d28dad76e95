"""MetaImage files (`.mha`; `.mhd` beside a file of pixels): the header is questioned, then SimpleITK reads.

SimpleITK takes a spacing of 0 or NaN for 1, opens whatever file a header names, and believes any size.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hakken.core.errors import HakkenError
from hakken.imaging.limits import (
    AGAIN,
    cut_off,
    require_bytes,
    require_image_file,
    require_origin,
    require_shape,
    require_spacing,
    unreadable,
)

LONGEST_HEADER = 1 << 16
WIDTHS = {
    "MET_CHAR": 1,
    "MET_UCHAR": 1,
    "MET_SHORT": 2,
    "MET_USHORT": 2,
    "MET_INT": 4,
    "MET_UINT": 4,
    "MET_LONG": 4,
    "MET_ULONG": 4,
    "MET_LONG_LONG": 8,
    "MET_ULONG_LONG": 8,
    "MET_FLOAT": 4,
    "MET_DOUBLE": 8,
}
"""Bytes of a pixel, by its type."""
LAST = "ElementDataFile"
AXES = ("TransformMatrix", "Rotation", "Orientation")
EXPORT = "export the image again with mm and with the values themselves"
TRUE = {"true", "1", "yes"}


@dataclass(frozen=True)
class _Header:
    """The fields of a header by name, and the bytes that it takes."""

    fields: dict[str, str]
    length: int

    def flag(self, name: str) -> bool:
        """Whether a field says true."""
        return self.fields.get(name, "").lower() in TRUE


def check_metaimage(path: Path) -> None:
    """Raise HakkenError where a MetaImage file cannot be read as it stands, naming what its header says.

    Its pixels must stand in the file itself or in one beside it, be as many as the header promises, and have a size.
    """
    held = require_image_file(path)
    header = _header(path)
    sizes = _whole_numbers(path, header, "DimSize")
    if header.fields.get("NDims") != str(len(sizes)) or len(sizes) < 2:
        raise HakkenError(f"{path}: NDims and DimSize of its header do not fit; {AGAIN}")
    require_shape(path, sizes)
    _check_spacing(path, header, sizes)
    _check_place(path, header, len(sizes))
    _check_meaning(path, header)
    width = WIDTHS.get(header.fields.get("ElementType", ""))
    if width is None:
        raise HakkenError(f"{path}: pixels of type {header.fields.get('ElementType', 'none')}; {AGAIN}")
    channels = _whole_numbers(path, header, "ElementNumberOfChannels", "1")
    if channels != [1]:
        raise HakkenError(f"{path}: several values a pixel; give one grey value a pixel")
    if not header.flag("BinaryData"):
        raise HakkenError(f"{path}: pixels written as text; convert it to NIfTI")
    _check_length(path, header, held - header.length, math.prod(sizes) * width, sizes)


def _header(path: Path) -> _Header:
    try:
        with path.open("rb") as stream:
            begin = stream.read(LONGEST_HEADER)
    except OSError as error:
        raise unreadable(path, error) from None
    fields: dict[str, str] = {}
    length = 0
    for line in begin.splitlines(keepends=True):
        name, equals, value = line.decode("latin-1").partition("=")
        if not equals or name.strip() in fields:
            break
        length += len(line)
        fields[name.strip()] = value.strip()
        if name.strip() == LAST:
            return _Header(fields, length)
    raise HakkenError(f"{path}: no readable image (no {LAST} in its header); {AGAIN}")


def _whole_numbers(path: Path, header: _Header, name: str, default: str = "") -> list[int]:
    words = header.fields.get(name, default).split()
    if not words or not all(word.isascii() and word.isdigit() and len(word) < 12 for word in words):
        raise HakkenError(f"{path}: {name} of its header is `{header.fields.get(name, '')}`; {AGAIN}")
    return [int(word) for word in words]


def _check_spacing(path: Path, header: _Header, sizes: list[int]) -> None:
    name = "ElementSpacing" if "ElementSpacing" in header.fields else "ElementSize"
    try:
        spacing = [float(word) for word in header.fields.get(name, "").split()]
    except ValueError:
        spacing = []
    if len(spacing) != len(sizes):
        raise HakkenError(f"{path}: its header does not say how large its voxels are (ElementSpacing); add it")
    require_spacing(path, spacing, sizes)


def _check_place(path: Path, header: _Header, dimensions: int) -> None:
    """Raise HakkenError where origin or axes are no numbers, which would be read as none, or axes not orthogonal."""
    for names, count in ((("Offset", "Position", "Origin"), dimensions), (AXES, dimensions**2)):
        for name in names:
            if name not in header.fields:
                continue
            try:
                values = [float(word) for word in header.fields[name].split()]
            except ValueError:
                values = []
            if len(values) != count:
                raise HakkenError(f"{path}: {name} of its header is `{header.fields[name][:40]}`; {AGAIN}")
            if name in AXES:
                _check_axes(path, np.reshape(values, (dimensions, dimensions)))
            else:
                require_origin(path, values)


def _check_meaning(path: Path, header: _Header) -> None:
    """Raise HakkenError where lengths are in another unit or values are to be rescaled, which nobody would do."""
    unit = header.fields.get("DistanceUnits", "mm")
    if unit not in ("mm", "?", ""):
        raise HakkenError(f"{path}: its header has lengths in {unit} (DistanceUnits), not mm; {EXPORT}")
    for name, neutral in (("ElementToIntensityFunctionSlope", 1.0), ("ElementToIntensityFunctionOffset", 0.0)):
        value = header.fields.get(name, str(neutral))
        try:
            same = float(value) == neutral
        except ValueError:
            same = False
        if not same:
            raise HakkenError(f"{path}: {name} of its header is {value[:20]}, which programs pass over; {EXPORT}")


def _check_axes(path: Path, axes: NDArray[np.float64]) -> None:
    if not np.allclose(axes @ axes.T, np.eye(len(axes)), atol=1e-3):
        raise HakkenError(
            f"{path}: the axes of this image are not orthogonal and of length 1; resample it onto an orthogonal grid"
        )


def _check_length(path: Path, header: _Header, rest: int, needed: int, sizes: list[int]) -> None:
    """Compare the pixels that a header promises with what stands in this file, or in the one that it names."""
    named = header.fields[LAST]
    held, start = rest, 0
    if named.upper() != "LOCAL":
        held = require_image_file(_beside(path, named))
        start = int(header.fields["HeaderSize"]) if header.fields.get("HeaderSize", "").isdigit() else 0
    compressed = header.flag("CompressedData")
    require_bytes(path, held, needed, compressed)
    if compressed:
        return
    if held - start < needed:
        raise cut_off(path)
    if header.fields.get("HeaderSize") != "-1" and held - start - needed >= needed // sizes[-1]:
        raise HakkenError(f"{path}: more pixels stand there than its header promises; export the image again")


def _beside(path: Path, named: str) -> Path:
    """Return the file of pixels that a header names; raises HakkenError for one that is not in the same folder."""
    if named.upper().startswith("LIST") or "%" in named:
        raise HakkenError(f"{path}: its pixels stand in several files; convert it to NIfTI")
    if Path(named).name != named or named in ("", ".", "..") or "\\" in named or "\0" in named:
        raise HakkenError(f"{path}: its header names `{named}` for its pixels, which must be a file in the same folder")
    return path.parent / named
