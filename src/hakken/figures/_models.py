"""The models whose curves are drawn side by side: the selected one, its untuned default, variants, baselines."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from hakken.core.files import read_json
from hakken.core.names import spoken
from hakken.figures import Files, by_model
from hakken.figures._words import titled, varied
from hakken.outcomes import Measured
from hakken.plots.froc import Role
from hakken.runs.measurement import read_measurement
from hakken.runs.table import variant_runs
from hakken.study import Study


@dataclass(frozen=True, eq=False)
class Side:
    """One model on one part: the part that it plays in the figure, its label, its folder and what was measured.

    ``name`` is what it is called within a sentence.
    """

    role: Role
    label: str
    name: str
    folder: Path
    measured: Measured


def sides(study: Study, files: Files, outcome: str) -> list[Side]:
    """Return the selected model on test and validation, then what stands beside it on test.

    The files are ``test``, ``validation``, ``default``, ``variants`` and ``baselines``; a model that says nothing of
    the ``outcome`` is left out.
    """
    return [
        Side(role, label, name, folder, found[outcome])
        for role, label, name, folder in _named(study, files)
        if outcome in (found := read_measurement(folder).outcomes)
    ]


def _named(study: Study, files: Files) -> Iterator[tuple[Role, str, str, Path]]:
    yield "test", "Test", "test", files.one("test")
    yield "validation", "Validation", "validation", files.one("validation")
    for folder in files.all("default"):
        yield "default", "Test, untuned", "default", folder
    names = names_of_variants(study)
    for folder in files.all("variants"):
        yield "variant", titled(names[folder.name]), names[folder.name], folder
    for folder in files.all("baselines"):
        yield "baseline", titled(folder.name), spoken(folder.name), folder


def names_of_variants(study: Study) -> dict[str, str]:
    """Return how each variant's model is called: its levels, and the name of its set where two are called alike."""
    runs = {run.kind: run for run in variant_runs(study)}
    called = {kind: varied(run) for kind, run in runs.items()}
    alike = [name for name, count in Counter(called.values()).items() if count > 1]
    return {kind: f"{spoken(runs[kind].set_name)}, {name}" if name in alike else name for kind, name in called.items()}


def validation_of(files: Files, side: Side, outcome: str) -> Measured | None:
    """Return what was measured on validation of a variant whose test is a side of a figure; None where nothing was."""
    folder = by_model(files.all("variants_on_validation")).get(side.folder.name)
    return None if folder is None else read_measurement(folder).outcomes.get(outcome)


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
