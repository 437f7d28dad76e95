"""Names and numbers in messages."""

import difflib
import unicodedata
from collections.abc import Iterable


def nearest(name: str, known: Iterable[object]) -> str:
    """Return '; did you mean `x`?' where a known name is close, else ''."""
    match = difflib.get_close_matches(name, [str(key) for key in known], n=1)
    return f"; did you mean `{match[0]}`?" if match else ""


def counted(number: int, what: str) -> str:
    """Return a number of things.

    >>> counted(1, "lesion"), counted(3, "patient")
    ('1 lesion', '3 patients')
    """
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def plain(name: str) -> str:
    """Return a name without what people write one way or the other: case, width, blanks, `_` and `-`.

    >>> plain("Case ID"), plain("case-id"), plain("CASE_ID")
    ('caseid', 'caseid', 'caseid')
    """
    letters = unicodedata.normalize("NFKC", name).casefold()
    return "".join(letter for letter in letters if not letter.isspace() and letter not in "_-")
