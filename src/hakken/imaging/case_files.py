"""What the checks of images ask of a case, and how a file's error becomes a problem of the case."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from hakken.core.errors import HakkenError
from hakken.core.problems import Problem


class CaseFiles(Protocol):
    """What is asked of a case: its id, its files and the row of the case table that it stands in."""

    @property
    def case_id(self) -> str:
        """Name of the case."""
        ...

    @property
    def channels(self) -> Mapping[str, Path]:
        """Image of each channel."""
        ...

    @property
    def lesion_mask(self) -> Path | None:
        """Mask of the lesions."""
        ...

    @property
    def lesion_table(self) -> Path | None:
        """Table of the lesions."""
        ...

    @property
    def label(self) -> str | None:
        """Class of the case in a word, None where it is normal."""
        ...

    @property
    def regions(self) -> Path | None:
        """Label image of the regions."""
        ...

    @property
    def row(self) -> int | None:
        """Line of the case table, its heading being line 1."""
        ...


def problem_of(case: CaseFiles, column: str, error: HakkenError) -> Problem:
    """Turn an error "what: reason; remedy" into a problem of ``case``."""
    reason, _, remedy = str(error).rpartition("; ")
    return Problem(case.case_id, column, reason or remedy, remedy if reason else "correct the file", case.row)
