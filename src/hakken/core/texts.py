"""Text files that people write: read as UTF-8, or refused with the name of the encoding that fits.

Nothing but a regular file of a bearable size is opened: a pipe, a device or a file without an end would never be read.
"""

from __future__ import annotations

import re
import stat
from pathlib import Path

from hakken.core.errors import HakkenError

MEGABYTE = 1 << 20
MOST_TEXT = 512 * MEGABYTE
KINDS = (
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
)
MARKS = {
    b"\xff\xfe\0\0": "UTF-32",
    b"\0\0\xfe\xff": "UTF-32",
    b"\xff\xfe": "UTF-16",
    b"\xfe\xff": "UTF-16",
}
"""Byte-order marks, the longer ones first."""
FAR_EAST = {"cp932": "Shift-JIS", "euc_jp": "EUC-JP", "gb18030": "GB18030", "euc_kr": "EUC-KR", "big5": "Big5"}
COMMON = (("\u3000", "\u30ff"), ("\u4e00", "\u9fff"), ("\uac00", "\ud7a3"), ("\uff01", "\uff5e"))
"""Kana and signs, ideographs, hangul and wide letters."""
NO_TEXT = {
    b"PK\x03\x04": "a workbook of a spreadsheet, or an archive,",
    b"\xd0\xcf\x11\xe0": "a workbook of an old spreadsheet",
    b"\x1f\x8b": "a compressed file",
    b"%PDF": "a PDF document",
}
"""What a file is that begins so."""
SIGNS = "°±µ§«»\u2013\u2014\u2018\u2019“”€²³\u00d7®©ºª¿¡"
SHIFTS = (b"\x1b$B", b"\x1b$@", b"\x1b(J", b"\x1b$(D")
"""How ISO-2022-JP, an encoding of seven bits, announces Japanese letters."""


def require_file(path: Path, most: int = MOST_TEXT) -> int:
    """Return the size in bytes of a regular file.

    Raises HakkenError where it is no regular file or has more than ``most`` bytes, and OSError where it cannot be
    asked, FileNotFoundError among others.
    """
    found = path.stat()
    for is_kind, words in KINDS:
        if is_kind(found.st_mode):
            raise HakkenError(f"{path}: {words} and no file; name the file itself")
    if found.st_size > most:
        raise HakkenError(f"{path}: {amount(found.st_size)}, more than the {amount(most)} that such a file may have")
    return found.st_size


def amount(size: int) -> str:
    """Return a number of bytes in words.

    >>> amount(512), amount(1 << 20), amount(3 << 30)
    ('512 bytes', '1 MiB', '3.0 GiB')
    """
    if size < MEGABYTE:
        return f"{size:,} bytes"
    return f"{size // MEGABYTE:,} MiB" if size < MEGABYTE << 10 else f"{size / (MEGABYTE << 10):,.1f} GiB"


def read_text(path: Path, remedy: str, most: int = MOST_TEXT) -> str:
    """Return the text of a file without a byte-order mark, its line ends as `\\n`.

    Raises HakkenError for what is no regular file, too large, no text, or text in another encoding than UTF-8, which is
    named together with the ``remedy``; OSError where the file cannot be read.
    """
    require_file(path, most)
    content = path.read_bytes()
    for begin, what in NO_TEXT.items():
        if content.startswith(begin):
            raise HakkenError(f"{path}: {what} and no text; {remedy}")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise HakkenError(f"{path}: {_other(content)}; {remedy}") from None
    if any(shift in content for shift in SHIFTS):
        raise HakkenError(f"{path}: {_not_utf8('ISO-2022-JP')}; {remedy}")
    if "\0" in text:
        if encoding := _sixteen_bits(content):
            raise HakkenError(f"{path}: {_not_utf8(encoding)}; {remedy}")
        raise HakkenError(f"{path}: holds bytes that are no text; {remedy}")
    return text.replace("\r\n", "\n").replace("\r", "\n")


def fitting_encoding(content: bytes) -> str | None:
    """Return the name of the encoding that bytes, which are no UTF-8, are text in; None where nothing fits.

    Where several fit equally well all are named.

    >>> fitting_encoding("症例".encode("cp932")), fitting_encoding("größe".encode("latin-1"))
    ('Shift-JIS', 'Windows-1252 or Latin-1')
    """
    for mark, name in MARKS.items():
        if content.startswith(mark):
            return name
    if b"\0" in content:
        return _sixteen_bits(content)
    if _is_western(content):
        return "Windows-1252 or Latin-1"
    shares = {name: _share_of_letters(content, encoding) for encoding, name in FAR_EAST.items()}
    best = max(shares.values())
    for name in ("Shift-JIS", "EUC-JP"):  # nearly all of both reads as rare letters in GB18030 too
        if shares[name] == best > 0.7 and (name == "Shift-JIS" or _has_kana(content.decode("euc_jp"))):
            return name
    return " or ".join(name for name, share in shares.items() if share > best - 0.05) if best > 0.7 else None


def _other(content: bytes) -> str:
    encoding = fitting_encoding(content)
    return _not_utf8(encoding) if encoding else "holds bytes that are no text in UTF-8"


def _not_utf8(encoding: str) -> str:
    return f"not a text file in UTF-8 but, as it seems, in {encoding}"


def _sixteen_bits(content: bytes) -> str | None:
    """Return UTF-16 where every other byte of most text is zero, as plain letters are in it."""
    odd, even = content[1::2], content[0::2]
    zeros = max(odd.count(0), even.count(0))
    return "UTF-16" if zeros > 0.4 * max(len(odd), 1) and min(odd.count(0), even.count(0)) * 8 < zeros else None


def _is_western(content: bytes) -> bool:
    """Whether accents and signs stand within words of plain letters, one or two at a time, most of them small."""
    text = content.decode("cp1252", "replace")
    runs = re.findall(r"[^\x00-\x7f]+", text)
    high = "".join(runs)
    letters = [letter for letter in high if letter.isalpha()]
    small = sum(1 for letter in letters if letter.islower())
    return all(letter.isalpha() or letter in SIGNS for letter in high) and (
        max(map(len, runs), default=0) <= 2 and small * 2 >= len(letters) and (bool(letters) or high.strip("®©") != "")
    )


def _share_of_letters(content: bytes, encoding: str) -> float:
    """Return the share of common letters among those of a text that are not plain; 0 where it is no such text.

    Narrow katakana count half: two bytes of nearly every other letter read as two of them in Shift-JIS.
    """
    try:
        letters = [letter for letter in content.decode(encoding) if ord(letter) >= 0x80]
    except UnicodeDecodeError:
        return 0.0
    return sum(_commonness(letter) for letter in letters) / max(len(letters), 1)


def _has_kana(text: str) -> bool:
    return any("\u3040" <= letter <= "\u30ff" for letter in text)


def _commonness(letter: str) -> float:
    if "\uff61" <= letter <= "\uff9f":
        return 0.75
    return float(any(low <= letter <= high for low, high in COMMON))
