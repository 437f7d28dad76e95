"""`hakken …`: the functions of the workflow, one command at a time."""

from __future__ import annotations

import argparse
import io
import os
import sys
from collections.abc import Sequence
from typing import Any

import hakken
from hakken.commands import (
    agreement,
    anova,
    check,
    chest_xray,
    clinic_db,
    doctor,
    export,
    froc,
    init,
    luna16,
    node21,
    open_ms,
    openings,
    overlap,
    plan,
    predict,
    profile,
    readers,
    redraw,
    roc,
    schema,
    search,
    tune_cpu,
    verify,
)
from hakken.core import console
from hakken.core.errors import HakkenError
from hakken.core.files import spelling_names

COMMANDS = (
    doctor,
    init,
    check,
    plan,
    search,
    predict,
    froc,
    roc,
    agreement,
    overlap,
    readers,
    redraw,
    anova,
    open_ms,
    openings,
    verify,
    chest_xray,
    clinic_db,
    luna16,
    node21,
    export,
    profile,
    tune_cpu,
    schema,
)
INTERRUPTED = 130
NOT_READ = 141
"""What a command returns when nobody reads its output any more, as in `hakken froc ... | head -1`."""


class _Version(argparse.Action):
    def __call__(self, parser: argparse.ArgumentParser, *_: Any) -> None:
        print(f"hakken {hakken.__version__}")
        parser.exit()


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of all commands."""
    parser = argparse.ArgumentParser(
        prog="hakken", description="From a table of annotated medical images to a measured detector. Research use only."
    )
    parser.add_argument("--version", action=_Version, nargs=0, help="show the version and exit")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for command in COMMANDS:
        command.add(commands)
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns 0, or what the command returns, or 2 after an error that the user can mend."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a name that the terminal cannot show is no reason to fail
    options = build_parser().parse_args(arguments)
    try:
        with console.console(options.command, None), spelling_names():
            status = int(options.run(options) or 0)
            sys.stdout.flush()  # here, where a closed pipe is expected, and not when the interpreter ends
            return status
    except HakkenError as error:
        print(f"hakken {options.command}: {error}", file=sys.stderr)
        return 2
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # what is left to be written goes nowhere
        return NOT_READ
    except OSError as error:
        if error.filename is None or error.strerror is None:
            raise
        print(f"hakken {options.command}: {error.filename}: {error.strerror}; check the path", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(f"hakken {options.command}: interrupted", file=sys.stderr)
        return INTERRUPTED


if __name__ == "__main__":
    sys.exit(main())
