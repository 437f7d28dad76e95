"""NIfTI files: NIfTI-1 and NIfTI-2, single or as a pair of header and pixels, plain or compressed by gzip.

The header is read by nibabel, and what it says is questioned before any pixel is read. Where several programs read one
header differently, the file is read as nibabel, FSL and SPM do, and refused where that matters: the sform counts
wherever its code is above 0, a slope of 0 or NaN is none. Lengths in metres or microns become mm, as the standard asks.
"""

from __future__ import annotations

import gzip
import math
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
from nibabel.nifti1 import Nifti1Header
from nibabel.nifti2 import Nifti2Header
from nibabel.spatialimages import HeaderDataError
from numpy.typing import NDArray

from hakken.core.errors import HakkenError
from hakken.core.texts import MEGABYTE
from hakken.core.volume import Geometry, Volume
from hakken.imaging.limits import (
    AGAIN,
    cut_off,
    require_bytes,
    require_image_file,
    require_shape,
    unreadable,
)
from hakken.imaging.nifti_grid import grid_of
from hakken.imaging.reading import Reading

HEADERS: dict[int, type[Any]] = {348: Nifti1Header, 540: Nifti2Header}
"""By the length that a header begins with."""
DAMAGED = (EOFError, zlib.error, gzip.BadGzipFile)


@dataclass(frozen=True)
class _Header:
    """What a header says of the pixels and their place; ``path`` is the file that holds the pixels."""

    path: Path
    geometry: Geometry
    kind: np.dtype[Any]
    slope: float
    intercept: float
    start: int
    remarks: tuple[str, ...]
    placed: bool

    @property
    def length(self) -> int:
        """Bytes of the pixels."""
        return math.prod(self.geometry.shape_zyx) * self.kind.itemsize


def read_nifti(path: Path) -> Reading:
    """Return the volume of a NIfTI file, with remarks about what its header leaves open.

    Values are those of the file, and float32 (float64 where the file has it) where its header scales them. Raises
    HakkenError for a file that is cut off, holds more than its header promises, or says what cannot be or two things
    at once.
    """
    with _in_words(path):
        header = _header(path)
        array = _pixels(header).reshape(header.geometry.shape_zyx)
    if not array.dtype.isnative:
        array = array.astype(array.dtype.newbyteorder("="))
    if (header.slope, header.intercept) != (1.0, 0.0):
        wide = np.float64 if array.dtype.itemsize > 4 or array.dtype in (np.int32, np.uint32) else np.float32
        with np.errstate(over="ignore"):  # infinite pixels are named by whoever looks at them
            array = (array.astype(np.float64) * header.slope + header.intercept).astype(wide)
    return Reading(Volume.on(header.geometry, array), header.remarks, placed=header.placed)


def nifti_geometry(path: Path) -> Geometry:
    """Return the grid of a NIfTI file without reading its pixels; raises HakkenError as `read_nifti` does."""
    with _in_words(path):
        return _header(path).geometry


def require_whole(path: Path) -> None:
    """Raise EOFError, or what unpacking raises, where a NIfTI file has fewer pixels than its header promises."""
    _pixels(_header(path))


@contextmanager
def _in_words(path: Path) -> Iterator[None]:
    """Turn what a damaged file or header raises into words."""
    try:
        yield
    except DAMAGED:
        raise cut_off(path) from None
    except OSError as error:
        raise unreadable(path, error) from None
    except (HeaderDataError, ValueError, KeyError) as error:  # what nibabel raises of values that no header has
        raise HakkenError(f"{path}: its NIfTI header cannot be right ({error}); export the image again") from None


def _header(path: Path) -> _Header:
    """Return what the header of a file says; EOFError where the file is shorter than that."""
    held = require_image_file(_half(path, ".hdr"))
    with _opened(_half(path, ".hdr")) as stream:
        raw = _raw_header(path, stream)
    single = bytes(raw["magic"].tobytes()).startswith(b"n+")
    pixels = path if single else _half(path, ".img")
    if not single:
        held = require_image_file(pixels)
    sizes = _sizes(path, raw)
    kind = _kind(path, raw)
    require_bytes(path, held, math.prod(sizes) * kind.itemsize, _is_compressed(pixels))
    slope, intercept = raw.get_slope_inter()
    geometry, remarks, placed = grid_of(path, raw, sizes)
    return _Header(
        path=pixels,
        geometry=geometry,
        kind=kind,
        slope=1.0 if slope is None else slope,
        intercept=intercept or 0.0,
        start=_start(path, raw, single),
        remarks=tuple(remarks),
        placed=placed,
    )


def _half(path: Path, ending: str) -> Path:
    """Return the file of a pair that holds the header (`.hdr`) or the pixels (`.img`); any other file is both."""
    if path.suffix.lower() not in (".hdr", ".img"):
        return path
    same_case = ending.upper() if path.suffix.isupper() else ending
    return path.with_suffix(same_case)


def _is_compressed(path: Path) -> bool:
    with path.open("rb") as stream:
        return stream.read(2) == b"\x1f\x8b"


def _opened(path: Path) -> IO[bytes]:
    return gzip.open(path) if _is_compressed(path) else path.open("rb")  # type: ignore[return-value]


def _raw_header(path: Path, stream: IO[bytes]) -> Nifti1Header:
    """Return the header as it stands; raises HakkenError for what is no NIfTI."""
    begin = stream.read(4)
    if len(begin) < 4:
        raise EOFError
    lengths = {"<": int.from_bytes(begin, "little"), ">": int.from_bytes(begin, "big")}
    order = next((order for order, length in lengths.items() if length in HEADERS), None)
    if order is None:
        rest = stream.read(min(HEADERS) - 4)
        if len(rest) < min(HEADERS) - 4:
            raise EOFError
        raise HakkenError(f"{path}: no NIfTI image; {AGAIN}")
    block = begin + stream.read(lengths[order] - 4)
    if len(block) < lengths[order]:
        raise EOFError
    raw: Nifti1Header = HEADERS[lengths[order]](block, endianness=order, check=False)
    if bytes(raw["magic"].tobytes())[:2] not in (b"n+", b"ni"):
        raise HakkenError(
            f"{path}: an image of Analyze 7.5, which says neither where its voxels lie nor which side is left; convert "
            "it to NIfTI where that is known"
        )
    return raw


def _sizes(path: Path, raw: Nifti1Header) -> tuple[int, int, int]:
    """Return the voxels along x, y and z; raises HakkenError for more dimensions than these."""
    count = int(raw["dim"][0])
    if not 1 <= count <= 7:
        raise HakkenError(f"{path}: its header promises {count} dimensions; {AGAIN}")
    sizes = [int(size) for size in raw["dim"][1 : count + 1]]
    require_shape(path, sizes)
    if any(size > 1 for size in sizes[3:]):
        shown = "x".join(str(size) for size in sizes)
        raise HakkenError(f"{path}: an image of {count} dimensions ({shown}); give each channel one volume")
    x, y, z = [*sizes[:3], 1, 1][:3]
    return x, y, z


def _kind(path: Path, raw: Nifti1Header) -> np.dtype[Any]:
    """Return the type of the pixels; raises HakkenError for those that hold several numbers or none."""
    kind: np.dtype[Any] = raw.get_data_dtype()
    if kind.kind not in "iuf" or kind.itemsize > 8:
        label = raw.get_value_label("datatype")
        raise HakkenError(
            f"{path}: pixels of type {label} (colour, complex or too wide); give one plain number a pixel"
        )
    return kind


def _start(path: Path, raw: Nifti1Header, single: bool) -> int:
    """Return where the pixels start; where a single file says 0, right behind the header, as nibabel does."""
    offset = float(raw["vox_offset"])
    least = len(raw.binaryblock) + 4 if single else 0
    if offset == 0:
        return least
    if not (offset.is_integer() and least <= offset <= MEGABYTE << 8):
        raise HakkenError(f"{path}: its header says that the pixels start at byte {offset:g}; {AGAIN}")
    return int(offset)


def _pixels(header: _Header) -> NDArray[Any]:
    """Return the pixels (n,) of a file; EOFError where they are too few, HakkenError where a slice or more is left."""
    x, y = header.geometry.shape_zyx[:0:-1]
    array = np.empty(math.prod(header.geometry.shape_zyx), header.kind)
    with _opened(header.path) as stream:
        _skip(stream, header.start)
        view = memoryview(array.data).cast("B")
        while view:
            count = stream.readinto(view[: 16 * MEGABYTE])  # type: ignore[attr-defined]
            if not count:
                raise EOFError
            view = view[count:]
        slice_bytes = x * y * header.kind.itemsize
        left = len(stream.read(slice_bytes))  # reading to the end of a compressed file also checks its checksum
    if left == slice_bytes:
        raise HakkenError(f"{header.path}: holds more slices than its header promises; export the image again")
    return array


def _skip(stream: IO[bytes], count: int) -> None:
    while count > 0:
        block = stream.read(min(count, MEGABYTE))
        if not block:
            raise EOFError
        count -= len(block)
