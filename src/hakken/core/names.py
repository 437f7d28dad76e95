"""Names and numbers in messages."""

import difflib
import math
import unicodedata
from collections.abc import Callable, Iterable

INITIALS = ("ct", "mr", "pca", "pet", "suv")


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


def spoken(name: str) -> str:
    """Return a name as people read it.

    >>> spoken("learning_rate"), spoken("pca_reconstruction")
    ('learning rate', 'PCA reconstruction')
    """
    return " ".join(word.upper() if word in INITIALS else word for word in name.split("_"))


def plain(name: str) -> str:
    """Return a name without what people write one way or the other: case, width, blanks, `_` and `-`.

    >>> plain("Case ID"), plain("case-id"), plain("CASE_ID")
    ('caseid', 'caseid', 'caseid')
    """
    letters = unicodedata.normalize("NFKC", name).casefold()
    return "".join(letter for letter in letters if not letter.isspace() and letter not in "_-")


def spelt_alike(values: Iterable[str], what: str, fold: Callable[[str], object] | None = None) -> list[str]:
    """Return a warning for each group of different ``values`` of which each is spelt nearly as the others.

    That is, but for case, width and blanks or as the same number, or by what ``fold`` makes of them. ``what`` they are
    is said in the plural.

    >>> spelt_alike(["x", "X ", "y", "1", "1.0", "-1"], "classes")
    ['classes `X ` and `x` differ in spelling alone; they count as different ones', \
'classes `1` and `1.0` differ in spelling alone; they count as different ones']
    """
    groups: dict[object, list[str]] = {}
    for value in dict.fromkeys(values):
        groups.setdefault((fold or _spelling)(value), []).append(value)
    return [
        f"{what} {' and '.join(f'`{name}`' for name in sorted(group))} differ in spelling alone; they count as "
        "different ones"
        for group in groups.values()
        if len(group) > 1
    ]


def _spelling(value: str) -> str | float:
    """Return a number, or a text without case, width and blanks at its ends."""
    text = unicodedata.normalize("NFKC", value).casefold().strip()
    try:
        number = float(text)
    except ValueError:
        return text
    return text if math.isnan(number) else number
