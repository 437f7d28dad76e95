"""`hakken verify`: whether prepared images, patches and predictions are still what was written, byte by byte."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from hakken.commands.parser import add_command
from hakken.core.console import progress
from hakken.core.errors import HakkenError
from hakken.core.names import counted

if TYPE_CHECKING:
    from hakken.commands.parser import Subparsers


def add(commands: Subparsers) -> None:
    """Add the command."""
    parser = add_command(
        commands,
        "verify",
        "read every byte of prepared images, patches and predictions and compare it with what was written",
        "hakken verify results/liver_nodules/paper",
        run,
    )
    parser.add_argument(
        "results",
        type=Path,
        nargs="?",
        default=Path("results"),
        metavar="RESULTS",
        help="a folder of results (default: results)",
    )


def run(options: argparse.Namespace) -> None:
    """Print how much was read, or raise HakkenError that lists the files that are not what was written."""
    from hakken.runs.whole import data_folders, require_whole

    folders, size, wrong = list(data_folders(options.results)), 0, list[str]()
    if not folders:
        raise HakkenError(f"{options.results}: no prepared images, patches or predictions below it; name another")
    for folder in folders:
        size += sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
        try:
            require_whole(folder)
        except HakkenError as error:
            wrong.append(f"  {error}")
            progress(str(error))
    if wrong:
        raise HakkenError("\n".join([f"{options.results}: {counted(len(wrong), 'folder')} not as written:", *wrong]))
    print(f"{options.results}: {counted(len(folders), 'folder')}, {size / 1e9:.2f} GB, every byte as it was written")
