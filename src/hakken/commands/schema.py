"""`hakken schema`: the JSON schema of study files and the reference page of all keys, from the study model."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING

from hakken.commands.parser import add_command
from hakken.files import write_text
from hakken.report.reference import study_reference
from hakken.study import Study

if TYPE_CHECKING:
    from hakken.commands.parser import Subparsers


def add(commands: Subparsers) -> None:
    """Add the command."""
    parser = add_command(
        commands,
        "schema",
        "write the JSON schema and the reference page of study files",
        "hakken schema --output docs/reference",
        run,
    )
    parser.add_argument("--output", type=Path, required=True, metavar="FOLDER", help="folder to write into")


def run(options: argparse.Namespace) -> None:
    """Write study.schema.json and study.md."""
    schema = json.dumps(Study.model_json_schema(), indent=2, sort_keys=True)
    write_text(options.output / "study.schema.json", schema + "\n")
    write_text(options.output / "study.md", study_reference())
    print(f"{options.output}/study.schema.json and {options.output}/study.md written")
