"""Bounds on images, asked before memory is taken: what a header promises is not believed until the file can hold it.

Files come from others. One of a few bytes can promise a thousand gigabytes, be a pipe that nobody writes to, or grow
a thousandfold on unpacking.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

from hakken.core.errors import HakkenError
from hakken.core.texts import MEGABYTE, amount, require_file

MOST_VOXELS = 1 << 29
"""512 x 512 x 2048, a whole body in thin slices."""
MOST_PIXELS = 10**8
"""Of one plane: 10,000 x 10,000."""
MOST_BYTES = 4096 * MEGABYTE
"""Of one file."""
DEFLATED = 1032
"""A byte that is compressed by deflate holds so many at most (zlib's technical details)."""
LEAST_MM, MOST_MM = 1e-3, 100.0
"""Sizes of a voxel: from micro-CT to a thick slab."""
LONGEST_MM = 5000.0
"""No patient is longer."""
FURTHEST_MM = 1e6
"""No scanner counts from a point that is further away; numbers of 32 bits are rough there."""
POINTER, LONGEST_POINTER = b"version https://git-lfs.github.com/", 1024
"""How a file begins that Git LFS keeps in place of a large one (its specification, `docs/spec.md`)."""
AGAIN = "copy the file anew from its source"


def require_image_file(path: Path, most: int = MOST_BYTES) -> int:
    """Return the bytes of an image file; raises HakkenError for what is missing, no regular file or too large."""
    try:
        size = require_file(path, most)
        if size < LONGEST_POINTER and path.read_bytes().startswith(POINTER):
            raise HakkenError(f"{path}: not the image but a pointer of Git LFS to it; fetch it with `git lfs pull`")
        return size
    except FileNotFoundError:
        raise HakkenError(f"{path}: no such file; correct the path in the case table") from None
    except OSError as error:
        raise unreadable(path, error) from None


def unreadable(path: Path, error: OSError) -> HakkenError:
    """Return what is said of a file that the system does not give."""
    if isinstance(error, PermissionError):
        return HakkenError(f"{path}: no permission to read it; ask its owner or change its permissions")
    return HakkenError(f"{path}: cannot be read ({error.strerror or error}); check the path and the disk")


def cut_off(path: Path) -> HakkenError:
    """Return what is said of a file that ends before what its header promises."""
    return HakkenError(f"{path}: cut off or damaged while copying; {AGAIN}")


def require_shape(path: Path, sizes: Sequence[int]) -> None:
    """Raise HakkenError where an image of ``sizes`` (x, y, z ...) is empty or larger than any that is read."""
    shown = "x".join(str(size) for size in sizes)
    if min(sizes, default=0) < 1:
        raise HakkenError(f"{path}: its header promises {shown} voxels; {AGAIN}")
    if math.prod(sizes[:2]) > MOST_PIXELS or math.prod(sizes) > MOST_VOXELS:
        raise HakkenError(
            f"{path}: {shown} voxels, more than the {MOST_PIXELS:,} of a plane or {MOST_VOXELS:,} of a volume that are "
            "read; cut the region of interest out, or resample it"
        )


def require_bytes(path: Path, held: int, needed: int, compressed: bool) -> None:
    """Raise HakkenError where a file of ``held`` bytes cannot hold the ``needed`` ones of its pixels."""
    if held * (DEFLATED if compressed else 1) < needed:
        raise cut_off(path)
    if needed > MOST_BYTES:
        raise HakkenError(
            f"{path}: {amount(needed)} of pixels, more than the {amount(MOST_BYTES)} that are read; cut the region of "
            "interest out, or resample it"
        )


def require_spacing(path: Path, spacing: Sequence[float], sizes: Sequence[int], unit: str = "mm") -> None:
    """Raise HakkenError where ``spacing`` (mm; x, y, z), with so many voxels (``sizes``), cannot be that of a patient.

    A dimension of one voxel has no neighbours: there any size above 0 will do. ``unit`` is what the header says.
    """
    shown = " x ".join(f"{value:g}" for value in spacing)
    for value, size in zip(spacing, sizes, strict=True):
        if not (math.isfinite(value) and value > 0):
            raise HakkenError(f"{path}: voxels of {shown} mm: every size must be a number above 0; correct the header")
        if size > 1 and not (LEAST_MM <= value <= MOST_MM and value * size <= LONGEST_MM):
            said = "" if unit == "mm" else f" (its header says {unit})"
            raise HakkenError(
                f"{path}: {'x'.join(str(one) for one in sizes)} voxels of {shown} mm{said}, which no image of a "
                "patient has; correct the header, or export the image again"
            )


def require_origin(path: Path, origin: Sequence[float]) -> None:
    """Raise HakkenError where the first voxel of an image (mm) lies nowhere, or further away than any scanner says."""
    if not all(math.isfinite(value) and abs(value) <= FURTHEST_MM for value in origin):
        shown = ", ".join(f"{value:g}" for value in origin)
        raise HakkenError(f"{path}: its first voxel lies at {shown} mm, which cannot be; correct the header")
