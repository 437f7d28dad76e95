"""One thing that is wrong with the user's data: where it stands, why it is wrong and how to mend it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Problem:
    """A problem of one case; ``row`` is the line of the case table (the header is line 1), None where unknown."""

    case_id: str
    column: str
    reason: str
    remedy: str
    row: int | None = None

    def __str__(self) -> str:
        place = f"row {self.row}" if self.row is not None else f"case {self.case_id}"
        return f"{place}, column {self.column}: {self.reason}; {self.remedy}"


def listed(problems: Sequence[Problem], source: str) -> str:
    """Return the message that lists ``problems`` of the file ``source``, one line each."""
    count = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
    return "\n".join([f"{source}: {count}", *(f"  {problem}" for problem in problems)])
