"""A case and the table of all cases, in memory."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from hakken.study import Part


@dataclass(frozen=True)
class Case:
    """One row of the case table.

    ``channels`` holds one image per channel, none of an optional one that the case lacks. The truth is ``lesion_mask``,
    ``lesion_table`` or ``label``, as the study says; all are None for a case without lesions. Where lesions of masks
    have classes, ``lesion_table`` holds these beside the mask. ``regions`` is the label image of the regions, where the
    study names some. ``columns`` holds site, scanner, sex and age, and the columns that the study asks for. ``row`` is
    the line of the table, its heading being line 1.
    """

    case_id: str
    patient: str
    split: Part | None
    channels: dict[str, Path]
    lesion_mask: Path | None = None
    lesion_table: Path | None = None
    label: str | None = None
    regions: Path | None = None
    columns: dict[str, str] = field(default_factory=dict)
    row: int | None = None

    @property
    def files(self) -> tuple[Path, ...]:
        """Every file of the case: its channels in the order of the study, then its truth where it has one."""
        truth = (self.lesion_mask, self.lesion_table, self.regions)
        return (*self.channels.values(), *(path for path in truth if path is not None))


@dataclass(frozen=True)
class CaseTable:
    """All cases, in the order of the table; ``source`` is the file that they were read from."""

    cases: tuple[Case, ...]
    source: Path = Path("cases.csv")

    def __len__(self) -> int:
        return len(self.cases)

    def part(self, part: Part) -> tuple[Case, ...]:
        """Return the cases of one part."""
        return tuple(case for case in self.cases if case.split == part)

    def case(self, case_id: str) -> Case:
        """Return the case with this id; raises KeyError where there is none."""
        return self._known.get(case_id) or _missing(case_id)

    def select(self, case_ids: list[str] | tuple[str, ...]) -> tuple[Case, ...]:
        """Return the cases with these ids, in the order of the ids; raises KeyError where there is none."""
        return tuple(self._known.get(case_id) or _missing(case_id) for case_id in case_ids)

    @cached_property
    def _known(self) -> dict[str, Case]:
        """The cases by id, gathered once: a large table is asked for each of its batches."""
        return {case.case_id: case for case in self.cases}


def _missing(case_id: str) -> Case:
    raise KeyError(f"no case {case_id} in the case table")
