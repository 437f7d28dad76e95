"""Single values of DICOM headers, read by pydicom; what is damaged or no number where one belongs is named.

Messages hold file names, attributes and numbers, and nothing that names a patient.
"""

from __future__ import annotations

import math
import warnings
from pathlib import Path
from typing import IO, Any

import pydicom
from pydicom.errors import InvalidDicomError

from hakken.core.errors import HakkenError
from hakken.imaging.limits import AGAIN, require_image_file, unreadable

pydicom.config.settings.reading_validation_mode = pydicom.config.IGNORE  # what is used is checked here, and named
DEFLATED = b"1.2.840.10008.1.2.1.99"  # a transfer syntax, PS3.6, A
MOST_FILE = 1 << 29
"""Bytes of a DICOM file."""


def read_header(path: Path, keywords: list[str] | None = None, stream: IO[bytes] | None = None) -> pydicom.Dataset:
    """Return the header of a DICOM file up to its pixels, or the ``keywords`` of it.

    A ``stream`` that is given is read instead of the file, and stays where the pixels begin. Raises HakkenError where
    there is no readable header.
    """
    require_image_file(path, MOST_FILE)
    _check_not_deflated(path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of what a header should not hold; what is used is checked
            return pydicom.dcmread(stream or path, stop_before_pixels=True, specific_tags=list(keywords or ()) or None)
    except PermissionError as error:
        raise unreadable(path, error) from None
    except InvalidDicomError:
        raise HakkenError(
            f"{path}: no DICOM file (its mark DICM is missing); {AGAIN}, or convert it to NIfTI"
        ) from None
    except Exception:
        # A damaged header may raise anything.
        raise HakkenError(f"{path}: no readable DICOM image; {AGAIN}") from None


def _check_not_deflated(path: Path) -> None:
    """Raise HakkenError for a file that is compressed as a whole: unpacked, it may be of any size."""
    with path.open("rb") as stream:
        begin = stream.read(4096)
    if begin[128:132] == b"DICM" and DEFLATED in begin:
        raise HakkenError(f"{path}: compressed as a whole (deflated); export it without that")


def tag_of(keyword: str) -> str:
    """Return the tag of an attribute as documents write it.

    >>> tag_of("PatientWeight")
    '(0010,1030)'
    """
    tag = pydicom.datadict.tag_for_keyword(keyword) or 0
    return f"({tag >> 16:04x},{tag & 0xFFFF:04x})"


def numbers(dataset: pydicom.Dataset, keyword: str, path: Path) -> tuple[float, ...] | None:
    """Return the finite numbers of an attribute, None where it is missing or empty; HakkenError for no numbers."""
    try:
        value = dataset.get(keyword)
        values = [] if value is None else value if isinstance(value, pydicom.multival.MultiValue) else [value]
        found = tuple(float(one) for one in values if str(one).strip() != "")
    except (ValueError, TypeError, OverflowError, NotImplementedError):
        found = (math.nan,)
    if not all(math.isfinite(one) for one in found):
        raise HakkenError(
            f"{path}: {keyword} {tag_of(keyword)} is `{_shown(dataset, keyword)}`, which is no number; correct the "
            "header, or export the series again"
        )
    return found or None


def number(dataset: pydicom.Dataset, keyword: str, path: Path) -> float | None:
    """Return the one number of an attribute, None where it is missing; raises HakkenError for several or none."""
    found = numbers(dataset, keyword, path)
    if found is not None and len(found) != 1:
        raise HakkenError(
            f"{path}: {keyword} {tag_of(keyword)} holds {len(found)} numbers, not one; correct the header"
        )
    return found[0] if found else None


def text(dataset: pydicom.Dataset, keyword: str) -> str:
    """Return an attribute as text, empty where it is missing or cannot be read."""
    try:
        return str(dataset.get(keyword, "") or "").strip(" \x00")
    except (ValueError, TypeError, OverflowError, NotImplementedError):
        return ""


def private_number(header: pydicom.Dataset, block: tuple[int, str], element: int, path: Path) -> float | None:
    """Return a number of a vendor; None where there is none, HakkenError where it is no number."""
    written = private_text(header, block, element)
    try:
        found = float(written) if written else None
    except ValueError:
        found = math.nan
    if found is not None and not (math.isfinite(found) and found >= 0):
        place = f"({block[0]:04x},xx{element:02x})"
        raise HakkenError(f"{path}: the private element {place} is no number above 0; export the series again")
    return found


def private_text(header: pydicom.Dataset, block: tuple[int, str], element: int) -> str:
    """Return a private element as text, empty where there is none; of unknown type it is bytes."""
    try:
        value: Any = header.private_block(*block)[element].value
    except KeyError:
        return ""
    return (value.decode("ascii", "ignore") if isinstance(value, bytes) else str(value)).strip(" \x00")


def _shown(dataset: pydicom.Dataset, keyword: str) -> str:
    """Return what stands there instead of a number, shortly."""
    try:
        value: Any = dataset.get_item(keyword).value
    except (AttributeError, KeyError, ValueError):
        return "unreadable"
    parts = value if isinstance(value, list | pydicom.multival.MultiValue) else [value]
    words = "\\".join(one.decode("ascii", "replace") if isinstance(one, bytes) else str(one) for one in parts)
    return words.strip(" \x00")[:20]
