"""A study must not change under the results of its own sweep."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hakken.errors import HakkenError
from hakken.files import read_json
from hakken.study import Study
from hakken.studyfile import study_slice

SCIENCE = (
    "cohort",
    "channels",
    "reference",
    "registration",
    "preparation",
    "patches",
    "parameters",
    "search.space",
    "search.startup",
    "search.sampler",
    "training",
    "inference",
    "evaluation.hit",
    "evaluation.maximum_fp",
    "evaluation.operating_point",
)
NO_SCIENCE = ("title", "data", "scale", "name")
HARDWARE = (("training", "checkpoint_seconds"), ("inference", "memory_mb"))
NAMED_BY_THE_USER = ("channels", "search.space")


def science(study: Study) -> dict[str, Any]:
    """Return all of a study that its results depend on; not its title, its figures, its trials or its slots."""
    chosen = {key: value for key, value in study_slice(study, SCIENCE).items() if key not in NO_SCIENCE}
    for section, key in HARDWARE:
        chosen[section] = {name: value for name, value in chosen[section].items() if name != key}
    return chosen


def require_unchanged(study: Study, results: Path) -> None:
    """Raise HakkenError when trainings of another version of the study stand in the ``results`` folder.

    More trials or slots, another title or other figures are no change; whatever the trained networks or the sealed
    measurement depend on is.
    """
    for path in sorted(results.glob("sweeps/*/ledger/*/sweep.json")):
        changes = list(differences(read_json(path)["details"], science(study)))
        if changes:
            listed = "\n".join(f"  {key}: {old!r} then, {new!r} now" for key, old, new in changes[:12])
            raise HakkenError(
                f"study `{study.name}` has changed since the trainings in {results}:\n{listed}\n"
                f"Nothing was touched. Restore these values, or copy the study to a new name, "
                f"or move {results} away to start afresh."
            )


def differences(old: Any, new: Any, key: str = "") -> Iterator[tuple[str, Any, Any]]:
    """Yield (dotted key, old value, new value) wherever two nested mappings differ.

    A key that the old mapping does not have came with a newer version of the package and is no difference, except
    where the user chooses the names.
    """
    if isinstance(old, dict) and isinstance(new, dict):
        names = old.keys() | new.keys() if key in NAMED_BY_THE_USER else old.keys()
        for name in sorted(names):
            yield from differences(old.get(name), new.get(name), f"{key}.{name}" if key else name)
    elif old != new:
        yield key, old, new
