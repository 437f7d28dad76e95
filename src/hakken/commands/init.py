"""`hakken init`: a study of one's own, from its images or from an existing study."""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hakken import plugins
from hakken.commands.configured import first_scale, study_path
from hakken.commands.parser import add_command
from hakken.core.errors import HakkenError
from hakken.core.files import write_text

if TYPE_CHECKING:
    from hakken.commands.own_cases import FoundCases
    from hakken.commands.parser import Subparsers
    from hakken.study import Study

HEAD = """# Study {name}, {source}. Change what differs in yours; the reference of all keys is in
# docs/reference/study.md, and `hakken check {table} --study {name}` examines the case table.
# `scales` holds, for each scale, the keys that differ there.
"""
PROPOSED = """# Study {name}, {source}: a comment that begins with `Here:` says why a value is what it
# is. Change what you know better; the reference of all keys is in docs/reference/study.md, and
# `hakken check {table} --study {name}` examines the case table. `scales` holds the keys that differ at each scale.
"""
OF_ANOTHER = ("published", "scaling", "cohort")
"""Sections of a study that are of its publication, or of its phantom."""

PUBLISHED_POINTS = ("at", "maximum_fp", "operating_point", "operating_rule")
"""Where a publication reports; another study has its own."""


def add(commands: Subparsers) -> None:
    """Add the command."""
    parser = add_command(
        commands,
        "init",
        "begin a study of your own: a commented study file and a case table, proposed from your images (--data), or "
        "templates like those of an existing study",
        "hakken init liver_nodules --data images/liver",
        run,
    )
    parser.add_argument("name", help="name of the new study: letters, digits and underscores")
    parser.add_argument(
        "--data",
        type=Path,
        metavar="FOLDER|CASES.CSV",
        help="your images: a folder of cases (BIDS, a folder for each case or class, or images beside masks), or a "
        "case table",
    )
    parser.add_argument("--method", metavar="METHOD", help="what learns (default: as the truth and the images suggest)")
    parser.add_argument(
        "--from",
        dest="source",
        metavar="STUDY",
        help="instead of --data: an existing study whose method, channels and settings to begin with",
    )


def run(options: argparse.Namespace) -> None:
    """Write config/studies/NAME.yaml and, but for a case table that is given, data/NAME/cases.csv.

    Existing files are never overwritten.
    """
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_]*", options.name):
        raise HakkenError(f"`{options.name}` is no study name; use letters, digits and underscores")
    if options.data is not None and options.source is not None:
        raise HakkenError("--from begins with another study and --data with your images; give one of them")
    if options.source is not None and options.method is not None:
        raise HakkenError("--from brings the method of its study; leave --method out, or give --data")
    study_file, table = study_path(options.name), Path("data") / options.name / "cases.csv"
    written = [study_file] if options.data is not None and options.data.is_file() else [study_file, table]
    for path in written:
        if path.exists():
            raise HakkenError(f"{path} exists already; choose another name, or move it away")
    if options.data is not None:
        _from_data(options, study_file, table)
    elif options.source is not None:
        _from_study(options, study_file, table)
    else:
        _from_nothing(options, study_file, table)


def _from_nothing(options: argparse.Namespace, study_file: Path, table: Path) -> None:
    """Write templates for images that nobody has seen yet."""
    from hakken.commands.own_images import UNSEEN
    from hakken.commands.own_study import proposed
    from hakken.study.reading import parse_study
    from hakken.study.reference import commented_study

    content, reasons = proposed(options.name, table.as_posix(), UNSEEN, options.method)
    study = parse_study({key: value for key, value in content.items() if key != "scales"})
    source = "of images that are not known yet (--data reads them)"
    head = PROPOSED.format(name=options.name, table=table, source=source)
    write_text(study_file, head + commented_study(content, reasons))
    write_text(table, case_template(study))
    print(f"{study_file}: the study, every key explained; `--data` would propose it from your images")
    print(f"{table}: the case table; one row per case, paths relative to the table")
    _next(options.name, table, next(iter(content["scales"])))


def _from_study(options: argparse.Namespace, study_file: Path, table: Path) -> None:
    from hakken.study.reading import load_study, scales_of

    source = study_path(options.source)
    study = load_study(source, first_scale(source))
    if study.cohort.kind == "none":
        raise HakkenError(f"{source}: a study without cases needs no case table; copy the file and change its name")
    write_text(study_file, own_study(source, options.name, table))
    write_text(table, case_template(study))
    print(f"{study_file}: the study, every key explained; change what differs in yours")
    print(f"{table}: the case table; one row per case, paths relative to the table")
    _next(options.name, table, next(iter(scales_of(study_file))))


def _from_data(options: argparse.Namespace, study_file: Path, table: Path) -> None:
    from hakken.commands.own_cases import find_cases, table_rows
    from hakken.commands.own_images import cases_of_table, examine
    from hakken.commands.own_study import proposed
    from hakken.core.tables import write_table
    from hakken.study.reading import parse_study
    from hakken.study.reference import commented_study

    given = options.data.is_file()
    if not given and not options.data.is_dir():
        raise HakkenError(f"{options.data}: no such file or folder; name the folder of your images or a case table")
    found = cases_of_table(options.data) if given else find_cases(options.data)
    facts = examine(found)
    table = options.data if given else table
    content, reasons = proposed(options.name, table.as_posix(), facts, options.method)
    parse_study({key: value for key, value in content.items() if key != "scales"})
    if not given:
        heading, rows = table_rows(found, table.parent)
        write_table(table, heading, rows)
    head = PROPOSED.format(name=options.name, table=table, source="proposed from the images")
    text = head + commented_study(content, reasons)
    write_text(study_file, text)
    for line in _told(found, facts.problems, options.data):
        print(line)
    print(f"{study_file}: the study, every key explained, `Here:` says why")
    print(f"{table}: the case table{'' if given else '; correct patients, parts and truth where the rule is wrong'}")
    _next(options.name, table, next(iter(content["scales"])))


def _told(found: FoundCases, problems: tuple[str, ...], data: Path) -> Iterator[str]:
    yield f"{data}: {len(found.cases)} cases by the rule: {found.rule}; channels {', '.join(found.channels)}"
    yield from (f"  not taken or assumed: {line}" for line in found.left_out)
    yield from (f"  not read: {line}" for line in problems)


def _next(name: str, table: Path, scale: str) -> None:
    print(f"then: hakken check {table} --study {name}")
    print(f"      make demo STUDY={name} SCALE={scale}")


def own_study(source: Path, name: str, table: Path) -> str:
    """Return the text of a study like ``source`` on one's own case table: its design, without its publication.

    What goes is the published result, the seed, the comparisons, the levels of readers and the operating points.
    """
    from hakken.commands.own_study import seed_of_name
    from hakken.study.reading import read_mapping, scales_of
    from hakken.study.reference import commented_study

    content = read_mapping(source)
    texts: dict[str, Any] = {"name": name, "title": name.replace("_", " "), "description": "", "data": "own data"}
    texts |= {"seed": seed_of_name(name)}
    cohort = {key: value for key, value in content.get("cohort", {}).items() if key not in ("phantom", "table")}
    truth = {} if cohort.get("kind") == "items" else {"truth": "lesion_mask", "labels": "instances"}
    changed: dict[str, Any] = {"cohort": {"table": table.as_posix()} | truth | cohort}
    kept = {key: value for key, value in content.items() if key not in ("scales", *texts, *changed)}
    kept["outcomes"] = kept.get("outcomes") or _outcomes_of(content.get("method"))
    scales = {scale: unpublished({**keys, "cohort": None}) for scale, keys in scales_of(source).items()}
    return HEAD.format(name=name, source=f"begun from {source.stem}", table=table) + commented_study(
        texts | changed | unpublished(kept) | {"scales": scales}
    )


def unpublished(content: Mapping[str, Any]) -> dict[str, Any]:
    """Return the sections of a study, or of a scale of one, without what is of a publication."""
    found = {key: value for key, value in content.items() if key not in OF_ANOTHER and value is not None}
    if "search" in found:
        found["search"] = {key: value for key, value in found["search"].items() if key != "comparison"}
    if "variants" in found:
        found["variants"] = {
            name: {key: value for key, value in one.items() if key not in ("published", "provenance")}
            for name, one in found["variants"].items()
        }
    if "outcomes" in found:
        found["outcomes"] = {outcome: _undecided(outcome, said or {}) for outcome, said in found["outcomes"].items()}
    return {key: value for key, value in found.items() if value}


def _outcomes_of(method: str | None) -> dict[str, Any]:
    """Return the outcomes of a method that has candidates, whose operating point no publication decides here."""
    outcomes = plugins.load("methods", method).OUTCOMES if method else ()
    return {outcome: {} for outcome in outcomes} if "candidates" in outcomes else {}


def _undecided(outcome: str, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings of an outcome with operating points that are no publication's."""
    found = {key: value for key, value in settings.items() if key not in PUBLISHED_POINTS}
    if outcome != "candidates":
        return found
    by_cases = settings.get("operating_point") == "case_scores"
    return found | {"at": [1, 2, 4], "operating_point": "case_scores" if by_cases else 1}


def case_template(study: Study) -> str:
    """Return a case table with the right columns and three example rows, the last a case without lesions."""
    from hakken.cohort.checks import NO_LESIONS, file_columns, truth_column

    truth, files = truth_column(study), file_columns(study)
    ending = ".nii.gz" if study.cohort.kind == "images" else ""
    lines = [["case_id", "patient", "split", "scanner", *files, *([truth] if truth else [])]]
    for number, split in enumerate(("train", "validation", "test"), start=1):
        case = f"case{number}"
        said = NO_LESIONS if split == "test" else _truth(case, truth, study)
        paths = (f"{case}/{name}{ending}" for name in files)
        lines.append([case, f"patient{number}", split, "A", *paths, *([said] if truth else [])])
    return "\n".join(map(",".join, lines)) + "\n"


def _truth(case: str, column: str | None, study: Study) -> str:
    """Return what stands in the column of the truth of an abnormal case."""
    if column == "label":
        return next(iter(study.cohort.classes), "abnormal")
    return f"{case}/{column}.{'nii.gz' if column == 'lesion_mask' else 'csv'}"
