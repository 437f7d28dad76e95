"""`hakken …`: the functions of the workflow, one command at a time."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from hakken import __version__, console
from hakken.commands import check, doctor, init, open_ms, plan, predict, schema
from hakken.errors import HakkenError

COMMANDS = (doctor, init, check, plan, predict, open_ms, schema)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns 0, or what the command returns, or 2 after an error that the user can mend."""
    parser = argparse.ArgumentParser(
        prog="hakken", description="From a table of annotated medical images to a measured detector. Research use only."
    )
    parser.add_argument("--version", action="version", version=f"hakken {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for command in COMMANDS:
        command.add(commands)
    options = parser.parse_args(arguments)
    try:
        with console.console(options.command, None):
            return int(options.run(options) or 0)
    except HakkenError as error:
        print(f"hakken {options.command}: {error}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
