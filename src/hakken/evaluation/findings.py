"""What evaluation compares: the cases of a cohort, their lesions, and the candidates of a detector.

Cases are known by their index; lesions and candidates name theirs. Points are x, y, z in mm in any one orthonormal
frame. Row numbers in messages are those of a table whose heading is row 1.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hakken.columns import FIRST_ROW
from hakken.errors import HakkenError
from hakken.names import nearest

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class Cases:
    """The cohort: every case that was read by the detector, with and without lesions, and the patient of each.

    Raises HakkenError when there is no case or a case id stands twice.
    """

    case_id: tuple[str, ...]
    patient: tuple[str, ...]

    def __post_init__(self) -> None:
        if not self.case_id:
            raise HakkenError("cases: the cohort is empty; evaluation needs at least one case")
        first: dict[str, int] = {}
        for row, name in enumerate(self.case_id, start=FIRST_ROW):
            if name in first:
                raise HakkenError(f"cases, row {row}: case `{name}` stands already in row {first[name]}; keep one")
            first[name] = row

    @classmethod
    def of(cls, case_id: Sequence[str], patient: Sequence[str] | None = None) -> Self:
        """Return cases by id; without ``patient`` every case is a patient of its own."""
        return cls(tuple(map(str, case_id)), tuple(map(str, case_id if patient is None else patient)))

    def __len__(self) -> int:
        return len(self.case_id)

    @property
    def patient_index(self) -> Ints:
        """The number of the patient of each case, from 0 (cases)."""
        return np.unique(np.array(self.patient), return_inverse=True)[1].astype(np.int64)

    def index(self, case_ids: Sequence[str], table: str) -> Ints:
        """Return the index of each id; raises HakkenError naming the row of ``table`` with an unknown one."""
        known = {name: number for number, name in enumerate(self.case_id)}
        for row, name in enumerate(case_ids, start=FIRST_ROW):
            if name not in known:
                raise HakkenError(
                    f"{table}, row {row}: case `{name}` is not among the {len(self)} cases of the cohort"
                    f"{nearest(name, self.case_id) or '; add it to the cases or remove the row'}"
                )
        return np.array([known[name] for name in case_ids], np.int64)


@dataclass(frozen=True, eq=False)
class Lesions:
    """The truth: case index (n,), centre (n, 3) x, y, z in mm, diameter in mm, whether included, label in the mask.

    Marks on lesions that are not included are dropped: neither right nor wrong.
    """

    case: Ints
    xyz: Floats
    diameter_mm: Floats
    included: Flags
    label: Ints

    @classmethod
    def of(
        cls,
        case: ArrayLike,
        xyz: ArrayLike,
        diameter_mm: ArrayLike,
        included: ArrayLike | None = None,
        *,
        label: ArrayLike | None = None,
        unknown_diameter: float | None = None,
    ) -> Self:
        """Return lesions from array-likes; all are included, and numbered from 1, unless told otherwise.

        A negative diameter means `unknown` in some data sets: it becomes ``unknown_diameter`` where that is given.
        Raises HakkenError naming the row with a point or diameter that is not finite, or a diameter not above 0.
        """
        cases = np.asarray(case, np.int64).reshape(-1)
        diameters = np.asarray(diameter_mm, float).reshape(-1)
        if unknown_diameter is not None:
            diameters = np.where(diameters < 0, unknown_diameter, diameters)
        lesions = cls(
            case=cases,
            xyz=np.asarray(xyz, float).reshape(-1, 3),
            diameter_mm=diameters,
            included=np.ones(len(cases), bool) if included is None else np.asarray(included, bool).reshape(-1),
            label=np.arange(1, len(cases) + 1) if label is None else np.asarray(label, np.int64).reshape(-1),
        )
        _check_lengths("lesions", len(cases), lesions.xyz, diameters, lesions.included, lesions.label)
        _check_points("lesions", lesions.xyz)
        _check_diameters(diameters)
        return lesions

    def __len__(self) -> int:
        return len(self.case)

    def including(self, included: Flags) -> Lesions:
        """Return the same lesions of which only ``included`` (n,) ones count; the others are excluded findings."""
        return replace(self, included=self.included & included)


@dataclass(frozen=True, eq=False)
class Candidates:
    """A detector's marks: case index (n,), point (n, 3) x, y, z in mm, score, and the lesion label each lies in.

    ``label`` is 0 outside all lesions, and None where it is not known; only the hit rule `inside` needs it.
    """

    case: Ints
    xyz: Floats
    score: Floats
    label: Ints | None = None

    @classmethod
    def of(cls, case: ArrayLike, xyz: ArrayLike, score: ArrayLike, label: ArrayLike | None = None) -> Self:
        """Return candidates from array-likes; raises HakkenError naming the row with a value that is not finite."""
        cases = np.asarray(case, np.int64).reshape(-1)
        labels = None if label is None else np.asarray(label, np.int64).reshape(-1)
        candidates = cls(cases, np.asarray(xyz, float).reshape(-1, 3), np.asarray(score, float).reshape(-1), labels)
        _check_lengths(
            "candidates", len(cases), candidates.xyz, candidates.score, *([] if labels is None else [labels])
        )
        _check_points("candidates", candidates.xyz)
        bad = np.flatnonzero(~np.isfinite(candidates.score))
        if bad.size:
            value = candidates.score[bad[0]]
            raise HakkenError(
                f"candidates, row {bad[0] + FIRST_ROW}, column score: {value} cannot be ranked; give a finite number"
            )
        return candidates

    def __len__(self) -> int:
        return len(self.case)


def _check_lengths(table: str, length: int, *columns: NDArray[np.generic]) -> None:
    if any(len(column) != length for column in columns):
        raise HakkenError(f"{table}: columns of different lengths ({', '.join(str(len(c)) for c in columns)})")


def _check_points(table: str, xyz: Floats) -> None:
    bad = np.argwhere(~np.isfinite(xyz))
    if bad.size:
        row, axis = bad[0]
        raise HakkenError(f"{table}, row {row + FIRST_ROW}, column {'xyz'[axis]}: {xyz[row, axis]} is no coordinate")


def _check_diameters(diameters: Floats) -> None:
    bad = np.flatnonzero(~(np.isfinite(diameters) & (diameters > 0)))
    if bad.size:
        value = diameters[bad[0]]
        remedy = "say which diameter unknown ones have" if value < 0 else "give the diameter in mm"
        raise HakkenError(f"lesions, row {bad[0] + FIRST_ROW}, column diameter_mm: {value:g} is not above 0; {remedy}")
