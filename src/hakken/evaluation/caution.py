"""What a reader must know of a number before believing it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

FEW_PATIENTS = 10
"""Intervals from at most so many patients are no certainty."""

NO_WIDTH = "the interval has no width, which does not mean that the value is certain"


@dataclass(frozen=True)
class Caution:
    """A sentence on a number; ``about`` is the number's name, empty where the sentence is about all of them.

    >>> Caution("CPM", "null").line, Caution("", "2 patients").line
    ('CPM: null', '2 patients')
    """

    about: str
    text: str

    @property
    def line(self) -> str:
        """The caution as it stands where its number does not."""
        return f"{self.about}: {self.text}" if self.about else self.text


def lines(cautions: Iterable[Caution]) -> list[str]:
    """Return the cautions as lines, one for all numbers of which the same is to be said.

    >>> lines([Caution("sensitivity at 4 FP", "null"), Caution("CPM", "rough"), Caution("sensitivity at 8 FP", "null")])
    ['sensitivity at 4 and 8 FP: null', 'CPM: rough']
    """
    alike: dict[str, list[str]] = {}
    for caution in cautions:
        alike.setdefault(caution.text, []).append(caution.about)
    return [Caution(_together(names), text).line for text, names in alike.items()]


def _together(names: Sequence[str]) -> str:
    """Return several names as one, what they begin and end with said once.

    >>> _together(["at 4 FP", "at 8 FP"]), _together(["CPM", "AUC"])
    ('at 4 and 8 FP', 'CPM and AUC')
    >>> _together(["test, fold 0", "test, fold 1"]), _together(["test, fold 1", "test, default, fold 1"])
    ('test, fold 0 and 1', 'test, fold 1; test, default, fold 1')
    >>> _together(["cyst: found at 4 FP", "scar: found at 4 FP"])
    'cyst and scar: found at 4 FP'
    """
    words = [name.split() for name in dict.fromkeys(names)]
    if len(words) == 1:
        return names[0]
    first = _shared(words)
    last = _shared([row[: first - 1 if first else None : -1] for row in words])
    middles = [" ".join(row[first : len(row) - last]) for row in words]
    if any("," in middle for middle in middles):
        return "; ".join(dict.fromkeys(names))
    colon = ":" if all(middle.endswith(":") for middle in middles) else ""
    *others, end = (middle.removesuffix(colon) for middle in middles)
    listed = f"{', '.join(others)} and {end}{colon}"
    return " ".join([*words[0][:first], listed, *words[0][len(words[0]) - last :]])


def _shared(rows: Sequence[Sequence[str]]) -> int:
    """Return how many words all rows begin with, leaving at least one of each."""
    most = min(map(len, rows)) - 1
    return next((place for place in range(most) if len({row[place] for row in rows}) > 1), max(0, most))


def of_few(patients: int) -> Iterator[str]:
    """Yield that intervals over so few ``patients`` are rough, where they are; nothing of a single one.

    >>> list(of_few(10)), list(of_few(11))
    (['10 patients: intervals from so few are rough and rather too narrow; they are no certainty'], [])
    """
    if 1 < patients <= FEW_PATIENTS:
        yield f"{patients} patients: intervals from so few are rough and rather too narrow; they are no certainty"


def has_no_width(value: float | None, low: float | None, high: float | None) -> bool:
    """Whether an interval is nothing but its value.

    >>> has_no_width(0.0, 0.0, 0.0), has_no_width(0.5, 0.4, 0.6), has_no_width(0.5, None, None)
    (True, False, False)
    """
    return value is not None and low is not None and high is not None and low == high
