"""Help with misspelt names."""

import difflib
from collections.abc import Iterable


def nearest(name: str, known: Iterable[object]) -> str:
    """Return '; did you mean `x`?' where a known name is close, else ''."""
    match = difflib.get_close_matches(name, [str(key) for key in known], n=1)
    return f"; did you mean `{match[0]}`?" if match else ""
