"""The cells of a study's grid: networks x conditions of misregistration x folds, each an independent training."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from hakken.errors import HakkenError
from hakken.names import nearest
from hakken.study import Grid, Study

SCRATCH = "-scratch"
"""The end of the name of a network that starts at random although the study has weights for it."""

NONE = "none"
"""The condition of images that are registered and not moved."""


@dataclass(frozen=True)
class Condition:
    """A kind of misregistration with its amount; ``level`` counts the amounts of a kind from 1 and is 0 for `none`."""

    kind: str
    level: int
    amount: float


@dataclass(frozen=True)
class Cell:
    """One training: a network, which ends in ``-scratch`` where it leaves its weights aside, under a condition."""

    network: str
    condition: Condition
    fold: int

    @property
    def name(self) -> str:
        """The name of its files."""
        return f"{self.network}-{self.condition.kind}{self.condition.level}-f{self.fold}"

    @property
    def seeds(self) -> tuple[str, str, int, int]:
        """What its randomness derives from."""
        return (self.network, self.condition.kind, self.condition.level, self.fold)


def conditions_of(grid: Grid) -> tuple[Condition, ...]:
    """Return the conditions, that without misregistration first: it is common to all kinds and trained once."""
    moved = [
        Condition(kind, level, amount)
        for kind, amounts in grid.misregistration.by_kind.items()
        for level, amount in enumerate(amounts, start=1)
    ]
    return (Condition(NONE, 0, 0.0), *moved)


def networks_of(grid: Grid) -> tuple[str, ...]:
    """Return the networks in the order of the study, then those from scratch."""
    return (*grid.networks, *(f"{name}{SCRATCH}" for name in grid.from_scratch))


def cells_of(study: Study) -> tuple[Cell, ...]:
    """Return all cells of a study, none where it has no grid."""
    if study.grid is None:
        return ()
    folds: Sequence[int] = range(study.grid.folds)
    return tuple(
        Cell(network, condition, fold)
        for network in networks_of(study.grid)
        for condition in conditions_of(study.grid)
        for fold in folds
    )


def cell_named(study: Study, name: str) -> Cell:
    """Return the cell of a name; raises HakkenError where the study has none such."""
    known = {cell.name: cell for cell in cells_of(study)}
    if name not in known:
        raise HakkenError(f"study {study.name}: the grid has no cell `{name}`{nearest(name, known)}")
    return known[name]
