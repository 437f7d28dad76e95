"""Image files to volumes and back: NIfTI, MetaImage, DICOM series, PNG, JPEG, TIFF and BMP.

Pixels and geometry are all that enters: no tag, description or name of a file's header goes into a volume or is
written. SimpleITK reads a cut-off NIfTI file without a word and fills it with zeros, so the length is checked here.
"""

from __future__ import annotations

import errno
import gzip
import math
import shutil
import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray

from hakken.core.errors import HakkenError
from hakken.core.files import replacing
from hakken.core.volume import Geometry, Volume, triple
from hakken.imaging.convert import from_image, to_image
from hakken.imaging.dicom import is_dicom, read_series
from hakken.imaging.pixel_size import PixelSize, sized

NIFTI = (".nii.gz", ".nii")
META = (".mha", ".mhd")
FLAT = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp")
COLOURS = {"red": 0, "green": 1, "blue": 2}
DICOM = (".dcm", ".ima")
KNOWN = (*NIFTI, *META, *FLAT, *DICOM)
MEGABYTE = 1 << 20
HEADER = 348  # bytes of a NIfTI-1 header
FLOATS = (16, 64)  # its codes for float32 and float64

sitk.ProcessObject.SetGlobalWarningDisplay(False)


def read_volume(path: Path, colour: str | None = None, pixel_mm: PixelSize = None) -> Volume:
    """Return the volume of a file, or of the DICOM series in a folder; a 2-D image is one slice.

    ``colour`` (`red`, `green`, `blue`) picks one colour of a colour picture; a grey one has the same three. The pixels
    of a picture are of ``pixel_mm``, or as large as its file says (`file`); without it lengths are in px. Raises
    HakkenError, naming the path, for what is missing, cut off, broken, coloured where no colour is picked, of four
    dimensions or of a kind that is not known, and for an incomplete or mixed DICOM series.
    """
    if path.is_dir() or suffix(path) in DICOM or (suffix(path) not in KNOWN and is_dicom(path)):
        return read_series(path)
    missing = _check_file(path)
    reader = _open(path)
    try:
        image = reader.Execute()
    except RuntimeError:
        raise HakkenError(f"{path}: its pixels cannot be read; copy the file anew from its source") from None
    volume = _scalar_volume(image, path, colour)
    if suffix(path) in FLAT:
        volume = sized(volume, path, pixel_mm)
    return _with_missing(volume, path) if missing else volume


def read_geometry(path: Path) -> Geometry:
    """Return the grid of an image file without reading its pixels (a DICOM series is read whole)."""
    if path.is_dir() or suffix(path) not in KNOWN or suffix(path) in DICOM:
        return read_volume(path).geometry
    _check_exists(path)
    reader = _open(path)
    dimension = reader.GetDimension()
    size, spacing, origin = [*reader.GetSize(), 1], [*reader.GetSpacing(), 1.0], [*reader.GetOrigin(), 0.0]
    direction = np.eye(3)
    axes = min(dimension, 3)
    direction[:axes, :axes] = np.reshape(reader.GetDirection(), (dimension, dimension))[:axes, :axes]
    shape = (int(size[2]), int(size[1]), int(size[0]))
    if suffix(path) in FLAT:
        return Geometry(shape, unit="px")
    return Geometry(shape, triple(spacing[:3]), triple(origin[:3]), tuple(direction.ravel().tolist()))


def write_volume(path: Path, volume: Volume) -> None:
    """Write a volume as NIfTI or MetaImage, by the name's ending; the header holds geometry and nothing else."""
    if suffix(path) not in (*NIFTI, ".mha"):
        raise HakkenError(f"{path}: volumes are written as .nii.gz, .nii or .mha")
    with _replacing(path) as temporary:
        sitk.WriteImage(to_image(volume), str(temporary), useCompression=suffix(path) != ".nii")
        if suffix(path) in NIFTI:
            _check_nifti(temporary)


def write_picture(path: Path, pixels: NDArray[np.uint8]) -> None:
    """Write a colour picture (rows, columns, 3) of bytes as PNG."""
    with _replacing(path) as temporary:
        sitk.WriteImage(sitk.GetImageFromArray(pixels, isVector=True), str(temporary))


def write_transform(path: Path, transform: sitk.Transform) -> None:
    """Write a transform as text (.tfm)."""
    with _replacing(path) as temporary:
        sitk.WriteTransform(transform, str(temporary))


@contextmanager
def _replacing(path: Path) -> Iterator[Path]:
    """Like `hakken.core.files.replacing`, for SimpleITK: it reports a full disk without its number, or not at all."""
    with replacing(path) as temporary:
        try:
            yield temporary
        except (RuntimeError, EOFError, zlib.error, gzip.BadGzipFile) as error:
            full = shutil.disk_usage(path.parent).free < MEGABYTE
            raise OSError(errno.ENOSPC if full else errno.EIO, str(error), str(path)) from error


def suffix(path: Path) -> str:
    """Return the ending of a file's name in small letters; ``.nii.gz`` counts as one."""
    name = path.name.lower()
    return ".nii.gz" if name.endswith(".nii.gz") else path.suffix.lower()


def _open(path: Path) -> sitk.ImageFileReader:
    """Return a reader that has read the header."""
    reader = sitk.ImageFileReader()
    reader.SetFileName(str(path))
    if suffix(path) in NIFTI:
        reader.SetImageIO("NiftiImageIO")  # by its name alone, capital letters are not recognised
    try:
        reader.ReadImageInformation()
    except RuntimeError as error:
        reason = "no readable image; copy the file anew from its source, or convert it to NIfTI-1"
        if "orthonormal" in str(error):
            reason = "the axes of this image are not orthogonal; resample it onto an orthogonal grid first"
        raise HakkenError(f"{path}: {reason}") from None
    extra = [size for size in reader.GetSize()[3:] if size > 1]
    if extra:
        sizes = "x".join(str(size) for size in reader.GetSize())
        raise HakkenError(
            f"{path}: an image of {len(reader.GetSize())} dimensions ({sizes}); give each channel one volume"
        )
    return reader


def _scalar_volume(image: sitk.Image, path: Path, colour: str | None) -> Volume:
    while image.GetDimension() > 3:
        image = image[..., 0]
    if image.GetNumberOfComponentsPerPixel() > 1:
        image = _one_colour(image, colour) if _is_picture(image, path) and colour else _grey(image, path)
    if image.GetDimension() == 2:
        image = sitk.JoinSeries(image)
    return from_image(image)


def _is_picture(image: sitk.Image, path: Path) -> bool:
    return suffix(path) in FLAT and image.GetNumberOfComponentsPerPixel() >= len(COLOURS)


def _one_colour(image: sitk.Image, colour: str) -> sitk.Image:
    picked: sitk.Image = sitk.VectorIndexSelectionCast(image, COLOURS[colour])
    return picked


def _grey(image: sitk.Image, path: Path) -> sitk.Image:
    """Return the first of three equal colours; raises HakkenError for colours and vectors."""
    parts: list[sitk.Image] = [
        sitk.VectorIndexSelectionCast(image, index) for index in range(image.GetNumberOfComponentsPerPixel())
    ]
    arrays = [sitk.GetArrayFromImage(part) for part in parts[:3]]
    if suffix(path) in FLAT and all(np.array_equal(arrays[0], other) for other in arrays[1:]):
        return parts[0]
    raise HakkenError(
        f"{path}: {len(parts)} values a pixel (colour or vectors); convert it to one grey value a pixel, or give "
        "the channel of a picture a `colour`"
    )


def _check_exists(path: Path) -> None:
    if not path.exists():
        raise HakkenError(f"{path}: no such file; correct the path in the case table")
    if suffix(path) not in KNOWN:
        raise HakkenError(f"{path}: unknown kind of image; hakken reads {', '.join(KNOWN)} and folders of DICOM files")


def _check_file(path: Path) -> int:
    """Return how many pixels of a NIfTI file are NaN or infinite (0 for other kinds, whose reader keeps them).

    Raises HakkenError when the file is missing, of an unknown kind, or a NIfTI file that ends too early.
    """
    _check_exists(path)
    try:
        return _check_nifti(path) if suffix(path) in NIFTI else 0
    except PermissionError:
        raise HakkenError(f"{path}: no permission to read it; ask its owner or change its permissions") from None
    except (EOFError, zlib.error, gzip.BadGzipFile):
        raise HakkenError(f"{path}: cut off or damaged while copying; copy the file anew from its source") from None


def _check_nifti(path: Path) -> int:
    """Compare the length that a header promises with what the file holds; EOFError where it is short.

    Reading a compressed file to its end also checks its checksum. Returns how many pixels are NaN or infinite.
    """
    with path.open("rb") as plain:
        compressed = plain.read(2) == b"\x1f\x8b"
    missing = 0
    with gzip.open(path) if compressed else path.open("rb") as stream:
        header = stream.read(HEADER)
        needed, start, kind = _promised_bytes(header)
        length = len(header) + len(stream.read(max(0, start - HEADER)))
        while block := stream.read(MEGABYTE):
            length += len(block)
            if kind is not None:
                values = np.frombuffer(block, kind, count=len(block) // kind.itemsize)
                missing += values.size - int(np.count_nonzero(np.isfinite(values)))
    if length < needed:
        raise EOFError
    return missing


def _with_missing(volume: Volume, path: Path) -> Volume:
    """Return the volume of a NIfTI file with NaN where it holds no number: the reader puts 0 there without a word."""
    import nibabel

    values = np.asarray(nibabel.Nifti1Image.from_filename(path).dataobj).T.reshape(volume.array.shape)
    return Volume.on(volume.geometry, np.where(np.isfinite(values), volume.array, np.nan))


def _promised_bytes(header: bytes) -> tuple[int, int, np.dtype[np.floating[Any]] | None]:
    """Return the bytes that a NIfTI-1 file must have, where its pixels start, and their type if that is a float.

    ``header`` holds its first 348 bytes; raises EOFError where they are too few.
    """
    if len(header) < HEADER:
        raise EOFError
    order = next((order for order in "<>" if struct.unpack_from(f"{order}i", header)[0] == HEADER), None)
    if order is None:  # no NIfTI-1: the reader will say so
        return 0, HEADER, None
    dims = struct.unpack_from(f"{order}8h", header, 40)
    bits, start = struct.unpack_from(f"{order}h", header, 72)[0], struct.unpack_from(f"{order}f", header, 108)[0]
    voxels = math.prod(max(1, int(size)) for size in dims[1 : 1 + max(0, min(dims[0], 7))])
    kind = np.dtype(f"{order}f{bits // 8}") if struct.unpack_from(f"{order}h", header, 70)[0] in FLOATS else None
    return int(start) + voxels * int(bits) // 8, int(start), kind
