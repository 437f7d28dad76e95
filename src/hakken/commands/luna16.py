"""`hakken luna16`: the case table of a local copy of LUNA16, for study `lung_nodule_ct`."""

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
        "luna16",
        "write the case table of a local copy of LUNA16, with its folds and excluded findings (study lung_nodule_ct)",
        "hakken luna16 ~/data/LUNA16 data/luna16/cases.csv",
        run,
    )
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="its folder, with `subset0` to `subset9`")
    parser.add_argument("output", type=Path, metavar="OUT", help="table to write (CSV); lesion tables go beside it")
    parser.add_argument(
        "--annotations", type=Path, metavar="CSV", help="seriesuid,coordX,coordY,coordZ,diameter_mm (default: found)"
    )
    parser.add_argument(
        "--excluded", type=Path, metavar="CSV", help="the same of findings on which marks are dropped (default: found)"
    )


def run(options: argparse.Namespace) -> None:
    """Write the tables and say what is in them."""
    from hakken.cohort.luna16 import words, write_case_table

    for line in words(write_case_table(options.folder, options.output, options.annotations, options.excluded)):
        print(line)
