"""A study must not change under the results of its own sweep."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from hakken import plugins
from hakken.core.errors import HakkenError
from hakken.core.files import read_json, sha256_json
from hakken.core.names import nearest
from hakken.runs.table import runs_of
from hakken.search.settings import Settings
from hakken.study import Study
from hakken.study.slices import VERSIONS, study_slice

SCIENCE = (
    "registration",
    "preparation",
    "patches",
    "method",
    "parameters",
    "search.space",
    "search.startup",
    "search.sampler",
    "search.default_first",
    "search.stopping",
    "search.warm_start",
    "training",
    "inference",
    "outcomes",
    "evaluation.objective",
    "evaluation.design",
    "evaluation.folds",
    "evaluation.leave_out",
)
NO_SCIENCE = ("scale", "name")
HARDWARE = (
    ("training", "checkpoint_seconds"),
    ("training", "nodes"),
    ("training", "gpus_per_node"),
    ("inference", "memory_mb"),
)
STARTED_FROM = "started_from"
SHORT = 12


def science(study: Study) -> dict[str, Any]:
    """Return all of a study that its results depend on; not its title, its figures, its trials or its slots.

    Only what differs from the defaults: a key that a newer version adds is no change. Of the outcomes the one that is
    maximised counts, without what is only reported of it.
    """
    chosen = {key: value for key, value in study_slice(study, SCIENCE).items() if key not in NO_SCIENCE}
    for section, key in HARDWARE:
        if section in chosen:
            chosen[section] = {name: value for name, value in chosen[section].items() if name != key}
    reported = getattr(plugins.load("outcomes", study.objective), "REPORTED", ())
    settings = chosen["outcomes"][study.objective]
    chosen["outcomes"] = {study.objective: {key: value for key, value in settings.items() if key not in reported}}
    if study.training.minibatches > 1:
        chosen["training"]["minibatches"] = study.training.minibatches  # of an update, wherever its processes run
    return chosen


OF_USE = ("inference", "outcomes", "evaluation", "search")
"""Sections that say how a model is used and measured, or how others are sought: its weights are the same."""


def trained_alike(one: Study, other: Study) -> bool:
    """Whether one model serves two versions of a study: they differ in its use alone, not in how it is trained.

    Which step of a training is kept, and when it stops, is decided by its objective as the study uses the model; that
    is one training all the same.
    """
    ours, theirs = (
        {key: value for key, value in science(study).items() if key not in (*OF_USE, VERSIONS)}
        for study in (one, other)
    )
    return ours == theirs


def started_from(source: Path | None, settings: Settings) -> dict[str, Any]:
    """Return, by the ``source`` table of a warm start, a digest of what a sweep took from it; nothing without one."""
    if source is None:
        return {}
    taken = settings.to_json()
    return {STARTED_FROM: {source.as_posix(): sha256_json([taken["first"], taken["prior"]])[:SHORT]}}


def source_table(name: str, scale: str) -> Path:
    """Return the table that a search starts from: that of the search of the study ``name`` at ``scale``."""
    return Path("results") / name / scale / "sweeps" / "search" / "trials.csv"


def require_source(study: Study, chosen: Mapping[str, str], known: Sequence[str]) -> None:
    """Raise HakkenError where the table that a search starts from is neither there nor made by this run.

    ``chosen`` maps the studies of this run to their scales, ``known`` names all studies that there are.
    """
    if study.source is None or study.source in chosen.items():
        return
    name, scale = study.source
    table = source_table(name, scale)
    if not table.is_file():
        remedy = f"run that study first, with --config study={name} scale={scale}"
        if name not in known:
            remedy = f"and there is no study `{name}`{nearest(name, known)}"
        raise HakkenError(f"study `{study.name}` starts from {table}, which does not exist; {remedy}")


def require_unchanged(study: Study, results: Path) -> None:
    """Raise HakkenError when trainings of another version of the study stand in the ``results`` folder.

    More trials or slots, another title or other figures are no change; whatever the trained networks or the sealed
    measurement depend on is. What a search has started from is no part of this: finished trials stay what they are, and
    a trial that joins them compares it itself.
    """
    for path in sorted(results.glob("sweeps/*/ledger/*/sweep.json")):
        details = {key: value for key, value in read_json(path)["details"].items() if key != STARTED_FROM}
        changes = list(_changes(study, path, details))
        if changes:
            listed = "\n".join(f"  {key}: {_said(old)} then, {_said(new)} now" for key, old, new in changes[:12])
            raise HakkenError(
                f"study `{study.name}` has changed since the trainings in {results}:\n{listed}\n"
                f"Nothing was touched. Restore these values, or copy the study to a new name, "
                f"or move {results} away to start afresh."
            )


def _changes(study: Study, ledger: Path, details: Mapping[str, Any]) -> Iterator[tuple[str, Any, Any]]:
    """Yield what the trainings of a ledger depend on and is no more what it was.

    A run that the study has no more may be as it was, but for how the cohort is divided: that is the same for all runs.
    """
    name = ledger.parent.parent.parent.name
    run = next((run for run in runs_of(study) if run.name == name), None)
    if run is None:
        yield from differences(details.get("evaluation", {}), science(study).get("evaluation", {}), "evaluation")
    else:
        yield from differences(details, science(run.study(study)))


def differences(old: Any, new: Any, key: str = "") -> Iterator[tuple[str, Any, Any]]:
    """Yield (dotted key, old value, new value) wherever two nested mappings differ; what is not there is `DEFAULT`."""
    if isinstance(old, dict) and isinstance(new, dict):
        for name in sorted(old.keys() | new.keys()):
            yield from differences(old.get(name, DEFAULT), new.get(name, DEFAULT), f"{key}.{name}" if key else name)
    elif isinstance(old, dict) and new is DEFAULT:
        yield from differences(old, {}, key)
    elif isinstance(new, dict) and old is DEFAULT:
        yield from differences({}, new, key)
    elif old != new:
        yield key, old, new


DEFAULT = object()
"""A value that is not written down because it is the default."""


def _said(value: Any) -> str:
    return "the default" if value is DEFAULT else repr(value)
