"""PBM, PGM and PPM: the numbers that stand in the file, with the highest one that its header allows left aside.

Libraries stretch the numbers to 8 or 16 bits, which makes other labels of a mask, and read comments letter by letter.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hakken.core.errors import HakkenError
from hakken.core.texts import MEGABYTE
from hakken.imaging.limits import AGAIN, cut_off, require_image_file, require_shape

NUMBER = re.compile(rb"(?:\s|#[^\n\r]*[\n\r])+(\d{1,9})(?=\s)")
COMMENT = re.compile(rb"#[^\n\r]*")
LONGEST_HEADER = 1 << 16
MOST_TEXT = 64 * MEGABYTE
MOST_BINARY = 1024 * MEGABYTE
WHITE = 255


@dataclass(frozen=True)
class _Header:
    """What a header says: kind 1 to 6, the size, the highest number, and where the pixels start."""

    kind: int
    columns: int
    rows: int
    most: int
    start: int

    @property
    def colours(self) -> int:
        """Numbers a pixel."""
        return 3 if self.kind in (3, 6) else 1


def read_pnm(path: Path) -> NDArray[Any]:
    """Return the numbers of a file, (rows, columns) or of colours (rows, columns, 3); of black and white 0 and 255.

    Raises HakkenError for what is no such file, cut off, too large or holds a number above the one that it allows.
    """
    require_image_file(path, MOST_TEXT if _is_text(path) else MOST_BINARY)
    header = _header(path)
    content = path.read_bytes()[header.start :]
    shape = (header.rows, header.columns, 3)[: 2 + (header.colours > 1)]
    if header.kind in (1, 4):
        return _bits(path, header, content).reshape(shape)
    numbers = _numbers(path, header, content)
    if (highest := int(numbers.max())) > header.most:
        raise HakkenError(f"{path}: holds {highest}, above the {header.most} of its header; {AGAIN}")
    return numbers.astype(np.uint8 if header.most < 256 else np.uint16).reshape(shape)


def pnm_shape(path: Path) -> tuple[int, int]:
    """Return rows and columns without reading the pixels."""
    header = _header(path)
    return header.rows, header.columns


def is_pnm(path: Path) -> bool:
    """Whether a file begins as these do."""
    with path.open("rb") as stream:
        begin = stream.read(3)
    return begin[:1] == b"P" and begin[1:2] in b"123456" and begin[2:].isspace()


def _is_text(path: Path) -> bool:
    with path.open("rb") as stream:
        return stream.read(2) in (b"P1", b"P2", b"P3")


def _header(path: Path) -> _Header:
    """Return what the header says; raises HakkenError where it has no end, or promises too much."""
    with path.open("rb") as stream:
        begin = stream.read(LONGEST_HEADER)
    kind = int(begin[1:2])
    wanted = 2 if kind in (1, 4) else 3
    found: list[int] = []
    place = 2
    while len(found) < wanted:
        number = NUMBER.match(begin, place)
        if number is None:
            raise HakkenError(f"{path}: no readable image (its header is incomplete); {AGAIN}")
        found.append(int(number[1]))
        place = number.end()
    columns, rows, most = [*found, 1][:3]
    require_shape(path, (columns, rows))
    if not 0 < most < 65536:
        raise HakkenError(f"{path}: numbers up to {most}, not 65535 at most; {AGAIN}")
    return _Header(kind, columns, rows, most, place + 1)


def _bits(path: Path, header: _Header, content: bytes) -> NDArray[np.uint8]:
    """Return 0 for black, which these files write as 1, and 255 for white."""
    if header.kind == 1:
        digits = np.frombuffer(COMMENT.sub(b"", content), np.uint8)
        black = digits[(digits == ord("0")) | (digits == ord("1"))] == ord("1")
        if black.size < header.rows * header.columns:
            raise cut_off(path)
    else:
        wide = math.ceil(header.columns / 8)
        if len(content) < wide * header.rows:
            raise cut_off(path)
        rows = np.frombuffer(content, np.uint8, wide * header.rows).reshape(header.rows, wide)
        black = np.unpackbits(rows, axis=1)[:, : header.columns].ravel().astype(bool)
    return np.where(black[: header.rows * header.columns], np.uint8(0), np.uint8(WHITE))


def _numbers(path: Path, header: _Header, content: bytes) -> NDArray[Any]:
    count = header.rows * header.columns * header.colours
    if header.kind in (2, 3):
        numbers: NDArray[Any] = _written(path, COMMENT.sub(b"", content))
    else:
        kind = np.dtype(np.uint8 if header.most < 256 else ">u2")
        numbers = np.frombuffer(content, kind, min(count, len(content) // kind.itemsize))
    if numbers.size < count:
        raise cut_off(path)
    return numbers[:count]


def _written(path: Path, content: bytes) -> NDArray[np.int64]:
    """Return numbers that are written out; raises HakkenError for what is none."""
    if content.translate(None, b"0123456789 \t\r\n\v\f"):
        raise HakkenError(f"{path}: holds letters among its numbers; {AGAIN}")
    return np.fromstring(content.decode("ascii"), np.int64, sep=" ")
