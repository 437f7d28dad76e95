"""`hakken chest-xray`: the case table of public chest X-rays of children, for study `chest_xray_autoencoder`."""

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
        "chest-xray",
        "write the case table of public chest X-rays of children (study chest_xray_autoencoder)",
        "hakken chest-xray --from ~/data/chest_xray",
        run,
    )
    parser.add_argument("--from", dest="source", type=Path, metavar="FOLDER", help="its folder (default: looked for)")
    parser.add_argument(
        "--output",
        type=Path,
        default=Path("data/chest_xray/cases.csv"),
        metavar="CSV",
        help="table to write (default: data/chest_xray/cases.csv)",
    )


def run(options: argparse.Namespace) -> None:
    """Find the folder and write the table."""
    from hakken.cohort.chest_xray import find_chest_xray, write_case_table
    from hakken.study import PARTS

    source = find_chest_xray(options.source)
    table = write_case_table(source, options.output)
    parts = ", ".join(f"{len(table.part(part))} {part}" for part in PARTS)
    print(f"{options.output}: case table of the images in {source}: {parts}")
