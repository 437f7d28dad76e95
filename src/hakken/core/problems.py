"""One thing that is wrong with the user's data, or odd: where it stands, why, and how to mend it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from hakken.core.names import counted


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
    """Return the message that lists ``problems`` of the file ``source``, one line each."""
    return "\n".join([f"{source}: {counted(len(problems), what)}", *(f"  {problem}" for problem in problems)])
