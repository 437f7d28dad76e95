"""The pixels of one plane of DICOM: from stored bits to numbers (PS3.5, 8; PS3.3, C.7.6.3 and C.11.1).

Plain pixels are taken from the file as they stand. Compressed ones are given to GDCM, in a copy that holds nothing but
what describes them: in a damaged header it believes any length, and takes as much memory.
"""

from __future__ import annotations

import io
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pydicom
import SimpleITK as sitk
from numpy.typing import NDArray
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.encaps import get_frame
from pydicom.uid import ExplicitVRBigEndian, SecondaryCaptureImageStorage, generate_uid

from hakken.core.errors import HakkenError
from hakken.imaging.dicom_values import number, tag_of
from hakken.imaging.jpeg import damage
from hakken.imaging.limits import AGAIN, cut_off
from hakken.imaging.quiet import overheard

ALLOCATED = (8, 16, 32)
PIXEL_DATA = b"\xe0\x7f\x10\0OB\0\0\xff\xff\xff\xff"
ITEM, DELIMITER = b"\xfe\xff\0\xe0", b"\xfe\xff\xdd\xe0"
UNDEFINED = 0xFFFFFFFF
"""The length of pixels that are compressed."""


@dataclass(frozen=True)
class Stored:
    """How the pixels of a file are stored.

    ``begin`` is the byte of their first value, ``length`` are their bytes. Of ``allocated`` bits a pixel the ``stored``
    ones up to bit ``high`` count. Numbers are those times ``slope`` plus ``intercept``. Compressed pixels are those of
    all ``frames`` of the file, of which ``frame`` is meant.
    """

    begin: int
    length: int
    syntax: str
    allocated: int
    stored: int
    high: int
    signed: bool
    slope: float
    intercept: float
    frame: int = 0
    frames: int = 1

    def of_frame(self, number: int, frames: int, size: int) -> Stored:
        """Return how one of several frames is stored, counted from 0, whose pixels take ``size`` bytes."""
        if self.is_compressed:
            return replace(self, frame=number, frames=frames)
        return replace(self, begin=self.begin + number * size, length=size, frame=number, frames=frames)

    @property
    def is_compressed(self) -> bool:
        """Whether the pixels stand there in fragments."""
        return self.length == UNDEFINED


def stored_pixels(path: Path, header: Dataset, begin: int, length: int) -> Stored:
    """Return how the pixels are stored that begin at a byte of the file; raises HakkenError where bits do not fit."""
    allocated = int(number(header, "BitsAllocated", path) or 0)
    if allocated not in ALLOCATED:
        said = f"pixels of {allocated} bits {tag_of('BitsAllocated')}, not 8, 16 or 32"
        raise HakkenError(f"{path}: {said}; convert it to NIfTI")
    stored = int(number(header, "BitsStored", path) or allocated)
    high = int(number(header, "HighBit", path) or stored - 1)
    if not (1 <= stored <= allocated and stored - 1 <= high < allocated):
        raise HakkenError(f"{path}: {stored} bits up to bit {high} of {allocated} (0028,0101); export the series again")
    slope = number(header, "RescaleSlope", path)
    return Stored(
        begin=begin,
        length=length,
        syntax=str(getattr(header, "file_meta", {}).get("TransferSyntaxUID", "")),
        allocated=allocated,
        stored=stored,
        high=high,
        signed=bool(number(header, "PixelRepresentation", path)),
        slope=1.0 if slope is None else slope,
        intercept=number(header, "RescaleIntercept", path) or 0.0,
    )


def read_plane(path: Path, rows: int, columns: int, kept: Stored, inverted: bool) -> NDArray[np.float32]:
    """Return the numbers (rows, columns) of a plane; ``inverted`` where low values are bright (MONOCHROME1)."""
    values = _compressed(path, rows, columns, kept) if kept.is_compressed else _plain(path, rows * columns, kept)
    values = values.reshape(rows, columns)
    if inverted:
        values = (-1 if kept.signed else (1 << kept.stored) - 1) - values
    return np.asarray(values * kept.slope + kept.intercept, np.float32)


def _plain(path: Path, count: int, kept: Stored) -> NDArray[np.int64]:
    order = ">" if kept.syntax == ExplicitVRBigEndian else "<"
    kind = np.dtype(f"{order}u{kept.allocated // 8}")
    with path.open("rb") as stream:
        stream.seek(kept.begin)
        content = stream.read(count * kind.itemsize)
    if len(content) < count * kind.itemsize:
        raise cut_off(path)
    bits = np.frombuffer(content, kind).astype(np.int64) >> (kept.high + 1 - kept.stored)
    return _signed(bits & ((1 << kept.stored) - 1), kept)


def _signed(bits: NDArray[np.int64], kept: Stored) -> NDArray[np.int64]:
    """Return the numbers that bits stand for: with a sign the highest one that is stored counts negative."""
    return bits - ((bits >> (kept.stored - 1)) << kept.stored) if kept.signed else bits


def _compressed(path: Path, rows: int, columns: int, kept: Stored) -> NDArray[Any]:
    with TemporaryDirectory() as folder:
        clean = Path(folder) / "clean.dcm"
        clean.write_bytes(_described(rows, columns, kept) + _element(path, kept))
        try:
            with overheard() as heard:
                image = sitk.ReadImage([str(clean)], sitk.sitkFloat64, "GDCMImageIO")
        except RuntimeError:
            raise HakkenError(f"{path}: its pixels cannot be read ({_name(kept.syntax)}); export it again") from None
    if complaints := damage("".join(heard)):
        raise HakkenError(f"{path}: its compressed pixels are damaged ({complaints[0]}); {AGAIN}")
    array = sitk.GetArrayFromImage(image)
    if array.size != rows * columns:
        raise HakkenError(f"{path}: other pixels than its header promises; export it again")
    return np.asarray(array, np.float64)


def _name(syntax: str) -> str:
    uid = pydicom.uid.UID(syntax)
    return uid.name if uid.is_transfer_syntax else "unknown compression"


def _element(path: Path, kept: Stored) -> bytes:
    """Return the element of the compressed pixels, its fragments alone (PS3.5, A.4); EOF in them is a cut-off file."""
    with path.open("rb") as stream:
        stream.seek(kept.begin)
        content = stream.read()
    place = 0
    while content[place : place + 4] == ITEM:
        length = int.from_bytes(content[place + 4 : place + 8], "little")
        place += 8 + length
    if content[place : place + 4] != DELIMITER:
        raise cut_off(path)
    items = content[:place] if kept.frames == 1 else _items_of(path, content[:place], kept)
    return PIXEL_DATA + items + DELIMITER + bytes(4)


def _items_of(path: Path, items: bytes, kept: Stored) -> bytes:
    """Return the fragments of one frame behind an empty table of offsets; raises HakkenError where it has none."""
    try:
        frame = get_frame(items, kept.frame, number_of_frames=kept.frames)
    except (ValueError, IndexError, EOFError) as error:
        raise HakkenError(f"{path}: its frames cannot be told apart ({error}); export it again") from None
    frame += b"\0" * (len(frame) % 2)
    return ITEM + bytes(4) + ITEM + len(frame).to_bytes(4, "little") + frame


def _described(rows: int, columns: int, kept: Stored) -> bytes:
    """Return a DICOM file up to its pixels that says of them what is needed to unpack them."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = SecondaryCaptureImageStorage
    meta.MediaStorageSOPInstanceUID = generate_uid(entropy_srcs=["clean"])
    meta.TransferSyntaxUID = pydicom.uid.UID(kept.syntax)
    data = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
    data.SOPClassUID, data.SOPInstanceUID = meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID
    data.SamplesPerPixel, data.PhotometricInterpretation = 1, "MONOCHROME2"
    data.Rows, data.Columns = rows, columns
    data.BitsAllocated, data.BitsStored, data.HighBit = kept.allocated, kept.stored, kept.high
    data.PixelRepresentation = int(kept.signed)
    stream = io.BytesIO()
    data.save_as(stream, enforce_file_format=True)
    return stream.getvalue()
