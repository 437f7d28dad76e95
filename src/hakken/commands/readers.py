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
        "plan a reader study (sample-size, plan, collect) and compare its modalities (analyse)",
        "hakken readers analyse --ratings ratings.csv --design roc --modalities without,with",
        readers_analyse.run,
    )
    actions = parser.add_subparsers(
        dest="action",
        required=True,
        metavar="ACTION",
        help="sample-size, plan, collect or analyse; each has its own --help",
    )
    readers_power.add(actions)
    readers_plan.add(actions)
    readers_plan.add_collect(actions)
    readers_analyse.add(actions)
