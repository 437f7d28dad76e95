"""`hakken schema`: the generated part of the documentation: keys of a study file, their JSON schema, the commands.

In a checkout also the table of its systems, that is of the studies in config/studies: it is written to docs/systems and
in place into the README, between two comments.
"""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from hakken.commands.configured import first_scale
from hakken.commands.parser import EXAMPLE, add_command
from hakken.core.files import write_text

if TYPE_CHECKING:
    from hakken.commands.parser import Subparsers
    from hakken.study import Study

HEAD = """# Commands

Generated from the commands themselves by `make docs`; do not edit. `hakken COMMAND --help` shows the same on screen.
A command ends with status 0 when all is well, 1 when `doctor` finds something missing, and 2, after one message, when
there is something for you to mend.
"""

SYSTEMS = """# Systems

Each system is a study file in `config/studies` and a page here: what it does, after which publication, how to run it,
and what was measured. Numbers of a phantom test the software; they say nothing about patients and must not be compared
with those of a publication.

{table}

This page is generated from the study files by `make docs`; do not edit.
"""
HEADS = ("study", "what", "method", "outcomes", "runs on", "published system")
BEGIN, END = "<!-- systems -->", "<!-- /systems -->"


def add(commands: Subparsers) -> None:
    """Add the command."""
    parser = add_command(
        commands,
        "schema",
        "write the JSON schema of study files, the reference pages of study files and commands, and in a checkout the "
        "table of its systems",
        "hakken schema --output docs/reference",
        run,
    )
    parser.add_argument("--output", type=Path, required=True, metavar="FOLDER", help="folder to write into")
    parser.set_defaults(parsers=commands.choices)


def run(options: argparse.Namespace) -> None:
    """Write study.schema.json, study.md and commands.md, and in a checkout the table of its systems."""
    from hakken.runs.configured import STUDIES
    from hakken.study.reference import study_reference, study_schema

    pages = {
        "study.schema.json": json.dumps(study_schema(), indent=2, sort_keys=True) + "\n",
        "study.md": study_reference(),
        "commands.md": commands_reference(options.parsers),
    }
    for name, text in pages.items():
        write_text(options.output / name, text)
    print(f"written to {options.output}: {', '.join(pages)}")
    checkout = options.output.resolve().parent.parent
    if (checkout / STUDIES).is_dir():
        write_systems(checkout)


def write_systems(checkout: Path) -> None:
    """Write the table of the systems of a ``checkout`` to docs/systems/README.md, and into its README.md."""
    systems, readme = checkout / "docs" / "systems", checkout / "README.md"
    write_text(systems / "README.md", SYSTEMS.format(table=systems_table(checkout, "")))
    before, begin, rest = readme.read_text(encoding="utf-8").partition(BEGIN) if readme.is_file() else ("", "", "")
    _, end, after = rest.partition(END)
    if begin and end:
        table = systems_table(checkout, "docs/systems/")
        write_text(readme, f"{before}{BEGIN}\n{table}\n{END}{after}")
    print(f"written: the table of systems in {systems / 'README.md'}{f' and {readme}' if begin and end else ''}")


def systems_table(checkout: Path, folder: str) -> str:
    """Return the systems of a checkout as a Markdown table; links to their pages begin with ``folder``."""
    from hakken.runs.configured import STUDIES
    from hakken.study.reading import load_study

    rows = [HEADS, ("---",) * len(HEADS)]
    for path in sorted((checkout / STUDIES).glob("*.yaml")):
        study = load_study(path, first_scale(path))
        page = checkout / "docs" / "systems" / f"{study.name}.md"
        name = f"[`{study.name}`]({folder}{page.name})" if page.is_file() else f"`{study.name}`"
        outcomes = ", ".join(f"`{outcome}`" for outcome in study.outcomes)
        rows.append((name, study.title, f"`{study.method}`", outcomes, _data(study), _published(study)))
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _data(study: Study) -> str:
    phantom = study.cohort.phantom
    return study.data if phantom is None else f"phantom `{phantom.generator}`"


def _published(study: Study) -> str:
    """Return who has published a system, and when; `none` where nobody has."""
    if study.published is None:
        return "none"
    citation = study.published.citation
    year = re.search(r"\b(19|20)\d\d\b", citation)
    return f"{citation.partition(',')[0]} {year[0] if year else ''}".strip()


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
    choices = ", ".join(f"`{choice}`" for choice in action.choices or ()) if action.help is None else ""
    return f"{action.help or choices}{required}"
