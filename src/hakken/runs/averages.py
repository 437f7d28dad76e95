"""Averages of the best trials of a search, as the stage `average` writes them and others read them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from hakken.core.files import require_same
from hakken.runs.choice import Candidate
from hakken.seal.freeze import read_sealed

FILE = "averages.json"
REDO = "delete the folder to average again"


@dataclass(frozen=True)
class Average:
    """The average of the best ``size`` trials: its objective on validation, its files, and seconds of a case.

    Of each of the ``members`` the number of the trial, the seed of the training that is kept of it (0: that of the
    search), the SHA-256 of its model and the seconds of its training.
    """

    size: int
    objective: float
    seconds_per_case: float
    members: tuple[Mapping[str, Any], ...]
    model: Mapping[str, str]
    predictions: Mapping[str, str]

    def as_dict(self) -> dict[str, Any]:
        """Return the average as plain values."""
        return asdict(self)


@dataclass(frozen=True)
class Averages:
    """All averages of a search, the smallest first, and the seconds of a case of its best trial alone."""

    averages: tuple[Average, ...]
    seconds_per_case: float

    def better_than(self, best: Candidate) -> Average | None:
        """Return the average with the highest objective, the smallest of equals; None where the best trial has it."""
        found = max(self.averages, key=lambda one: one.objective, default=None)
        return found if found is not None and found.objective > best.worth else None


def read_averages(folder: Path | None) -> Averages:
    """Return the averages in a folder, none without one.

    Raises HakkenError where the file or a model was changed.
    """
    if folder is None:
        return Averages((), 0.0)
    content = read_sealed(folder / FILE, REDO)
    found = tuple(Average(**{**one, "members": tuple(one["members"])}) for one in content["averages"])
    for one in found:
        require_same(Path(one.model["path"]), one.model["sha256"], REDO)
    return Averages(found, float(content["seconds_per_case"]))
