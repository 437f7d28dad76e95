"""`hakken readers`: reader studies, from the plan over the readings to the comparison of the modalities."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hakken.commands import readers_analyse, readers_plan, readers_power
from hakken.commands.parser import add_command

if TYPE_CHECKING:
    from hakken.commands.parser import Subparsers


def add(commands: Subparsers) -> None:
    """Add the command and its actions."""
    parser = add_command(
        commands,
        "readers",
        "compare the modalities of a reader study, or prepare one (sample-size, plan, collect)",
        "hakken readers --ratings marks.csv --design froc --lesions lesions.csv --cases cases.csv \\\n"
        "      --modalities without,with --output result.json --figure readers.pdf",
        readers_analyse.run,
    )
    readers_analyse.add_options(parser)
    actions = parser.add_subparsers(
        dest="action", metavar="ACTION", help="sample-size, plan or collect; each has its own --help"
    )
    readers_power.add(actions)
    readers_plan.add(actions)
    readers_plan.add_collect(actions)
