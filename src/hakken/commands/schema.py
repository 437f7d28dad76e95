"""`hakken schema`: the generated part of the reference: keys of a study file, their JSON schema, the commands."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from hakken.commands.parser import EXAMPLE, add_command
from hakken.core.files import write_text

if TYPE_CHECKING:
    from hakken.commands.parser import Subparsers

HEAD = """# Commands

Generated from the commands themselves by `make docs`; do not edit. `hakken COMMAND --help` shows the same on screen.
A command ends with status 0 when all is well, 1 when `doctor` finds something missing, and 2, after one message, when
there is something for you to mend.
"""


def add(commands: Subparsers) -> None:
    """Add the command."""
    parser = add_command(
        commands,
        "schema",
        "write the JSON schema of study files and the reference pages of study files and commands",
        "hakken schema --output docs/reference",
        run,
    )
    parser.add_argument("--output", type=Path, required=True, metavar="FOLDER", help="folder to write into")
    parser.set_defaults(parsers=commands.choices)


def run(options: argparse.Namespace) -> None:
    """Write study.schema.json, study.md and commands.md."""
    from hakken.study.reference import study_reference, study_schema

    pages = {
        "study.schema.json": json.dumps(study_schema(), indent=2, sort_keys=True) + "\n",
        "study.md": study_reference(),
        "commands.md": commands_reference(options.parsers),
    }
    for name, text in pages.items():
        write_text(options.output / name, text)
    print(f"written to {options.output}: {', '.join(pages)}")


def commands_reference(parsers: Mapping[str, argparse.ArgumentParser]) -> str:
    """Return the reference page of all commands as Markdown: what each does, its arguments, an example."""
    return "\n".join([HEAD, *(line for name, parser in parsers.items() for line in _command(name, parser))])


def _command(name: str, parser: argparse.ArgumentParser, heading: str = "##") -> Iterator[str]:
    yield f"{heading} `hakken {name}`\n\n{parser.description}\n"
    arguments = [action for action in parser._actions if not isinstance(action, argparse._HelpAction)]
    if arguments:
        yield "| argument | meaning |\n| --- | --- |"
        yield from (f"| {_spelling(action)} | {_meaning(action)} |" for action in arguments)
        yield ""
    example = (parser.epilog or "").removeprefix(EXAMPLE)
    yield f"```sh\n{example}\n```\n"
    for action in arguments:
        if isinstance(action, argparse._SubParsersAction):
            for inner, sub in action.choices.items():
                yield from _command(f"{name} {inner}", sub, f"{heading}#")


def _spelling(action: argparse.Action) -> str:
    words = [action.option_strings[0]] if action.option_strings else []
    if action.nargs != 0:
        words.append(str(action.metavar or action.dest))
    return f"`{' '.join(words)}`"


def _meaning(action: argparse.Action) -> str:
    required = "; required" if action.required and action.option_strings else ""
    return f"{action.help}{required}"
