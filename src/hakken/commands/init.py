"""`hakken init`: a study of one's own, from an existing one."""

from __future__ import annotations

import argparse
import re
from pathlib import Path
from typing import TYPE_CHECKING

from hakken.commands.configured import first_scale, study_path
from hakken.commands.parser import add_command
from hakken.core.errors import HakkenError
from hakken.core.files import write_text

if TYPE_CHECKING:
    from hakken.commands.parser import Subparsers
    from hakken.study import Study

HEAD = """# Study {name}, begun from {source}. Change what differs in yours; the reference of all keys is in
# docs/reference/study.md, and `hakken check {table} --study {name}` examines the case table.
# `scales` holds, for each scale, the keys that differ there.
"""


def add(commands: Subparsers) -> None:
    """Add the command."""
    parser = add_command(
        commands,
        "init",
        "begin a study of your own from an existing one: a commented study file and a case-table template",
        "hakken init liver_nodules --from brain_metastasis",
        run,
    )
    parser.add_argument("name", help="name of the new study: letters, digits and underscores")
    parser.add_argument(
        "--from",
        dest="source",
        default="brain_metastasis",
        metavar="STUDY",
        help="study to copy (default: brain_metastasis)",
    )


def run(options: argparse.Namespace) -> None:
    """Write config/studies/NAME.yaml and data/NAME/cases.csv; existing files are never overwritten."""
    from hakken.study.reading import load_study, scales_of

    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_]*", options.name):
        raise HakkenError(f"`{options.name}` is no study name; use letters, digits and underscores")
    study_file, table = study_path(options.name), Path("data") / options.name / "cases.csv"
    for path in (study_file, table):
        if path.exists():
            raise HakkenError(f"{path} exists already; choose another name, or move it away")
    source = study_path(options.source)
    study = load_study(source, first_scale(source))
    if study.cohort.kind == "none":
        raise HakkenError(f"{source}: a study without cases needs no case table; copy the file and change its name")
    write_text(study_file, own_study(source, options.name, table))
    write_text(table, case_template(study))
    print(f"{study_file}: the study, every key explained; change what differs in yours")
    print(f"{table}: the case table; one row per case, paths relative to the table")
    print(f"then: hakken check {table} --study {options.name}")
    print(f"      make demo STUDY={options.name} SCALE={next(iter(scales_of(study_file)))}")


def own_study(source: Path, name: str, table: Path) -> str:
    """Return the text of a study like ``source`` on one's own case table."""
    from hakken.study.reading import read_mapping, scales_of
    from hakken.study.reference import commented_study

    content = read_mapping(source)
    texts = {"name": name, "title": name.replace("_", " "), "description": "", "data": "own data"}
    cohort = {key: value for key, value in content.get("cohort", {}).items() if key not in ("phantom", "table")}
    truth = {} if cohort.get("kind") == "items" else {"truth": "lesion_mask", "labels": "instances"}
    changed = {"cohort": {"table": table.as_posix()} | truth | cohort}
    scales = {
        scale: {key: value for key, value in keys.items() if key != "cohort"}
        for scale, keys in scales_of(source).items()
    }
    kept = {key: value for key, value in content.items() if key not in ("published", "scales", *texts, *changed)}
    return HEAD.format(name=name, source=source.stem, table=table) + commented_study(
        texts | changed | kept | {"scales": scales}
    )


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
