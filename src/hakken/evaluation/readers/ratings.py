"""What a reader study holds: ratings by modality, reader and case, from tables with one row a rating or a mark.

Notation: I modalities, J readers, K cases, L lesions. A ROC study has one rating a case; a free-response (FROC) study
has any number of marks, each on a lesion (lesion localisation, LL) or beside all of them (non-lesion localisation, NL).
What was not marked has the rating minus infinity. A ROC study is written in the same terms: each diseased case is one
lesion.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from hakken.core.errors import HakkenError
from hakken.core.names import nearest
from hakken.core.tables import Table
from hakken.evaluation.findings import Flags, Floats, Ints

Design = Literal["roc", "froc"]
ROC_COLUMNS = ("modality", "reader", "case_id", "diseased", "rating")
FROC_COLUMNS = ("modality", "reader", "case_id", "mark", "lesion_id", "rating")
LESION_COLUMNS = ("case_id", "lesion_id")
MARKS = ("NL", "LL", "none")
"""On no lesion; on a lesion; the case was read and nothing marked (such rows are optional)."""


@dataclass(frozen=True, eq=False)
class ReaderStudy:
    """Ratings of a fully crossed study: every reader read every case in every modality.

    ``noise`` (I, J, K) is the highest NL rating of each case (ROC: the rating of a non-diseased case), ``signal``
    (I, J, L) the rating of each lesion, ``marks`` (I, J, K) the number of NL marks. ``weight`` (L,) sums to 1 in each
    diseased case; ``lesion_case`` (L,) rises. ``patient`` (K,) numbers the patients from 0.
    """

    design: Design
    modality: tuple[str, ...]
    reader: tuple[str, ...]
    case_id: tuple[str, ...]
    diseased: Flags
    lesion_case: Ints
    weight: Floats
    noise: Floats
    signal: Floats
    marks: Ints
    patient: Ints


@dataclass(frozen=True, eq=False)
class RatingTable:
    """Rows of a ratings table (n,), as indices of its modalities, readers and cases, and the lesions of the cases.

    ``lesion`` is -1 for a rating of no lesion. ``blank`` rows say that a case was read and not marked.
    """

    table: Table
    design: Design
    modality: tuple[str, ...]
    reader: tuple[str, ...]
    case_id: tuple[str, ...]
    row_modality: Ints
    row_reader: Ints
    row_case: Ints
    lesion: Ints
    rating: Floats
    blank: Flags
    lesion_case: Ints
    weight: Floats
    patient: Ints

    def study(
        self,
        modalities: Sequence[str] | None = None,
        *,
        least: int = 2,
        readers: int = 2,
        most_readers: int | None = None,
    ) -> ReaderStudy:
        """Return the crossed study of these ``modalities``, in their order (default: all, sorted by name).

        Raises HakkenError where a modality is unknown, where there are fewer than ``least`` modalities or ``readers``
        readers or more than ``most_readers``, and where a reader lacks a case in one of the modalities.
        """
        chosen = self._modalities(modalities, least)
        rows = np.isin(self.row_modality, chosen)
        present = np.unique(self.row_reader[rows])
        names = tuple(self.reader[number] for number in present)
        if len(names) < readers:
            raise HakkenError(
                f"{self.table.path}, column reader: one reader (`{names[0]}`) in {self._named(chosen)}; this analysis "
                f"needs {readers} or more, so add their rows"
            )
        if most_readers is not None and len(names) > most_readers:
            raise HakkenError(
                f"{self.table.path}, column reader: {len(names)} readers ({', '.join(names)}) in "
                f"{self._named(chosen)}; a stand-alone system is one reader, so give all its rows one name"
            )
        place = np.full(len(self.modality), -1)
        place[chosen] = np.arange(len(chosen))
        cell = (place[self.row_modality[rows]], np.searchsorted(present, self.row_reader[rows]))
        self._check_crossed(chosen, present, cell, rows)
        shape = (len(chosen), len(names))
        noise = np.full((*shape, len(self.case_id)), -np.inf)
        signal = np.full((*shape, len(self.lesion_case)), -np.inf)
        marks = np.zeros(noise.shape, np.int64)
        case, lesion, rating = self.row_case[rows], self.lesion[rows], self.rating[rows]
        on = lesion >= 0
        beside = ~on & ~self.blank[rows]
        signal[cell[0][on], cell[1][on], lesion[on]] = rating[on]
        np.maximum.at(noise, (cell[0][beside], cell[1][beside], case[beside]), rating[beside])
        np.add.at(marks, (cell[0][beside], cell[1][beside], case[beside]), 1)
        diseased = np.zeros(len(self.case_id), bool)
        diseased[self.lesion_case] = True
        return ReaderStudy(
            self.design,
            tuple(self.modality[number] for number in chosen),
            names,
            self.case_id,
            diseased,
            self.lesion_case,
            self.weight,
            noise,
            signal,
            marks,
            self.patient,
        )

    def _modalities(self, wanted: Sequence[str] | None, least: int) -> list[int]:
        names = list(self.modality) if wanted is None else list(wanted)
        for name in names:
            if name not in self.modality:
                hint = nearest(name, self.modality) or f"; there are {', '.join(self.modality)}"
                raise HakkenError(f"{self.table.path}, column modality: `{name}` does not occur{hint}")
            if names.count(name) > 1:
                raise HakkenError(f"modality `{name}` is asked for twice; name it once")
        if len(names) < least:
            raise HakkenError(
                f"{self.table.path}, column modality: one modality (`{names[0]}`); a comparison needs {least} or more"
            )
        return [self.modality.index(name) for name in names]

    def _check_crossed(self, chosen: Sequence[int], present: Ints, cell: tuple[Ints, Ints], rows: Flags) -> None:
        """Raise HakkenError for the first reading that is missing; in FROC, for a reader without any row."""
        units = len(self.case_id) if self.design == "roc" else 1
        seen = np.zeros((len(chosen), len(present), units), bool)
        case = self.row_case[rows] if self.design == "roc" else np.zeros(len(cell[0]), np.int64)
        seen[cell[0], cell[1], case] = True
        if seen.all():
            return
        modality, reader, missing = (int(number) for number in np.argwhere(~seen)[0])
        names = f"reader `{self.reader[present[reader]]}`", f"modality `{self.modality[chosen[modality]]}`"
        if self.design == "froc":
            row = self.table.rows[np.flatnonzero(self.row_reader == present[reader])[0]]
            raise HakkenError(
                f"{self.table.path}: {names[0]} (row {row}) has no row in {names[1]}; every reader must read every "
                "case in every modality; if nothing was marked, add a row with mark `none`"
            )
        row = self.table.rows[np.flatnonzero(self.row_case == missing)[0]]
        raise HakkenError(
            f"{self.table.path}: {names[0]} has no rating of case `{self.case_id[missing]}` (row {row}) in {names[1]}; "
            "every reader must rate every case in every modality: add the rating or remove the case"
        )

    def _named(self, chosen: Sequence[int]) -> str:
        names = ", ".join(f"`{self.modality[number]}`" for number in chosen)
        return f"modality {names}" if len(chosen) == 1 else f"modalities {names}"


def roc_table(table: Table) -> RatingTable:
    """Return the ratings of a ROC study from a table with the columns `ROC_COLUMNS` (patient optional).

    Raises HakkenError naming the row of a rating that is no finite number, of one that is there twice, and of a case
    that is diseased in one row and not in another; and where no case is diseased or all are.
    """
    rating, flags = table.numbers("rating"), table.flags("diseased")
    (modality, row_modality), (reader, row_reader), (case_id, case) = (
        _codes(table.text(column)) for column in ROC_COLUMNS[:3]
    )
    _need_rows(table)
    first = _first_rows(case)
    differs = np.flatnonzero(flags != flags[first[case]])
    if differs.size:
        row, known = int(differs[0]), int(first[case[differs[0]]])
        reason = f"case `{case_id[case[row]]}` is {int(flags[row])} here and {int(flags[known])} in row"
        raise table.error(row, "diseased", f"{reason} {table.rows[known]}; correct one")
    diseased = flags[first]
    if diseased.all() or not diseased.any():
        kind, other = ("diseased", "not") if diseased.all() else ("free of disease", "diseased")
        raise HakkenError(
            f"{table.path}, column diseased: every case is {kind}; the ROC needs cases that are {other} too"
        )
    _refuse_twice(table, [row_modality, row_reader, case], "the reader rated this case in this modality")
    lesion_case = np.flatnonzero(diseased)
    lesion = np.where(diseased[case], (np.cumsum(diseased) - 1)[case], -1)
    blank, weight = np.zeros(len(table), bool), np.ones(len(lesion_case))
    return RatingTable(
        table,
        "roc",
        modality,
        reader,
        case_id,
        row_modality,
        row_reader,
        case,
        lesion,
        rating,
        blank,
        lesion_case,
        weight,
        _patients(table, case),
    )


def froc_table(table: Table, lesions: Table, cases: Table) -> RatingTable:
    """Return the marks of a FROC study from tables with `FROC_COLUMNS`, `LESION_COLUMNS` and case_id.

    Optional are the columns weight of the lesions and patient of the cases. Weights of the lesions of a case are
    divided by their sum; without the column all lesions of a case weigh the same. Raises HakkenError
    naming the row of a mark on an unknown case or lesion, of a lesion marked twice by a reader in a modality, of a
    rating that is no finite number, and of a case or lesion that is there twice.
    """
    case_id = tuple(sorted(cases.text("case_id")))
    _refuse_twice(cases, [_codes(cases.text("case_id"))[1]], "the case stands")
    kinds = table.choices("mark", MARKS)
    modality, row_modality = _codes(table.text("modality"))
    reader, row_reader = _codes(table.text("reader"))
    _need_rows(table)
    row_case = _known(table, case_id, cases)
    of_lesion = _known(lesions, case_id, cases)
    identity = lesions.text("lesion_id")
    _refuse_twice(lesions, [of_lesion, _codes(identity)[1]], "the lesion stands")
    weight = _weights(lesions, of_lesion, len(case_id))
    order = np.lexsort((np.array(identity), of_lesion))
    number = {(int(of_lesion[place]), identity[place]): rank for rank, place in enumerate(order)}
    blank = np.array([kind == "none" for kind in kinds], bool)
    lesion = _lesions_of_marks(table, kinds, row_case, number)
    on = np.flatnonzero(lesion >= 0)
    _refuse_twice(
        table, [column[on] for column in (row_modality, row_reader, lesion)], "the reader marked this lesion", on
    )
    return RatingTable(
        table,
        "froc",
        modality,
        reader,
        case_id,
        row_modality,
        row_reader,
        row_case,
        lesion,
        mark_ratings(table, blank),
        blank,
        of_lesion[order],
        weight[order],
        _patients(cases, _known(cases, case_id, cases)),
    )


def _codes(values: Sequence[str]) -> tuple[tuple[str, ...], Ints]:
    """Return the distinct values, sorted as people do (2 before 10), and the number of each entry's value (n,)."""
    names = sorted(set(values), key=_natural)
    number = {name: place for place, name in enumerate(names)}
    return tuple(names), np.array([number[value] for value in values], np.int64)


def _natural(name: str) -> tuple[list[tuple[str, int]], str]:
    return [(text, int(digits or 0)) for text, digits in re.findall(r"([^0-9]*)([0-9]*)", name)], name


def _first_rows(codes: Ints) -> Ints:
    return np.unique(codes, return_index=True)[1].astype(np.int64)


def _patients(table: Table, case: Ints) -> Ints:
    """Return the patient of each case (K,); without a column `patient` each case is a patient of its own."""
    first = _first_rows(case)
    if "patient" not in table:
        return np.arange(len(first))
    names, codes = _codes(table.text("patient"))
    differs = np.flatnonzero(codes != codes[first[case]])
    if differs.size:
        row, known = int(differs[0]), int(first[case[differs[0]]])
        reason = f"the case is of patient `{names[codes[row]]}` here and of `{names[codes[known]]}` in row"
        raise table.error(row, "patient", f"{reason} {table.rows[known]}; correct one")
    return codes[first]


def _need_rows(table: Table) -> None:
    if not len(table):
        raise HakkenError(f"{table.path}: the table has no row below its heading; add the ratings")


def _refuse_twice(table: Table, keys: Sequence[Ints], what: str, entries: Ints | None = None) -> None:
    """Raise HakkenError for the first entry whose ``keys`` (n,) together stood there before."""
    if not len(keys[0]):
        return
    _, first, group = np.unique(np.stack(keys), axis=1, return_index=True, return_inverse=True)
    group = group.reshape(-1)
    again = np.flatnonzero(first[group] != np.arange(len(group)))
    if again.size:
        pair = np.array([again[0], first[group[again[0]]]])
        row, before = (table.rows[entry] for entry in (pair if entries is None else entries[pair]))
        raise HakkenError(f"{table.path}, row {row}: {what} already in row {before}; keep one")


def _known(table: Table, case_id: Sequence[str], cases: Table) -> Ints:
    number = {name: place for place, name in enumerate(case_id)}
    names = table.text("case_id")
    for entry, name in enumerate(names):
        if name not in number:
            hint = nearest(name, case_id) or "; add it there or remove the row"
            raise table.error(entry, "case_id", f"case `{name}` is not in {cases.path}{hint}")
    return np.array([number[name] for name in names], np.int64)


def _weights(lesions: Table, case: Ints, cases: int) -> Floats:
    if "weight" not in lesions:
        weight = np.ones(len(lesions))
    else:
        weight = lesions.numbers("weight")
        bad = np.flatnonzero(weight <= 0)
        if bad.size:
            raise lesions.error(int(bad[0]), "weight", f"{weight[bad[0]]:g} is not above 0; give the lesion's weight")
    return np.asarray(weight / np.bincount(case, weights=weight, minlength=cases)[case])


def _lesions_of_marks(table: Table, kinds: Sequence[str], case: Ints, number: dict[tuple[int, str], int]) -> Ints:
    lesion = np.full(len(kinds), -1)
    for entry, (kind, name) in enumerate(zip(kinds, table.cells["lesion_id"], strict=True)):
        if kind == "LL":
            found = number.get((int(case[entry]), name))
            if found is None:
                there = ", ".join(known for place, known in number if place == case[entry])
                reason = f"`{name}` is no lesion of this case" if name else "is empty; an LL mark names its lesion"
                raise table.error(entry, "lesion_id", f"{reason}; it has {there or 'none, so the mark is NL'}")
            lesion[entry] = found
        elif name:
            raise table.error(entry, "lesion_id", f"`{name}` beside the mark {kind}; leave it empty, or the mark is LL")
    return lesion


def mark_ratings(table: Table, blank: Flags) -> Floats:
    """Return the rating of each mark (n,), minus infinity where ``blank``; HakkenError names the row of a bad one."""
    cells = table.cells["rating"]
    for entry in np.flatnonzero(blank):
        if cells[entry]:
            raise table.error(int(entry), "rating", f"`{cells[entry]}` beside the mark none; leave it empty")
    filled = ["0" if empty else cell for empty, cell in zip(blank, cells, strict=True)]
    return np.where(blank, -np.inf, Table(table.path, {"rating": filled}, table.rows).numbers("rating"))
