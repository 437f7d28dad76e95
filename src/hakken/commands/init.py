"""`hakken init`: a study of one's own, from an existing one."""

from __future__ import annotations

import argparse
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from hakken.commands.configured import STUDIES, first_scale
from hakken.commands.parser import add_command
from hakken.errors import HakkenError
from hakken.files import write_text
from hakken.report.reference import commented_study
from hakken.studyfile import load_study

if TYPE_CHECKING:
    from hakken.commands.parser import Subparsers

HEAD = """# Study {name}, begun from {source}. Change what differs in yours; the reference of all keys is in
# docs/reference/study.md, and `hakken check {table} --study {name}` examines the case table.
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
    parser.add_argument("--from", dest="source", default="brain_metastasis", metavar="STUDY", help="study to copy")


def run(options: argparse.Namespace) -> None:
    """Write config/studies/NAME.yaml and data/NAME/cases.csv; existing files are never overwritten."""
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_]*", options.name):
        raise HakkenError(f"`{options.name}` is no study name; use letters, digits and underscores")
    study_file, table = STUDIES / f"{options.name}.yaml", Path("data") / options.name / "cases.csv"
    for path in (study_file, table):
        if path.exists():
            raise HakkenError(f"{path} exists already; choose another name, or move it away")
    source = STUDIES / f"{options.source}.yaml"
    study = load_study(source, first_scale(source))
    write_text(study_file, own_study(source, options.name, table))
    write_text(table, case_template([*study.channels], study.cohort.truth))
    print(f"{study_file}: the study, every key explained; change what differs in yours")
    print(f"{table}: the case table; one row a case, paths relative to the table")
    print(f"then: hakken check {table} --study {options.name}")
    print(f"      make demo STUDY={options.name} SCALE=small")


def own_study(source: Path, name: str, table: Path) -> str:
    """Return the text of a study like ``source`` on one's own case table."""
    content = yaml.safe_load(source.read_text())
    content |= {"name": name, "data": "own data"}
    cohort: dict[str, Any] = {key: value for key, value in content["cohort"].items() if key != "phantom"}
    content["cohort"] = {"table": str(table)} | cohort
    for scale in content.get("scales", {}).values():
        scale.pop("cohort", None)
    content.pop("published", None)
    return HEAD.format(name=name, source=source.stem, table=table) + commented_study(content)


def case_template(channels: list[str], truth: str) -> str:
    """Return a case table with the right columns and two example rows."""
    columns = ["case_id", "patient", "split", "scanner", *channels, truth]
    ending = "nii.gz" if truth == "lesion_mask" else "csv"
    rows = [
        [case, patient, split, "A", *(f"{case}/{channel}.nii.gz" for channel in channels), f"{case}/{truth}.{ending}"]
        for case, patient, split in (("case001", "patient001", "train"), ("case002", "patient002", "validation"))
    ]
    return "\n".join(",".join(row) for row in [columns, *rows]) + "\n"
