"""Cases from where they stand: folders of prepared images, or the files of checked items."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from hakken.cohort.items import Item, read_items
from hakken.core.errors import HakkenError
from hakken.imaging.cases import Case
from hakken.imaging.prepared import prepared_cases
from hakken.study import Study
from hakken.study.crossing import kind_of

NO_CASE = Item("drawn", "drawn")
"""What a study without cases is measured on: data that its method draws."""


def read_cases(places: Iterable[Path]) -> list[Case]:
    """Return all cases of some batches, in the order of the batches and of the ids within each."""
    found: list[Case] = []
    for place in places:
        found += prepared_cases(place) if place.is_dir() else read_items([place])
    return found


def read_cases_of(study: Study, places: Iterable[Path]) -> list[Case]:
    """Return the same; where kinds of cases are left out each has its kind in its columns, as its part says."""
    left = study.evaluation.leave_out
    found: list[Case] = []
    for place in places:
        kind = kind_of(place.name.rpartition("-")[0])
        for case in read_cases([place]):
            known = left is not None and kind in left.values
            found.append(replace(case, columns={**case.columns, left.column: kind}) if known else case)  # type: ignore
    return found


def require_unseen(study: Study, fold: int, cases: Iterable[Case]) -> None:
    """Raise HakkenError where a case is of the kind that the model of a fold is to do without."""
    left = study.evaluation.leave_out
    for case in cases if left is not None else ():
        if case.columns.get(left.column) == left.values[fold]:  # type: ignore[union-attr]
            raise HakkenError(
                f"case {case.case_id}: is of the kind `{left.values[fold]}`, which this training is to do without"  # type: ignore[union-attr]
            )
