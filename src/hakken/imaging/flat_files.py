"""Pictures: PNG, JPEG, TIFF, BMP, PGM and PPM to one slice of grey values, or of one colour, as every viewer shows it.

Pillow reads them, and refuses what is cut off. What it would change in silence is read otherwise or refused: colours of
16 bits, of which it keeps eight, transparency, colours for print, further pages.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray
from PIL import Image, TiffImagePlugin, UnidentifiedImageError

from hakken.core.errors import HakkenError
from hakken.core.names import counted
from hakken.core.volume import Volume
from hakken.imaging.jpeg import jpeg_gap
from hakken.imaging.limits import AGAIN, MOST_PIXELS, require_image_file, require_shape, unreadable
from hakken.imaging.pnm import is_pnm, pnm_shape, read_pnm
from hakken.imaging.quiet import quiet
from hakken.imaging.reading import Reading

FORMATS = ("PNG", "JPEG", "TIFF", "BMP")
BLACK_IS_ZERO = 1
"""The PhotometricInterpretation of grey values (TIFF 6.0, section 4)."""
for _order in (b"II", b"MM"):
    for _extra in ((), (0, 0)):
        # Grey by its tag and three samples a pixel, with or without ExtraSamples: so CVC-ClinicDB stores its frames,
        # and Pillow knows no mode for it.
        TiffImagePlugin.OPEN_INFO.setdefault((_order, BLACK_IS_ZERO, (1,), 1, (8, 8, 8), _extra), ("RGB", "RGB"))
COLOURS = {"red": 0, "green": 1, "blue": 2}
ORIENTATION = 0x0112
TURNS = {
    2: "mirrored",
    3: "turned by 180 degrees",
    4: "turned upside down and mirrored",
    5: "turned by 90 degrees and mirrored",
    6: "turned by 90 degrees",
    7: "turned by 90 degrees and mirrored",
    8: "turned by 90 degrees",
}
"""What the EXIF orientation of a picture asks viewers to do (CIPA DC-008, 4.6.4)."""
GREY = ("1", "L", "I", "I;16", "I;16B", "I;16L", "I;16N", "F")
COLOURED = ("RGB", "RGBA", "RGBX", "YCbCr")
BITS_PER_SAMPLE, PHOTOMETRIC, SAMPLE_FORMAT, UNSIGNED = 258, 262, 339, 1
KEPT = {(bits, UNSIGNED) for bits in (1, 2, 4, 8, 16)} | {(16, 2), (32, 2), (32, 3)}
TURNED = {(8, 2), (32, UNSIGNED)}
"""Bits and format (TIFF 6.0, section 19: 1 unsigned, 2 signed, 3 floating) of the numbers that Pillow keeps, or not."""
SCAN, END = b"\xff\xda", b"\xff\xd9"  # markers of a JPEG, ITU T.81, B.1.1.3
ONE_GREY = "convert it to one grey value a pixel, or give the channel of a picture a `colour`"
PNG_MARK, PNG_COLOURS = b"\x89PNG\r\n\x1a\n", (2, 6)

Pixels = NDArray[Any]


def read_picture(path: Path, colour: str | None = None) -> Reading:
    """Return a picture as one slice of pixels without a size, with remarks on what its header leaves open.

    ``colour`` (`red`, `green`, `blue`) picks one colour; a grey picture has the same three. A picture that asks its
    viewer to be turned is turned; three values a pixel are colours, though a TIFF calls itself grey. Raises HakkenError
    for what is cut off or damaged, of several pages, partly transparent, for print (CMYK), or coloured where no colour
    is picked.
    """
    if is_pnm(path):
        return Reading(Volume(_one_value(path, read_pnm(path), colour)[None]))
    with _opened(path) as picture:
        asked = _orientation(picture)  # before the pixels are read: Pillow turns a TIFF then, and forgets it
        reader = _deep_reader(path, picture)
        if reader == "TIFFImageIO" and asked in TURNS:  # it would make bytes of the numbers
            raise HakkenError(f"{path}: numbers that are kept only upright, and a tag that turns them; save it turned")
        pixels = _pixels(path, picture, reader)
        if asked in TURNS and (reader or picture.format != "TIFF"):
            pixels = _turned(pixels, asked)
        remarks = list(_remarks(picture, asked))
        jpeg = picture.format in ("JPEG", "MPO")
    if jpeg and (skipped := jpeg_gap(path)):
        remarks.append(f"has {counted(skipped, 'byte')} before its end that belong to nothing: a part may be damaged")
    return Reading(Volume(_one_value(path, pixels, colour)[None]), tuple(remarks))


def _remarks(picture: Image.Image, orientation: int) -> tuple[str, ...]:
    """Return what was made of a picture that its header does not say, or that viewers may show otherwise."""
    remarks = []
    if turn := TURNS.get(orientation):
        remarks.append(f"is {turn}, as its EXIF orientation asks")
    if picture.mode == "RGB" and _tags(picture).get(PHOTOMETRIC) == BLACK_IS_ZERO:
        remarks.append("calls itself grey but holds three values a pixel, which are taken as red, green and blue")
    return tuple(remarks)


def _tags(picture: Image.Image) -> Mapping[int, Any]:
    """Return the tags of a TIFF, none of another picture."""
    return picture.tag_v2 if isinstance(picture, TiffImagePlugin.TiffImageFile) else {}


def picture_shape(path: Path) -> tuple[int, int]:
    """Return rows and columns of a picture as a viewer shows it, without reading its pixels."""
    require_image_file(path)
    if is_pnm(path):
        return pnm_shape(path)
    with _opened(path) as picture:
        columns, rows = picture.size
        across = _orientation(picture) in (5, 6, 7, 8) and picture.format != "TIFF"  # of which Pillow says it turned
    return (columns, rows) if across else (rows, columns)


@contextmanager
def _opened(path: Path) -> Iterator[Image.Image]:
    """Open a picture whose header was read and whose size is bearable; whatever its decoder raises becomes words."""
    require_image_file(path)
    try:
        with warnings.catch_warnings(), quiet():
            warnings.simplefilter("ignore")  # of sizes, which are asked here, and of tags that are not used
            with Image.open(path, formats=FORMATS) as picture:
                require_shape(path, picture.size)
                _check_kind(path, picture)
                yield picture
    except HakkenError:
        raise
    except PermissionError as error:
        raise unreadable(path, error) from None
    except Image.DecompressionBombError:
        said = f"more than the {MOST_PIXELS:,} of a plane that are read; cut the region of interest out, or resample it"
        raise HakkenError(f"{path}: {said}") from None
    except UnidentifiedImageError as error:
        if _is_odd_tiff(path):
            said = "a TIFF of numbers that are not read; save it with one grey value or RGB a pixel, of 8 or 16 bits"
            raise HakkenError(f"{path}: {said}") from None
        raise _no_image(path, error) from None
    except Exception as error:
        # A decoder meets anything in a damaged file, and raises anything.
        raise _no_image(path, error) from None


def _no_image(path: Path, error: Exception) -> HakkenError:
    return HakkenError(f"{path}: no readable image, or cut off ({_short(error)}); {AGAIN}")


def _is_odd_tiff(path: Path) -> bool:
    """Whether a file is a TIFF whose tags are sound and whose pixels are of a mode that Pillow does not know."""
    try:
        TiffImagePlugin.TiffImageFile(path).close()
    except SyntaxError as error:  # what Pillow raises for a file that it does not take
        return str(error) == "unknown pixel mode"
    except Exception:
        pass  # damaged: a decoder raises anything
    return False


def _short(error: Exception) -> str:
    """Return what a decoder says in one short line, without the path that it may repeat."""
    said = str(error).split("\n")[0]
    return type(error).__name__ if "/" in said or not said else said[:80]


def _check_kind(path: Path, picture: Image.Image) -> None:
    if picture.format != "MPO" and _has_more(picture):  # an MPO is a JPEG with smaller copies of it behind
        raise HakkenError(f"{path}: holds several pictures; give one, or a volume as NIfTI, which knows their distance")
    if picture.format in ("JPEG", "MPO") and not _is_whole(path.read_bytes()):
        raise HakkenError(f"{path}: no readable image, or cut off (it has no end); {AGAIN}")
    if picture.mode in ("CMYK", "LAB", "HSV"):
        raise HakkenError(f"{path}: colours for print ({picture.mode}); convert it to RGB or to grey values")


def _is_whole(jpeg: bytes) -> bool:
    """Whether the last scan of a JPEG has an end: what is missing its library fills with grey without a word."""
    return END in jpeg[jpeg.rfind(SCAN) :]


def _has_more(picture: Image.Image) -> bool:
    """Whether a file holds a second picture; all are not counted, since there may be millions."""
    try:
        picture.seek(1)
    except EOFError:
        picture.seek(0)
        return False
    return True


def _orientation(picture: Image.Image) -> int:
    """Return how a picture asks to be turned, 1 where it does not."""
    asked = picture.getexif().get(ORIENTATION, 1)
    return asked if isinstance(asked, int) else 1


def _turned(pixels: Pixels, orientation: int) -> Pixels:
    """Return pixels (rows, columns, ...) as a viewer shows them that obeys an EXIF orientation."""
    if orientation in (5, 6, 7, 8):
        pixels = np.swapaxes(pixels, 0, 1)
    down, across = {2: (1, -1), 3: (-1, -1), 4: (-1, 1), 5: (1, 1), 6: (1, -1), 7: (-1, -1), 8: (-1, 1)}[orientation]
    return np.ascontiguousarray(pixels[::down, ::across])


def _pixels(path: Path, picture: Image.Image, reader: str | None) -> Pixels:
    """Return grey values (rows, columns) or colours (rows, columns, 3); HakkenError where some are transparent."""
    if reader:
        deep = _deep_colours(path, reader)
        if deep.ndim == 2:
            return deep
        _check_opaque(path, deep[..., 3] if deep.shape[2] == 4 else None, 65535)
        return deep[..., :3]
    if picture.mode in GREY:
        pixels = np.asarray(picture.convert("L") if picture.mode == "1" else picture)
        _check_transparent_grey(path, picture, pixels)
        return pixels.astype(pixels.dtype.newbyteorder("="))
    has_alpha = picture.has_transparency_data
    pixels = np.asarray(picture.convert("RGBA" if has_alpha else "RGB"))
    _check_opaque(path, pixels[..., 3] if has_alpha else None, 255)
    return pixels[..., :3]


def _deep_reader(path: Path, picture: Image.Image) -> str | None:
    """Return what reads numbers that Pillow would change: colours of 16 bits (RFC 2083, 4.1.1), some types of TIFF."""
    if picture.format == "TIFF":
        return None if _keeps(path, picture) else "TIFFImageIO"
    with path.open("rb") as stream:
        begin = stream.read(26)
    deep = begin.startswith(PNG_MARK) and len(begin) == 26 and begin[24] == 16 and begin[25] in PNG_COLOURS
    return "PNGImageIO" if deep else None


def _keeps(path: Path, picture: Image.Image) -> bool:
    """Whether Pillow keeps the numbers of a TIFF as they are; raises HakkenError for types that nobody here reads.

    Of colours it keeps eight bits; it takes bytes with a sign for such without, and 32 bits without for such with.
    """
    tags = _tags(picture)
    bits, formats = tags.get(BITS_PER_SAMPLE, (1,)), tags.get(SAMPLE_FORMAT, (UNSIGNED,))
    kind = (max(bits), max(formats))
    if picture.mode in COLOURED:
        return bool(kind[0] <= 8)
    if kind in KEPT:
        return True
    if kind in TURNED:
        return False
    names = {UNSIGNED: "whole", 2: "whole", 3: "floating"}
    raise HakkenError(f"{path}: {names.get(kind[1], 'other')} numbers of {kind[0]} bits; save it with 8 or 16 bits")


def _deep_colours(path: Path, reads: str) -> Pixels:
    reader = sitk.ImageFileReader()
    reader.SetFileName(str(path))
    reader.SetImageIO(reads)
    return np.asarray(sitk.GetArrayFromImage(reader.Execute()))


def _check_transparent_grey(path: Path, picture: Image.Image, pixels: Pixels) -> None:
    """Raise HakkenError where some pixels have the grey value that a file names as transparent."""
    clear = picture.info.get("transparency")
    if isinstance(clear, int) and (pixels == clear).any():
        _refuse_transparent(path)


def _check_opaque(path: Path, alpha: Pixels | None, opaque: int) -> None:
    if alpha is not None and (alpha != opaque).any():
        _refuse_transparent(path)


def _refuse_transparent(path: Path) -> None:
    raise HakkenError(
        f"{path}: partly transparent, and what stands there depends on the viewer; save it without transparency"
    )


def _one_value(path: Path, pixels: Pixels, colour: str | None) -> Pixels:
    """Return one value a pixel (rows, columns): grey as it is, one colour, or that of three equal ones."""
    if pixels.ndim == 2:
        return pixels
    if colour is not None:
        return np.ascontiguousarray(pixels[..., COLOURS[colour]])
    if np.array_equal(pixels[..., 0], pixels[..., 1]) and np.array_equal(pixels[..., 0], pixels[..., 2]):
        return np.ascontiguousarray(pixels[..., 0])
    raise HakkenError(f"{path}: {pixels.shape[2]} values a pixel (colour or vectors); {ONE_GREY}")
