"""`hakken openings`: the ledger of test openings of a study's cases."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING

from hakken.commands.configured import first_scale, study_path
from hakken.commands.parser import add_command
from hakken.core.errors import HakkenError

if TYPE_CHECKING:
    from hakken.commands.parser import Subparsers
    from hakken.study import Study


def add(commands: Subparsers) -> None:
    """Add the command."""
    parser = add_command(
        commands,
        "openings",
        "list the openings of a study's test cases, or restore a lost copy from the other one",
        "hakken openings liver_nodules --scale paper --restore",
        run,
    )
    parser.add_argument("study", metavar="STUDY", help="name of the study")
    parser.add_argument("--scale", metavar="SCALE", help="scale of the study (default: the first one of its file)")
    parser.add_argument(
        "--restore",
        action="store_true",
        help="copy what is missing from the ledger to the receipts in the results, and the other way round; each copy "
        "is marked as restored",
    )
    parser.add_argument(
        "--import",
        dest="earlier",
        type=Path,
        metavar="JSONL",
        help="count the openings of hakken 0.1 or 0.2 from its openings.jsonl; the ledger must be empty",
    )


def run(options: argparse.Namespace) -> None:
    """Print the openings, after restoring or importing what is asked for."""
    from hakken.cohort.parts import openings_folder
    from hakken.seal.openings import read_openings
    from hakken.seal.receipts import restore
    from hakken.study.reading import load_study

    path = study_path(options.study)
    study = load_study(path, options.scale or first_scale(path))
    ledger, results = openings_folder(study), Path("results") / study.name / study.scale
    if options.earlier:
        _import(options.earlier, ledger, study)
    if options.restore:
        made = restore(ledger, results)
        print(*(f"restored: {one}" for one in made), sep="\n") if made else print("nothing was missing")
    openings = read_openings(ledger)
    if not openings:
        print(f"{ledger}: no opening is known to this ledger")
    for opening in openings:
        marks = f", restored on {', '.join(opening.restored)}" if opening.restored else ""
        print(
            f"{opening.number}  {opening.begun}  {opening.study} at {opening.scale}, {len(opening.cases)} cases, "
            f"{len(opening.models)} models: {opening.reason}{marks}"
        )


def _import(path: Path, ledger: Path, study: Study) -> None:
    """Add an opening without cases for each line of the ledger of an earlier version."""
    from hakken.seal.openings import append, earlier_opening, read_openings

    if read_openings(ledger):
        raise HakkenError(f"{ledger}: holds openings already; those of an earlier version can only come first")
    try:
        lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        openings = [earlier_opening(line, study.name, study.scale, study.evaluation.design) for line in lines]
    except (ValueError, KeyError, TypeError):
        raise HakkenError(f"{path}: is no ledger of hakken 0.1 or 0.2") from None
    for opening in openings:
        append(ledger, lambda known, one=opening: one)  # type: ignore[misc]
