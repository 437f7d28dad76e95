"""Image files to volumes and back: NIfTI, MetaImage, DICOM series, PNG, JPEG, TIFF, BMP, PGM and PPM.

Pixels and geometry are all that enters: no tag, description or name of a file's header goes into a volume or is
written. What a header says is questioned before memory is taken; nothing but HakkenError leaves the reading.
"""

from __future__ import annotations

import errno
import gzip
import shutil
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray

from hakken.core.errors import HakkenError
from hakken.core.files import replacing
from hakken.core.volume import Geometry, Volume
from hakken.imaging.convert import from_image, to_image
from hakken.imaging.dicom import is_dicom, read_series
from hakken.imaging.flat_files import picture_shape, read_picture
from hakken.imaging.limits import AGAIN, require_image_file, unreadable
from hakken.imaging.metaimage import check_metaimage
from hakken.imaging.nifti import nifti_geometry, read_nifti, require_whole
from hakken.imaging.pixel_size import PixelSize, sized
from hakken.imaging.quiet import quiet
from hakken.imaging.reading import Reading

NIFTI = (".nii.gz", ".nii", ".hdr", ".img")
META = (".mha", ".mhd")
FLAT = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp", ".pgm", ".ppm", ".pbm", ".pnm")
DICOM = (".dcm", ".ima")
KNOWN = (*NIFTI, *META, *FLAT, *DICOM)
PACKED = (".zip", ".tar", ".tgz", ".7z", ".rar", ".bz2", ".xz")
WRITTEN = (".nii.gz", ".nii", ".mha")
MEGABYTE = 1 << 20

sitk.ProcessObject.SetGlobalWarningDisplay(False)


def read_volume(path: Path, colour: str | None = None, pixel_mm: PixelSize = None) -> Volume:
    """Return the volume of a file, or of the DICOM series in a folder; a 2-D image is one slice.

    ``colour`` (`red`, `green`, `blue`) picks one colour of a colour picture; a grey one has the same three. The pixels
    of a picture are of ``pixel_mm``, or as large as its file says (`file`); without it lengths are in px. Raises
    HakkenError, naming the path, for what is missing, cut off, broken, larger than what is read, coloured where no
    colour is picked, of four dimensions or of a kind that is not known, for a header that cannot be right, and for an
    incomplete or mixed DICOM series.
    """
    return read_image(path, colour, pixel_mm).volume


def read_image(path: Path, colour: str | None = None, pixel_mm: PixelSize = None) -> Reading:
    """Return the volume of a file with what there is to say about it; raises HakkenError as `read_volume` does."""
    try:
        return _read(path, colour, pixel_mm)
    except HakkenError as error:
        if str(path) in str(error):
            raise
        raise HakkenError(f"{path}: {error}") from None  # of a volume that does not know its file
    except OSError as error:
        raise unreadable(path, error) from None
    except Exception as error:
        # Whatever a library makes of a damaged file, the other rows of the table have problems of their own.
        raise HakkenError(f"{path}: cannot be read ({type(error).__name__}); {AGAIN}") from None


def read_geometry(path: Path) -> Geometry:
    """Return the grid of an image file without reading its pixels (a DICOM series is read whole)."""
    if suffix(path) in NIFTI and not path.is_dir():
        return nifti_geometry(path)
    if suffix(path) in FLAT and not path.is_dir():
        return Geometry((1, *picture_shape(path)), unit="px")
    return read_volume(path).geometry


def _read(path: Path, colour: str | None, pixel_mm: PixelSize) -> Reading:
    kind = suffix(path)
    if path.is_dir() or kind in DICOM or (kind not in KNOWN and is_dicom(path)):
        return read_series(path)
    require_image_file(path)
    if kind in NIFTI:
        return read_nifti(path)
    if kind in META:
        check_metaimage(path)
        return Reading(_meta_volume(path))
    if kind in FLAT:
        found = read_picture(path, colour)
        return replace(found, volume=sized(found.volume, path, pixel_mm))
    if kind in PACKED:
        raise HakkenError(f"{path}: an archive; unpack it and name the file, or the folder of the series, in it")
    raise HakkenError(f"{path}: unknown kind of image; hakken reads {', '.join(KNOWN)} and folders of DICOM files")


def _meta_volume(path: Path) -> Volume:
    """Return the volume of a MetaImage file whose header was looked at."""
    reader = sitk.ImageFileReader()
    reader.SetFileName(str(path))
    reader.SetImageIO("MetaImageIO")
    try:
        with quiet():
            image = reader.Execute()
    except RuntimeError:
        raise HakkenError(f"{path}: its pixels cannot be read; {AGAIN}") from None
    while image.GetDimension() > 3:
        image = image[..., 0]
    return from_image(image if image.GetDimension() == 3 else sitk.JoinSeries(image))


def write_volume(path: Path, volume: Volume) -> None:
    """Write a volume as NIfTI or MetaImage, by the name's ending; the header holds geometry and nothing else."""
    if suffix(path) not in WRITTEN:
        raise HakkenError(f"{path}: volumes are written as .nii.gz, .nii or .mha")
    with _replacing(path) as temporary:
        sitk.WriteImage(to_image(volume), str(temporary), useCompression=suffix(path) != ".nii")
        if suffix(path) in NIFTI:
            require_whole(temporary)


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
