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

from hakken.core.errors import HakkenError
from hakken.core.names import nearest
from hakken.core.tables import FIRST_ROW, row_of

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

    def index(self, case_ids: Sequence[str], table: str, rows: Sequence[int] | None = None) -> Ints:
        """Return the index of each id; raises HakkenError naming the row of ``table`` with an unknown one.

        ``rows`` (n,) are the rows that the entries stand in, by default one below another.
        """
        known = {name: number for number, name in enumerate(self.case_id)}
        for entry, name in enumerate(case_ids):
            if name not in known:
                hint = nearest(name, self.case_id) or "; add it to the cases or remove the row"
                place = f"{table}, row {row_of(entry, rows)}"
                raise HakkenError(f"{place}: case `{name}` is not among the {len(self)} cases of the cohort{hint}")
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
        rows: Sequence[int] | None = None,
    ) -> Self:
        """Return lesions from array-likes; all are included, and numbered from 1, unless told otherwise.

        A negative diameter means `unknown` in some data sets: it becomes ``unknown_diameter`` where that is given.
        ``rows`` (n,) are the rows of the table that the entries stand in, by default one below another. Raises
        HakkenError naming the row with a point or diameter that is not finite, or a diameter not above 0.
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
        _check_points("lesions", lesions.xyz, rows)
        _check_diameters("lesions", diameters, rows)
        return lesions

    def __len__(self) -> int:
        return len(self.case)

    def where(self, keep: Flags) -> Lesions:
        """Return the lesions that are kept (n,)."""
        return Lesions(self.case[keep], self.xyz[keep], self.diameter_mm[keep], self.included[keep], self.label[keep])

    def including(self, included: Flags) -> Lesions:
        """Return the same lesions of which only ``included`` (n,) ones count; the others are excluded findings."""
        return replace(self, included=self.included & included)


@dataclass(frozen=True, eq=False)
class Candidates:
    """A detector's marks: case index (n,), point (n, 3) x, y, z in mm, score, lesion label and diameter in mm of each.

    ``label`` is that of the lesion whose mask the point lies in, 0 outside all; only the hit rule `inside` needs it.
    ``diameter_mm`` is needed by the rule `overlap` alone. Both are None where they are not known.
    """

    case: Ints
    xyz: Floats
    score: Floats
    label: Ints | None = None
    diameter_mm: Floats | None = None

    @classmethod
    def of(
        cls,
        case: ArrayLike,
        xyz: ArrayLike,
        score: ArrayLike,
        label: ArrayLike | None = None,
        *,
        diameter_mm: ArrayLike | None = None,
        rows: Sequence[int] | None = None,
    ) -> Self:
        """Return candidates from array-likes; raises HakkenError naming the row with a value that cannot be used.

        ``rows`` (n,) are the rows of the table that the entries stand in, by default one below another.
        """
        cases = np.asarray(case, np.int64).reshape(-1)
        labels = None if label is None else np.asarray(label, np.int64).reshape(-1)
        diameters = None if diameter_mm is None else np.asarray(diameter_mm, float).reshape(-1)
        points, scores = np.asarray(xyz, float).reshape(-1, 3), np.asarray(score, float).reshape(-1) + 0.0  # no -0.0
        candidates = cls(cases, points, scores, labels, diameters)
        given = [column for column in (labels, diameters) if column is not None]
        _check_lengths("candidates", len(cases), points, scores, *given)
        _check_points("candidates", candidates.xyz, rows)
        bad = np.flatnonzero(~np.isfinite(candidates.score))
        if bad.size:
            value, row = candidates.score[bad[0]], row_of(int(bad[0]), rows)
            raise HakkenError(f"candidates, row {row}, column score: {value} cannot be ranked; give a finite number")
        if diameters is not None:
            _check_diameters("candidates", diameters, rows)
        return candidates

    def __len__(self) -> int:
        return len(self.case)

    def where(self, keep: Flags) -> Candidates:
        """Return the candidates that are kept (n,)."""
        label = None if self.label is None else self.label[keep]
        diameter = None if self.diameter_mm is None else self.diameter_mm[keep]
        return Candidates(self.case[keep], self.xyz[keep], self.score[keep], label, diameter)


@dataclass(frozen=True, eq=False)
class Overlaps:
    """Pairs of a candidate and a lesion of its case that overlap: rows of both (P,) and their IoU (P,) in (0, 1]."""

    mark: Ints
    lesion: Ints
    iou: Floats


@dataclass(frozen=True, eq=False)
class Findings:
    """What is compared: cases, lesions, candidates, and where extents were compared elsewhere, their overlaps."""

    cases: Cases
    lesions: Lesions
    candidates: Candidates
    overlaps: Overlaps | None = None

    def including(self, included: Flags) -> Findings:
        """Return the same findings of which only ``included`` (L,) lesions count."""
        return replace(self, lesions=self.lesions.including(included))

    def of_cases(self, keep: Flags) -> Findings:
        """Return the cases that are kept (cases,), with their lesions and candidates alone."""
        chosen = np.flatnonzero(keep).tolist()
        names = tuple(self.cases.case_id[place] for place in chosen)
        patients = tuple(self.cases.patient[place] for place in chosen)
        part = self.of_findings(keep[self.lesions.case], keep[self.candidates.case])
        number = np.cumsum(keep) - 1
        return Findings(
            Cases(names, patients),
            replace(part.lesions, case=number[part.lesions.case]),
            replace(part.candidates, case=number[part.candidates.case]),
            part.overlaps,
        )

    def of_findings(self, lesions: Flags, candidates: Flags) -> Findings:
        """Return all cases with the ``lesions`` (L,) and ``candidates`` (M,) that are kept."""
        overlaps = self.overlaps
        if overlaps is not None:
            kept = lesions[overlaps.lesion] & candidates[overlaps.mark]
            rows = (np.cumsum(candidates) - 1)[overlaps.mark], (np.cumsum(lesions) - 1)[overlaps.lesion]
            overlaps = Overlaps(rows[0][kept], rows[1][kept], overlaps.iou[kept])
        return Findings(self.cases, self.lesions.where(lesions), self.candidates.where(candidates), overlaps)


def _check_lengths(table: str, length: int, *columns: NDArray[np.generic]) -> None:
    if any(len(column) != length for column in columns):
        raise HakkenError(f"{table}: columns of different lengths ({', '.join(str(len(c)) for c in columns)})")


def _check_points(table: str, xyz: Floats, rows: Sequence[int] | None) -> None:
    bad = np.argwhere(~np.isfinite(xyz))
    if bad.size:
        entry, axis = bad[0]
        row = row_of(int(entry), rows)
        raise HakkenError(f"{table}, row {row}, column {'xyz'[axis]}: {xyz[entry, axis]} is no coordinate")


def _check_diameters(table: str, diameters: Floats, rows: Sequence[int] | None) -> None:
    bad = np.flatnonzero(~(np.isfinite(diameters) & (diameters > 0)))
    if bad.size:
        value = diameters[bad[0]]
        remedy = "say which diameter unknown ones have (--unknown-diameter)" if value < 0 else "give the diameter in mm"
        row = row_of(int(bad[0]), rows)
        raise HakkenError(f"{table}, row {row}, column diameter_mm: {value:g} is not above 0; {remedy}")
