"""Damage within a JPEG: its decoder goes on with whatever the bits say next, and tells nobody but the terminal.

The decoder (libjpeg) of SimpleITK writes what it meets to the standard output; that of Pillow is silent.
"""

from __future__ import annotations

import re
from contextlib import suppress
from pathlib import Path

import SimpleITK as sitk

from hakken.core.errors import HakkenError
from hakken.imaging.limits import AGAIN
from hakken.imaging.quiet import overheard

COMPLAINT = re.compile(r"Corrupt JPEG data: (.*)|(Premature end of JPEG file)")
AT_END = re.compile(r"(\d+) extraneous bytes before marker 0xd9")
FEW = 64
"""Bytes before the end; some cameras leave a few there."""


def jpeg_gap(path: Path) -> int:
    """Return how many bytes before the end of a JPEG belong to nothing; raises HakkenError for one that is damaged."""
    with overheard() as heard, suppress(RuntimeError):  # what it refuses others read, or refuse in words
        reader = sitk.ImageFileReader()
        reader.SetFileName(str(path))
        reader.SetImageIO("JPEGImageIO")
        reader.Execute()
    complaints = damage("".join(heard))
    at_end = AT_END.fullmatch(complaints[0]) if len(complaints) == 1 else None
    gap = int(at_end[1]) if at_end else 0
    if complaints and not 0 < gap <= FEW:
        raise HakkenError(f"{path}: damaged or cut off within its pixels ({complaints[0]}); {AGAIN}")
    return gap


def damage(heard: str) -> list[str]:
    """Return what a decoder of JPEG complains of in a text that it wrote.

    >>> damage("Corrupt JPEG data: bad Huffman code\\n")
    ['bad Huffman code']
    """
    return [found[1] or found[2] for found in COMPLAINT.finditer(heard)]
