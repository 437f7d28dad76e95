"""`hakken readers plan` and `collect`: blinded, balanced reading lists, and the ratings that come back from them."""

from __future__ import annotations

import argparse
import datetime
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hakken.commands.parser import add_command
from hakken.commands.readers_analyse import names
from hakken.core.errors import HakkenError
from hakken.core.names import nearest

if TYPE_CHECKING:
    from hakken.commands.parser import Subparsers
    from hakken.core.tables import Cell, Table
    from hakken.evaluation.readers.allocation import Allocation

LISTS = "lists"
KEY, PLAN, TEMPLATE, FILLED = "key.csv", "plan.json", "ratings_template.csv", "ratings.csv"
LIST_COLUMNS = ("date", "position", "code", "modality")
TEMPLATE_COLUMNS = ("session", "reader", "code", "modality")
KEY_COLUMNS = ("session", "reader", "position", "code", "modality", "case_id")
ANSWERS = {"roc": ("rating",), "froc": ("mark", "lesion_id", "rating")}
NAME = re.compile(r"[A-Za-z0-9_-]{1,40}")


def add(actions: Subparsers) -> None:
    """Add the action `plan`."""
    parser = add_command(
        actions,
        "plan",
        "deal cases to readers, sessions and modalities: balanced, blinded lists in random order",
        "hakken readers plan --cases cases.csv --readers A,B,C --modalities without,with --start 2026-01-12 \\\n"
        "      --seed 1 --output reader_study",
        run_plan,
    )
    parser.add_argument(
        "--cases",
        type=Path,
        required=True,
        metavar="CSV",
        help="case_id of every case; columns stratum and diseased, where there are any, are balanced",
    )
    parser.add_argument("--readers", required=True, metavar="A,B", help="the readers' names or codes")
    parser.add_argument("--modalities", required=True, metavar="A,B", help="the modalities, as without,with")
    parser.add_argument(
        "--design", choices=("roc", "froc"), default="roc", metavar="KIND", help="roc (default) or froc"
    )
    parser.add_argument(
        "--sessions", type=int, metavar="N", help="a multiple of the number of modalities (default: that number)"
    )
    parser.add_argument("--start", required=True, metavar="DATE", help="day of the first session, as 2026-01-12")
    parser.add_argument(
        "--washout-days", type=int, default=28, metavar="N", help="days between readings of a case (default: 28)"
    )
    parser.add_argument("--seed", type=int, required=True, metavar="N", help="seed of the random order")
    parser.add_argument("--output", type=Path, required=True, metavar="FOLDER", help="folder for lists, key and plan")


def add_collect(actions: Subparsers) -> None:
    """Add the action `collect`."""
    parser = add_command(
        actions,
        "collect",
        "join filled ratings with the key of a plan into the table of ratings",
        "hakken readers collect reader_study --output ratings.csv",
        run_collect,
    )
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="folder of `readers plan`")
    parser.add_argument(
        "--ratings",
        type=Path,
        metavar="CSV",
        help=f"the filled {TEMPLATE} (default: {FILLED} in the folder; for roc, where it is missing, the filled lists)",
    )
    parser.add_argument(
        "--cases", type=Path, metavar="CSV", help="roc: case_id and diseased, where the plan was made without"
    )
    parser.add_argument("--output", type=Path, required=True, metavar="CSV", help="table to write")


def run_plan(options: argparse.Namespace) -> None:
    """Write the lists, the key, the template and the plan; print the sessions."""
    from hakken.core.files import write_json, write_text
    from hakken.evaluation.readers.allocation import allocate

    readers, modalities = names(options.readers, "--readers"), names(options.modalities, "--modalities")
    _check_names(readers)
    cases = _read_cases(options.cases)
    if (options.output / KEY).exists():
        raise HakkenError(f"{options.output}: a plan is there already; choose another folder, so that no list is lost")
    if options.seed < 0:
        raise HakkenError(f"--seed {options.seed}: give a number that is not negative")
    strata = [column for column in ("stratum", "diseased") if column in cases]
    dealt = allocate(
        [" ".join(cells) for cells in zip(*(cases.text(column) for column in strata), strict=True)]
        if strata
        else [""] * len(cases),
        readers=len(readers),
        modalities=len(modalities),
        sessions=len(modalities) if options.sessions is None else options.sessions,
        start=_date(options.start),
        washout_days=options.washout_days,
        seed=options.seed,
    )
    for name, text in _tables(dealt, cases, readers, modalities, options.design).items():
        write_text(options.output / name, text)
    write_json(options.output / PLAN, _plan(options, dealt, cases, readers, modalities))
    print(f"{len(cases)} cases, {len(readers)} readers, {len(modalities)} modalities: {len(dealt.readings)} readings")
    for session, date in enumerate(dealt.dates, start=1):
        number = sum(entry.session == session for entry in dealt.readings) // len(readers)
        print(f"session {session}: {date.isoformat()}, {number} cases a reader")
    print(f"written to {options.output}: {LISTS}/ for the readers; {KEY} for nobody before the last rating is in")


def run_collect(options: argparse.Namespace) -> None:
    """Write the ratings table."""
    from hakken.core.files import read_json
    from hakken.core.tables import read_table, write_table
    from hakken.evaluation.readers.ratings import FROC_COLUMNS, ROC_COLUMNS

    plan = read_json(options.folder / PLAN)
    design = plan.get("design") if isinstance(plan, dict) else None
    if design not in ANSWERS:
        raise HakkenError(f"{options.folder / PLAN}: no plan of `readers plan`: it does not say whether roc or froc")
    key = read_table(options.folder / KEY, KEY_COLUMNS)
    filled = _filled(options, design, key)
    truth = _truth(options, key) if design == "roc" else {}
    readings = dict(zip(zip(key.text("reader"), key.text("code"), strict=True), range(len(key)), strict=True))
    with_patient = design == "roc" and "patient" in key
    rows, seen = [], Counter[int]()
    for table in filled:
        answers = _answers(table, design)
        for entry, (reader, code) in enumerate(zip(table.text("reader"), table.text("code"), strict=True)):
            place = _reading(table, entry, reader, code, readings)
            if table.text("modality")[entry] != key.cells["modality"][place]:
                planned = f"it was to be read in `{key.cells['modality'][place]}`"
                raise table.error(entry, "modality", f"`{table.cells['modality'][entry]}`, but {planned} ({KEY})")
            seen[place] += 1
            if design == "roc" and seen[place] > 1:
                raise table.error(entry, "code", f"reader `{reader}` has rated `{code}` already; keep one row")
            case = key.cells["case_id"][place]
            middle = [truth[case]] if design == "roc" else []
            patient = [key.cells["patient"][place]] if with_patient else []
            rows.append([key.cells["modality"][place], reader, case, *middle, *answers[entry], *patient])
    for place in range(len(key)):
        if not seen[place]:
            reader, code = key.cells["reader"][place], key.cells["code"][place]
            hint = "; write the mark none where nothing was marked" if design == "froc" else ""
            raise HakkenError(
                f"{filled[0].path}: reader `{reader}` has no row for `{code}` ({KEY}, row {key.rows[place]}); "
                f"add it{hint}"
            )
    heading = (*(ROC_COLUMNS if design == "roc" else FROC_COLUMNS), *(["patient"] if with_patient else []))
    write_table(options.output, heading, rows)
    print(f"{len(rows)} rows of {len(key)} readings written to {options.output}")


def _check_names(readers: Sequence[str]) -> None:
    lower = Counter(name.lower() for name in readers)
    for name in readers:
        if not NAME.fullmatch(name):
            raise HakkenError(
                f"--readers: `{name}` becomes a file's name; use letters, digits, `-` and `_`, at most 40"
            )
        if lower[name.lower()] > 1:
            raise HakkenError(f"--readers: `{name}` and another differ in case alone; files of both would be the same")


def _read_cases(path: Path) -> Table:
    from hakken.core.tables import read_table

    cases = read_table(path, ("case_id",), ("stratum", "diseased", "patient"))
    cases.require_distinct(("case_id",), "case")
    if "diseased" in cases:
        cases.flags("diseased")
    return cases


def _date(text: str) -> datetime.date:
    try:
        return datetime.date.fromisoformat(text)
    except ValueError:
        raise HakkenError(f"--start {text}: not a date; write year, month and day, as 2026-01-12") from None


def _tables(
    dealt: Allocation, cases: Table, readers: Sequence[str], modalities: Sequence[str], design: str
) -> dict[str, str]:
    """Return the content of every CSV file by its path in the folder."""
    from hakken.core.tables import table_text

    answer = ANSWERS[design]
    blank: list[Cell] = [""] * len(answer)
    tables = {}
    for number, reader in enumerate(readers):
        for session, date in enumerate(dealt.dates, start=1):
            own = [entry for entry in dealt.readings if (entry.reader, entry.session) == (number, session)]
            tables[f"{LISTS}/{reader}_session-{session}.csv"] = table_text(
                (*LIST_COLUMNS, *(answer if design == "roc" else ())),
                (
                    [date.isoformat(), e.position, e.code, modalities[e.modality], *(blank if design == "roc" else ())]
                    for e in own
                ),
            )
    tables[TEMPLATE] = table_text(
        (*TEMPLATE_COLUMNS, *answer),
        ([e.session, readers[e.reader], e.code, modalities[e.modality], *blank] for e in dealt.readings),
    )
    known = [column for column in ("stratum", "diseased", "patient") if column in cases]
    tables[KEY] = table_text(
        (*KEY_COLUMNS, *known),
        (
            [
                *(e.session, readers[e.reader], e.position, e.code, modalities[e.modality]),
                *(cases.cells[column][e.case] for column in ("case_id", *known)),
            ]
            for e in dealt.readings
        ),
    )
    return tables


def _plan(
    options: argparse.Namespace, dealt: Allocation, cases: Table, readers: Sequence[str], modalities: Sequence[str]
) -> dict[str, Any]:
    counts = Counter((e.session, readers[e.reader], modalities[e.modality]) for e in dealt.readings)
    return {
        "design": options.design,
        "cases": len(cases),
        "readers": list(readers),
        "modalities": list(modalities),
        "balanced": [column for column in ("stratum", "diseased") if column in cases],
        "washout_days": options.washout_days,
        "seed": options.seed,
        "sessions": [
            {
                "session": session,
                "date": date.isoformat(),
                "readings": {
                    reader: {modality: counts[session, reader, modality] for modality in modalities}
                    for reader in readers
                },
            }
            for session, date in enumerate(dealt.dates, start=1)
        ],
    }


def _filled(options: argparse.Namespace, design: str, key: Table) -> list[Table]:
    """Return the tables with the ratings, each with a column `reader`."""
    from hakken.core.tables import Table, read_table

    columns = ("reader", "code", "modality", *ANSWERS[design])
    path = options.ratings or options.folder / FILLED
    if options.ratings is not None or path.exists() or design == "froc":
        if not path.exists():
            raise HakkenError(f"{path}: no such file; fill in {TEMPLATE} and save it there, or name it with --ratings")
        return [read_table(path, columns, ())]
    tables = []
    for reader, session in dict.fromkeys(zip(key.text("reader"), key.text("session"), strict=True)):
        table = read_table(options.folder / LISTS / f"{reader}_session-{session}.csv", columns[1:], ())
        tables.append(Table(table.path, {**table.cells, "reader": [reader] * len(table)}, table.rows))
    return tables


def _answers(table: Table, design: str) -> list[list[str]]:
    """Return the cells that a reader filled in, row by row, checked."""
    if design == "froc":
        import numpy as np

        from hakken.evaluation.readers.ratings import MARKS, mark_ratings

        marks = table.choices("mark", MARKS)
        mark_ratings(table, np.array([mark == "none" for mark in marks], bool))
    else:
        table.numbers("rating")
    return [list(cells) for cells in zip(*(table.cells[column] for column in ANSWERS[design]), strict=True)]


def _reading(table: Table, entry: int, reader: str, code: str, readings: dict[tuple[str, str], int]) -> int:
    place = readings.get((reader, code))
    if place is None:
        own = [known for name, known in readings if name == reader]
        if not own:
            there = sorted({name for name, _ in readings})
            hint = nearest(reader, there) or f"; the plan has {', '.join(there)}"
            raise table.error(entry, "reader", f"`{reader}` is no reader of the plan{hint}")
        raise table.error(entry, "code", f"`{code}` is not in the lists of reader `{reader}`{nearest(code, own)}")
    return place


def _truth(options: argparse.Namespace, key: Table) -> dict[str, str]:
    """Return `diseased` of each case, from the cases that were named or from the key."""
    from hakken.core.tables import read_table

    table = key
    if options.cases is not None:
        table = read_table(options.cases, ("case_id", "diseased"), ())
    elif "diseased" not in key:
        raise HakkenError(f"{key.path}: no column diseased; name a table of case_id and diseased with --cases")
    flags = table.flags("diseased")
    truth = {case: str(int(flag)) for case, flag in zip(table.text("case_id"), flags, strict=True)}
    for case in key.text("case_id"):
        if case not in truth:
            raise HakkenError(f"{table.path}: case `{case}` of {key.path} is missing; add its row")
    return truth
