"""`hakken node21`: the case table of a local copy of NODE21, for study `chest_xray_mass`."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from hakken.commands.parser import add_command

if TYPE_CHECKING:
    from hakken.commands.parser import Subparsers


def add(commands: Subparsers) -> None:
    """Add the command."""
    parser = add_command(
        commands,
        "node21",
        "write the case table of a local copy of NODE21, chest radiographs with boxes (study chest_xray_mass)",
        "hakken node21 ~/data/NODE21 data/node21/cases.csv",
        run,
    )
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="its folder, with `metadata.csv` and `images`")
    parser.add_argument("output", type=Path, metavar="OUT", help="table to write (CSV), with `boxes.csv` beside it")
    parser.add_argument(
        "--patients",
        type=Path,
        metavar="CSV",
        help="table `img_name, patient` (default: each image is a patient of its own, for the set does not say)",
    )


def run(options: argparse.Namespace) -> None:
    """Write the table and say what is in it."""
    from hakken.cohort.node21 import read_patients, write_case_table

    patients = read_patients(options.patients) if options.patients is not None else None
    table = write_case_table(options.folder, options.output, patients)
    abnormal = sum(case.lesion_table is not None for case in table.cases)
    print(f"{options.output}: case table of {len(table)} images, {abnormal} with nodules")
    if patients is None:
        print("each image passes for a patient of its own, for the set does not say; --patients tells otherwise")
