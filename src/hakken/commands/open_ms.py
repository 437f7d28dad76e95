"""`hakken open-ms`: the case table of the open multiple-sclerosis data set, for study `white_matter_lesion`."""

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
        "open-ms",
        "write the case table of the open multiple-sclerosis data set (study white_matter_lesion)",
        "hakken open-ms --from ~/data/open_ms",
        run,
    )
    parser.add_argument("--from", dest="source", type=Path, metavar="FOLDER", help="its folder (default: looked for)")
    parser.add_argument(
        "--output",
        type=Path,
        default=Path("data/open_ms/cases.csv"),
        metavar="CSV",
        help="table to write (default: data/open_ms/cases.csv)",
    )


def run(options: argparse.Namespace) -> None:
    """Find the folder and write the table."""
    from hakken.cohort.open_ms import find_open_ms, write_case_table

    source = find_open_ms(options.source)
    write_case_table(source, options.output)
    print(f"{options.output}: case table of the images in {source}")
