"""One thing that is wrong with the user's data, or odd: where it stands, why, and how to mend it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from hakken.core.names import counted

FEW = 3
"""What is said of more rows in the same words stands in one line."""


@dataclass(frozen=True)
class Problem:
    """A problem of one case; ``row`` is the line of the case table (the header is line 1), None where unknown.

    A problem that does not stop anything (``stops`` false) is a question: it is printed and kept, and nothing else.
    """

    case_id: str
    column: str
    reason: str
    remedy: str
    row: int | None = None
    stops: bool = True

    def __str__(self) -> str:
        place = f"row {self.row}" if self.row is not None else f"case {self.case_id}"
        return f"{place}, column {self.column}: {self.reason}; {self.remedy}"


def stopping(problems: Iterable[Problem]) -> list[Problem]:
    """Return the problems that nothing may go on with."""
    return [problem for problem in problems if problem.stops]


def questions(problems: Iterable[Problem]) -> list[Problem]:
    """Return the problems that are questions."""
    return [problem for problem in problems if not problem.stops]


def listed(problems: Sequence[Problem], source: str, what: str = "problem") -> str:
    """Return the message that lists ``problems`` of the file ``source``.

    A line each; what is said in the same words of more than three rows stands once, with all of them.
    """
    return "\n".join([f"{source}: {counted(len(problems), what)}", *(f"  {line}" for line in _lines(problems))])


def _lines(problems: Sequence[Problem]) -> Iterator[str]:
    rows: dict[tuple[str, str, str], list[int]] = {}
    for one in problems:
        if one.row is not None:
            rows.setdefault(_words(one), []).append(one.row)
    for one in problems:
        alike = rows.get(_words(one), [])
        if one.row is None or len(alike) <= FEW:
            yield str(one)
        elif one.row == alike[0]:
            yield f"rows {_ranges(alike)}, column {one.column}: {one.reason}; {one.remedy}"


def _words(problem: Problem) -> tuple[str, str, str]:
    return problem.column, problem.reason, problem.remedy


def _ranges(numbers: Iterable[int]) -> str:
    """Return whole numbers in words, those that follow each other as a range.

    >>> _ranges([2, 3, 4, 7, 10, 9])
    '2-4, 7, 9-10'
    """
    known = set(numbers)
    ordered = sorted(known)
    firsts = [number for number in ordered if number - 1 not in known]
    lasts = [number for number in ordered if number + 1 not in known]
    return ", ".join(f"{a}-{b}" if a < b else str(a) for a, b in zip(firsts, lasts, strict=True))
