"""What spreadsheets and people make of the cells of a case table, asked or refused before any image is read.

Ids become dates or powers of ten, words stand where nothing is known, one patient has an id for each visit, names and
dates of birth stand in columns that are kept, and one value is written in several ways.
"""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from datetime import date

from hakken.cohort.patients import looks_personal, normalised
from hakken.cohort.rows import Row
from hakken.core.names import counted, plain
from hakken.core.problems import Problem
from hakken.study import Study

NOTHING = frozenset(
    (
        *("na", "n/a", "nan", "null", "nil", "unknown", "missing", "undefined", "tbd", "?", ""),
        *(
            "anon",
            "anonymous",
            "anonymised",
            "anonymized",
            "unbekannt",
            "inconnu",
            "desconocido",
            "不明",
            "なし",
            "未知",
        ),
    )
)
"""Words for nothing, as `hakken.core.names.plain` has them; a cell of nothing but `-` and `_` is the empty one."""
NORMAL = frozenset(
    (
        *(
            "0",
            "no",
            "false",
            "normal",
            "negative",
            "neg",
            "healthy",
            "control",
            "nofinding",
            "nofindings",
            "unremarkable",
        ),
        *("正常", "陰性", "異常なし", "所見なし", "无", "阴性", "gesund", "unauffällig"),
    )
)
"""What others write for a case without findings."""
SEXES = {
    "female": ("f", "female", "w", "woman", "weiblich", "femme", "femenino", "女", "女性"),
    "male": ("m", "male", "man", "männlich", "homme", "masculin", "masculino", "男", "男性"),
}
POWER = re.compile(r"\d([.,]\d+)?[eE]\+\d{1,3}")
MONTHS = "jan|feb|mar|mär|apr|may|mai|jun|jul|aug|sep|oct|okt|nov|dec|dez"
SHORT_DATE = re.compile(
    rf"\d{{1,2}}[-.\s]({MONTHS})[a-zé]*|({MONTHS})[a-zé]*[-.\s]\d{{1,4}}|\d{{1,2}}月\d{{1,2}}日", re.IGNORECASE
)
DATE = re.compile(r"\d{4}([-/.])\d{1,2}\1\d{1,2}([\sT].*)?|\d{1,2}([-/.])\d{1,2}\3\d{4}(\s.*)?")
DIGITS_OF_DATE = re.compile(r"(19\d\d|20\d\d)(\d\d)(\d\d)")
SESSION = re.compile(r"(sub-[a-z0-9]+)_ses-[a-z0-9]+.*", re.IGNORECASE)
VISIT = re.compile(
    r"(.*\d.*?)[\s_.-]*(ses|session|visit|scan|exam|examination|timepoint|tp|follow[\s_-]?up|fu|baseline|bl|pre|post|"
    r"before|after|left|right|day|week|month|year)[\s_.-]*\d*",
    re.IGNORECASE,
)
GENERIC = re.compile(r"(patient|pat|pt|p|subject|subj|sub|case|id|no|nr)?[\s_.#-]*0*(\d+)")
"""A number behind a word that only says that this is a patient."""
LIKE_DIGITS = {"o": "0", "l": "1", "i": "1", "|": "1"}
HOMOGLYPHS = str.maketrans("аеорсхукмтвні", "aeopcxykmtbhi")
"""Cyrillic letters, and the Latin ones that they look like."""
OLDEST = 130.0


def check_cells(rows: Sequence[Row], study: Study, kept: Sequence[str]) -> Iterator[Problem]:
    """Yield what is wrong or odd about ids, classes and the ``kept`` columns of a table; one problem for each kind."""
    yield from _spoilt_ids(rows)
    yield from _nobody(rows)
    yield from _visits(rows, study)
    yield from _alike(rows, study)
    for column in kept:
        yield from _kept(rows, column)
    if study.cohort.truth == "label":
        yield from _labels(rows, study)


def stands_for_nothing(cell: str) -> bool:
    """Whether a cell holds a word for nothing.

    >>> stands_for_nothing("N/A"), stands_for_nothing("--"), stands_for_nothing("p7")
    (True, True, False)
    """
    return plain(cell) in NOTHING


def stands_for_normal(cell: str) -> bool:
    """Whether a cell says in other words than `none` that nothing was found.

    >>> stands_for_normal("No Finding"), stands_for_normal("0"), stands_for_normal("nodule")
    (True, True, False)
    """
    return plain(cell) in NORMAL


def is_date(cell: str) -> bool:
    """Whether a cell is a date of day, month and year.

    >>> is_date("1947-08-13"), is_date("13.8.1947"), is_date("2-1-3"), is_date("1.2.840.1")
    (True, True, False, False)
    """
    return bool(DATE.fullmatch(cell))


def _spoilt_ids(rows: Sequence[Row]) -> Iterator[Problem]:
    """Yield ids that a spreadsheet took for a number or a date, or that are dates."""
    for column in ("case_id", "patient"):
        shortened = [row for row in rows if POWER.fullmatch(row[column])]
        if shortened:
            reason = "is a number that a spreadsheet shortened, and the digits that told patients apart are lost"
            remedy = "make the column one of text there, and export the table again from its source"
            yield _asked(shortened, column, reason, remedy, stops=True)
        months = [row for row in rows if SHORT_DATE.fullmatch(row[column])]
        if months:
            remedy = "compare it with its source; spreadsheets leave ids as they are in columns of text"
            yield _asked(months, column, "looks like a date that a spreadsheet made of an id", remedy)
        dates = [row for row in rows if is_date(row[column])]
        if dates or (dates := _all_dates(rows, column)):
            yield _asked(dates, column, "looks like a date, of birth for one", "write a pseudonym")


def _all_dates(rows: Sequence[Row], column: str) -> list[Row]:
    """Return all rows where each of three or more ids is a day between 1900 and 2099, written in eight digits."""
    found = [row for row in rows if _is_day(row[column])]
    return found if len(found) == len(rows) > 2 else []


def _is_day(cell: str) -> bool:
    parts = DIGITS_OF_DATE.fullmatch(cell)
    try:
        return parts is not None and bool(date(*map(int, parts.groups())))
    except ValueError:
        return False


def _nobody(rows: Sequence[Row]) -> Iterator[Problem]:
    """Yield words for nothing in place of a patient: all cases with one would be one patient, or none."""
    nobody = [row for row in rows if row["patient"] and stands_for_nothing(row["patient"])]
    if nobody:
        remedy = "give every patient an id; where it is not known which cases are of one patient, none can be held out"
        yield _asked(nobody, "patient", "names no patient", remedy, stops=True)


def _visits(rows: Sequence[Row], study: Study) -> Iterator[Problem]:
    """Yield patients in two parts whose ids differ in a visit or a side alone; of BIDS that is surely one subject."""
    for pattern, sure in ((SESSION, True), (VISIT, False)):
        found: dict[str, list[Row]] = defaultdict(list)
        for row in rows:
            match = pattern.fullmatch(row["patient"])
            if match and row["split"] in study.parts and (sure or not SESSION.fullmatch(row["patient"])):
                found[normalised(match[1])].append(row)
        for members in found.values():
            first = members[0]
            other = next((row for row in members if row["split"] != first["split"]), None)
            if other is not None and other["patient"] != first["patient"]:
                reason = (
                    f"`{first['patient']}` (row {first.number}, {first['split']}) and `{other['patient']}` "
                    f"({other['split']}) look like visits or sides of one patient"
                )
                remedy = "write the same `patient` for all of them, and put them into the same part"
                yield Problem(other["case_id"], "patient", reason, remedy, other.number, stops=sure)


def _alike(rows: Sequence[Row], study: Study) -> Iterator[Problem]:
    """Yield patients in two parts whose ids differ in a word for patient, or in letters that look like others."""
    first: dict[str, Row] = {}
    for row in rows:
        if not row["patient"] or row["split"] not in study.parts:
            continue
        before = first.setdefault(confusable(row["patient"]), row)
        spelt = normalised(before["patient"]) != normalised(row["patient"])
        if spelt and before["split"] != row["split"]:
            reason = (
                f"`{before['patient']}` (row {before.number}, {before['split']}) and `{row['patient']}` "
                f"({row['split']}) may be one patient"
            )
            remedy = "write the same `patient` for both if they are, and put them into the same part"
            yield Problem(row["case_id"], "patient", reason, remedy, row.number, stops=False)


def confusable(patient: str) -> str:
    """Return what ids share that a reader takes for one another.

    >>> confusable("Patient 7"), confusable("sub-007"), confusable("A7")
    ('7', '7', 'a-7')
    >>> confusable("P0O7") == confusable("P007")
    True
    """
    text = unicodedata.normalize("NFKC", patient).casefold().strip().translate(HOMOGLYPHS)
    if any(letter.isdigit() for letter in text):
        text = "".join(_as_digit(text, place) for place in range(len(text)))
    number = GENERIC.fullmatch(text)
    return number[2] if number else normalised(text)


def _as_digit(text: str, place: int) -> str:
    """Return a letter of an id as the digit that it looks like where it stands beside digits."""
    letter = text[place]
    beside = text[max(0, place - 1) : place] + text[place + 1 : place + 2]
    return LIKE_DIGITS.get(letter, letter) if any(one.isdigit() for one in beside) else letter


def _kept(rows: Sequence[Row], column: str) -> Iterator[Problem]:
    """Yield what should not be kept of a column, and values that are written in several ways."""
    filled = [row for row in rows if row[column]]
    if column == "age":
        yield from _ages(filled)
        return
    if dates := [row for row in filled if is_date(row[column])]:
        yield _asked(dates, column, "looks like a date", "leave it out of the columns that are kept, or write a year")
    if column == "sex":
        yield from _spellings(filled, column, _sex)
        return
    yield from _spellings(filled, column, plain)
    names = [row for row in filled if looks_personal(row[column])]
    if len({row[column] for row in names}) > max(2, len({row["patient"] for row in rows}) // 2):
        remedy = "leave this column out of those that are kept: it has another name for nearly every patient"
        yield _asked(names, column, "looks like the name of a person", remedy)


def _ages(filled: Sequence[Row]) -> Iterator[Problem]:
    odd = [row for row in filled if not _is_age(row["age"])]
    if odd:
        yield _asked(odd, "age", "is no age in years", f"write a number from 0 to {OLDEST:g}, and no date of birth")


def _is_age(cell: str) -> bool:
    try:
        return 0 <= float(cell) <= OLDEST
    except ValueError:
        return False


def _sex(cell: str) -> str:
    word = plain(cell)
    return next((sex for sex, words in SEXES.items() if word in words), word)


def _spellings(filled: Sequence[Row], column: str, meaning: Callable[[str], str]) -> Iterator[Problem]:
    """Yield the first value that stands in the column in several spellings, which count as several values."""
    found: dict[str, dict[str, Row]] = defaultdict(dict)
    for row in filled:
        found[meaning(row[column])].setdefault(row[column], row)
    for spelt in found.values():
        if len(spelt) > 1:
            last = max(spelt.values(), key=lambda row: row.number)
            words = " and ".join(f"`{cell}`" for cell in spelt)
            reason, remedy = f"{words} count as different values", "write one of them everywhere if they are the same"
            yield Problem(last["case_id"], column, reason, remedy, last.number, stops=False)


def _labels(rows: Sequence[Row], study: Study) -> Iterator[Problem]:
    """Yield classes that mean `none` by their name, and classes in several spellings, where the study names none."""
    unnamed = [row for row in rows if row["label"] and row["label"] not in study.cohort.classes]
    normal = [row for row in unnamed if stands_for_normal(row["label"])]
    if normal:
        remedy = "write `none` where it means that nothing was found, or name it in `cohort.classes`"
        yield _asked(normal, "label", "is a class like any other here", remedy)
    yield from _spellings([row for row in unnamed if row not in normal], "label", plain)


def _asked(rows: Sequence[Row], column: str, reason: str, remedy: str, stops: bool = False) -> Problem:
    """Return one problem of all ``rows`` with the same oddity, beside the first of them."""
    first = rows[0]
    more = f" ({counted(len(rows), 'row')})" if len(rows) > 1 else ""
    return Problem(first["case_id"], column, f"`{first[column]}` {reason}{more}", remedy, first.number, stops)
