"""Lesions that lie outside of the region of interest: nobody can find them there, and sensitivity ends below 1."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from hakken.core.errors import HakkenError
from hakken.core.names import counted
from hakken.imaging.prepared import PreparedCase

SHOWN = 3


@dataclass(frozen=True)
class Outside:
    """The included lesions of some cases, and those outside of the mask: case and number of each."""

    lesions: int
    missed: tuple[tuple[str, int], ...]

    @property
    def share(self) -> float:
        """The share of the lesions that lie outside; 0 without lesions."""
        return len(self.missed) / self.lesions if self.lesions else 0.0

    @property
    def ceiling(self) -> float:
        """The highest sensitivity that there can be."""
        return 1 - self.share

    @property
    def warnings(self) -> tuple[str, ...]:
        """What stands where a sensitivity stands; nothing where no lesion lies outside."""
        return (f"at most {self.ceiling:.3g} of the lesions can be found: {self.words}",) if self.missed else ()

    def as_dict(self) -> dict[str, Any]:
        """Return how many lesions there are, those outside by case and number, and the ceiling, for JSON."""
        return {"lesions": self.lesions, "missed": [list(one) for one in self.missed], "ceiling": self.ceiling}

    @property
    def words(self) -> str:
        """How many lie outside, and which.

        >>> Outside(44, (("a", 1), ("a", 3))).words
        '2 of 44 lesions lie outside of the mask (lesions 1 and 3 of a)'
        """
        count = f"{len(self.missed)} of {counted(self.lesions, 'lesion')}"
        verb = "lies" if len(self.missed) == 1 else "lie"
        return f"{count} {verb} outside of the mask ({self._named})"

    @property
    def _named(self) -> str:
        by_case: dict[str, list[str]] = {}
        for case, lesion in self.missed:
            by_case.setdefault(case, []).append(str(lesion))
        shown = [f"{_lesions(numbers)} of {case}" for case, numbers in list(by_case.items())[:SHOWN]]
        more = len(by_case) - SHOWN
        return ", ".join(shown) + (f", and in {counted(more, 'more case')}" if more > 0 else "")


def outside_of(cases: Iterable[PreparedCase]) -> Outside:
    """Return the lesions of prepared cases that lie outside of the mask; excluded findings do not count."""
    lesions, missed = 0, []
    for case in cases:
        counting = [lesion.lesion for lesion in case.lesions if lesion.kind == "included"]
        lesions += len(counting)
        missed += [(case.case_id, number) for number in counting if number in case.outside]
    return Outside(lesions, tuple(missed))


def require_inside(cases: Iterable[PreparedCase], accepted: float, part: str, mask: str) -> None:
    """Raise HakkenError naming the lesions outside of the ``mask`` where their share exceeds what is ``accepted``."""
    found = outside_of(cases)
    if found.share > accepted:
        raise HakkenError(
            f"{part}: {found.words}, so that no more than {found.ceiling:.2g} of them can be found; choose another "
            f"region of interest than `preparation.mask: {mask}`, or accept it: `evaluation.accept_outside: "
            f"{_rounded_up(found.share):g}`"
        )


def _lesions(numbers: list[str]) -> str:
    """Return some lesions by their numbers, the first few of many."""
    if len(numbers) == 1:
        return f"lesion {numbers[0]}"
    if len(numbers) > SHOWN + 1:
        return f"lesions {', '.join(numbers[:SHOWN])} and {len(numbers) - SHOWN} more"
    return f"lesions {', '.join(numbers[:-1])} and {numbers[-1]}"


def _rounded_up(share: float) -> float:
    """Return a share rounded up to two digits.

    >>> _rounded_up(0.501), _rounded_up(0.5)
    (0.51, 0.5)
    """
    return -(-round(share * 100, 6) // 1) / 100
