"""What a case is called, and what its files are called.

A case id is what a user wrote: every table, figure and message shows it so. Only the two ways in which Unicode spells
one letter (NFC and NFD) and the blanks around it are made one. Whatever it holds, the files of the case have names that
every file system takes (`file_name`), which depend on the id alone.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata

LONGEST = 100
SAFE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")
RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)", re.IGNORECASE)
"""Devices of Windows: no file may have such a name, whatever its ending."""
MARK = "~"
"""Between the readable part and the hash of a name that is made; no safe id holds it."""
DIGITS = 16
READABLE = 40
NO_LETTER = {"Cc", "Cf", "Cn", "Co", "Cs", "Zl", "Zp"}
"""Categories of what is no letter, sign or blank: control and format characters, line ends, unassigned ones."""
SELECTORS = re.compile("[\u180b-\u180d\u180f\ufe00-\ufe0f\U000e0100-\U000e01ef]")
"""Marks that choose one of the shapes of the letter before: to the eye the same letter."""
REMEDY = f"write a name of 1 to {LONGEST} visible letters, digits, signs and blanks"


def tidy(text: str) -> str:
    """Return an id as it is kept and compared: composed letters (NFC), no blanks around it.

    >>> tidy("  症例 01 "), tidy("e\u0301") == "\u00e9"
    ('症例 01', True)
    """
    return unicodedata.normalize("NFC", text).strip()


def folded(case_id: str) -> str:
    """Return what two ids share that a reader, or some file system, takes for one: case, width, lengths of blanks.

    >>> folded("Case  01") == folded("case 01"), folded("a_1") == folded("a-1")
    (True, False)
    """
    text = unicodedata.normalize("NFKC", SELECTORS.sub("", case_id)).casefold()
    return " ".join(unicodedata.normalize("NFKC", text).split())


def why_no_id(case_id: str) -> str | None:
    """Return why a text cannot be a case id, None where it can.

    >>> why_no_id("症例 01"), why_no_id("a" + chr(9) + "b")
    (None, 'holds U+0009, which no reader sees')
    """
    if not case_id:
        return "is empty"
    if len(case_id) > LONGEST:
        return f"has {len(case_id)} letters, more than {LONGEST}"
    unseen = next((letter for letter in case_id if unicodedata.category(letter) in NO_LETTER), None)
    return None if unseen is None else f"holds U+{ord(unseen):04X}, which no reader sees"


def shortened(case_id: str) -> str:
    """Return an id as a message can hold it: what no reader sees as its code, a long one cut.

    >>> shortened("a" + chr(10) + "b"), len(shortened("a" * 300))
    ('a<U+000A>b', 41)
    """
    cut = case_id if len(case_id) <= LONGEST else f"{case_id[:READABLE]}…"
    return "".join(f"<U+{ord(one):04X}>" if unicodedata.category(one) in NO_LETTER else one for one in cut)


def as_id(text: str) -> str:
    """Return a case id from the name of a file or folder: the name itself, without what no reader sees.

    >>> as_id("patient 07 (left)"), as_id("症例1"), as_id("a" + chr(10))
    ('patient 07 (left)', '症例1', 'a')
    """
    seen = "".join(letter for letter in text if unicodedata.category(letter) not in NO_LETTER)
    return tidy(seen)[:LONGEST].strip() or "case"


def file_name(case_id: str) -> str:
    """Return what the names of the files of a case begin with: ASCII letters, digits, `_`, `-` and at most one `~`.

    An id of such letters is its own; any other gives what is readable of it, `~`, and a hash of the whole, so that two
    ids never share a file. Device names of Windows count as others.

    >>> file_name("case-01"), file_name("症例 01"), file_name("a/b")
    ('case-01', '01~d862bd24848b56ee', 'a-b~c14cddc033f64b9d')
    """
    name = tidy(case_id)
    if SAFE.fullmatch(name) and not RESERVED.fullmatch(name):
        return name
    letters = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    readable = re.sub(r"[^A-Za-z0-9]+", "-", letters).strip("-")[:READABLE].rstrip("-") or "case"
    return f"{readable}{MARK}{hashlib.sha256(name.encode()).hexdigest()[:DIGITS]}"
