"""The models whose curves are drawn side by side: the selected one, its untuned default, the baselines."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from hakken.core.files import read_json
from hakken.figures import Files
from hakken.figures._words import titled
from hakken.outcomes import Measured
from hakken.plots.froc import Role
from hakken.runs.measurement import read_measurement


@dataclass(frozen=True, eq=False)
class Side:
    """One model on one part: the part that it plays in the figure, its label, its folder and what was measured."""

    role: Role
    label: str
    folder: Path
    measured: Measured


def sides(files: Files, outcome: str) -> list[Side]:
    """Return the selected model on test and validation, then what stands beside it on test.

    The files are ``test``, ``validation``, ``default`` and ``baselines``; a model that says nothing of the ``outcome``
    is left out.
    """
    return [
        Side(role, label, folder, found[outcome])
        for role, label, folder in _named(files)
        if outcome in (found := read_measurement(folder).outcomes)
    ]


def _named(files: Files) -> Iterator[tuple[Role, str, Path]]:
    yield "test", "Test", files.one("test")
    yield "validation", "Validation", files.one("validation")
    for folder in files.all("default"):
        yield "default", "Test, untuned", folder
    for folder in files.all("baselines"):
        yield "baseline", titled(folder.name), folder


def trials_of(files: Files) -> list[int]:
    """Return the numbers of the selected trials: one, or that of each fold."""
    return [int(read_json(path)["trial"]["number"]) for path in files.all("record")]


def cost_of(files: Files) -> dict[str, float]:
    """Return what the search for the selected trials has cost."""
    return {"gpu_seconds": sum(float(read_json(path)["gpu_seconds"]) for path in files.all("record"))}


def untuned(files: Files) -> float | None:
    """Return the validation objective of the untuned default, the mean over the folds; None where there is none."""
    known = [read_json(path)["trial"]["objective"] for path in files.all("default")]
    return sum(known) / len(known) if known else None
