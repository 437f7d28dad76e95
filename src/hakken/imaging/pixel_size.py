"""How large a pixel of a picture is: what the study says, what the file says where it is asked to, or nobody knows.

What files say is the resolution of a printer or of a scanner's page as often as that of the patient (72 or 96 pixels an
inch stand in many by habit), and readers take it from some formats and not from others. So it counts on request alone.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Literal

from PIL import Image

from hakken.core.errors import HakkenError
from hakken.core.volume import IDENTITY, Volume

MM_PER_INCH = 25.4
X_RESOLUTION = 282  # the tag of TIFF and Exif
PixelSize = float | Literal["file"] | None
"""mm of a pixel; `file` for what each file says; None where nobody knows."""


def sized(picture: Volume, path: Path, pixel_mm: PixelSize) -> Volume:
    """Return a picture with pixels of ``pixel_mm``, or with lengths in px; its first pixel lies at the origin.

    Raises HakkenError where the file is to say it and does not.
    """
    if pixel_mm is None:
        return Volume(picture.array, unit="px")
    x, y = _of_file(path) if pixel_mm == "file" else (pixel_mm, pixel_mm)
    return replace(picture, spacing=(x, y, 1.0), origin=(0.0, 0.0, 0.0), direction=IDENTITY, unit="mm")


def _of_file(path: Path) -> tuple[float, float]:
    """Return the size x, y in mm of a pixel from the resolution that the file of a picture names."""
    with Image.open(path) as picture:
        dots = picture.info.get("dpi") if _is_named(picture) else None
    if dots is None or not all(0 < float(value) < float("inf") for value in dots):
        raise HakkenError(
            f"{path}: the file names no resolution, which `cohort.pixel_mm: file` asks for; give the size in mm there, "
            "or leave the key out and have lengths in pixels"
        )
    return MM_PER_INCH / float(dots[0]), MM_PER_INCH / float(dots[1])


def _is_named(picture: Image.Image) -> bool:
    """Whether the file itself names a resolution: the reader makes one up for TIFF and JPEG files without."""
    if picture.format not in ("TIFF", "JPEG"):
        return True
    return X_RESOLUTION in picture.getexif() or picture.info.get("jfif_unit", 0) > 0
