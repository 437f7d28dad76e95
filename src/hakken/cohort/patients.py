"""Who a patient is, however a table spells it."""

from __future__ import annotations

import hashlib
import re
import unicodedata

TOKEN = re.compile(r"[^\W\d_]+|\d+")
OF_SPREADSHEET = re.compile(r"(\d+)\.0+")
PERSONAL = re.compile(r"[^\W\d_]{2,}(?:\s*[,、]\s*|\s+|\^)[^\W\d_]{2,}.*")
KANJI = re.compile(r"[\u3041-\u30ff\u3400-\u9fff]{2,}(?:[\s\u3000・]?[\u3041-\u30ff\u3400-\u9fff]+)*")
DOMAIN = "hakken patient"


def normalised(patient: str) -> str:
    """Return the spelling that two cells of one patient share.

    Width, case, separators and leading zeros do not count, nor does the `.0` that spreadsheets add to a number.

    >>> normalised("P-007"), normalised("p7"), normalised("007"), normalised("7.0")
    ('p-7', 'p-7', '7', '7')
    """
    text = unicodedata.normalize("NFKC", patient).casefold().strip()
    if number := OF_SPREADSHEET.fullmatch(text):
        text = number[1]
    tokens = [part.lstrip("0") or "0" if part.isdigit() else part for part in TOKEN.findall(text)]
    return "-".join(tokens) or text


def patient_hash(patient: str) -> str:
    """Return what stands for a patient where no names may stand: the SHA-256 of the normalised spelling."""
    return hashlib.sha256(f"{DOMAIN} {normalised(patient)}".encode()).hexdigest()


def looks_personal(patient: str) -> bool:
    """Whether a cell looks like the name of a person: two words of letters, or a word in Japanese script.

    >>> looks_personal("Taro Yamada"), looks_personal("YAMADA^TARO"), looks_personal("P-007")
    (True, True, False)
    """
    text = unicodedata.normalize("NFKC", patient).strip()
    return bool((PERSONAL.fullmatch(text) and not re.search(r"\d", text)) or KANJI.fullmatch(text))
