"""Figures: what is drawn of a finished study, each a module.

A figure's module holds

- ``INPUTS``: the files that it reads, by name, as patterns below the study's folder of results (`hakken.runs.plan`);
- ``CAPTION``: the words below it in the report (both are literals: plans read them without running the module);
- ``draw(study, files)``: the `Drawing`, from files alone.

``NEEDED`` names the inputs without which a study cannot have the figure, where those are not all. How a figure is drawn
from numbers stands in `hakken.plots`, the only importer of matplotlib.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hakken.core.errors import HakkenError
from hakken.outcomes import Table

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from hakken.plots.style import Origin

__all__ = ["Drawing", "Files", "Table"]


@dataclass(frozen=True)
class Files:
    """The files of a figure by name, and what stands below it."""

    named: Mapping[str, Sequence[Path]]
    origin: Origin

    def __contains__(self, name: str) -> bool:
        return bool(self.named.get(name))

    def one(self, name: str) -> Path:
        """Return the only file of a name; raises HakkenError where there is none."""
        found = self.named.get(name) or ()
        if len(found) != 1:
            raise HakkenError(f"the figure needs one file `{name}`, not {len(found)}")
        return found[0]

    def all(self, name: str) -> list[Path]:
        """Return all files of a name."""
        return list(self.named.get(name) or ())


@dataclass(frozen=True, eq=False)
class Drawing:
    """A figure, the table that it draws, and a line that says what it shows.

    ``trials`` are the numbers of the trials that it was made from, ``cost`` what they have cost, where it is made from
    trials. ``warnings`` are about numbers that it shows and that come from no folder of measurements.
    """

    figure: Figure
    table: Table
    words: str
    trials: Sequence[int] | Mapping[str, Sequence[int]] = ()
    cost: Mapping[str, float] = field(default_factory=dict)
    warnings: Sequence[str] = ()


def by_model(paths: Sequence[Path]) -> dict[str, Path]:
    """Return folders of measurements by the model that they are named after."""
    return {path.name: path for path in paths}


def cells(rows: Sequence[Sequence[Any]]) -> tuple[tuple[Any, ...], ...]:
    """Return the rows of a table."""
    return tuple(tuple(row) for row in rows)
