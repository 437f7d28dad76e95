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
    "training",
    "inference",
    "evaluation.hit",
    "evaluation.maximum_fp",
    "evaluation.operating_point",
)
PRESENTATION = {"title", "data"}


def science(study: Study) -> dict[str, Any]:
    """Return all of a study that its results depend on; not its title, its figures, its trials or its slots."""
    return {key: value for key, value in study_slice(study, SCIENCE).items() if key not in PRESENTATION}


def require_unchanged(study: Study, results: Path) -> None:
    """Raise HakkenError when trainings of another version of the study stand in the ``results`` folder.

    More trials or slots, another title or other figures are no change; whatever the trained networks or the sealed
    measurement depend on is.
    """
    for path in sorted(results.glob("sweeps/*/study.json")):
        changes = list(differences(read_json(path), science(study)))
        if changes:
            listed = "\n".join(f"  {key}: {old!r} then, {new!r} now" for key, old, new in changes[:12])
            raise HakkenError(
                f"study `{study.name}` has changed since the trainings in {results}:\n{listed}\n"
                f"Nothing was touched. Restore these values, or copy the study to a new name, "
                f"or move {results} away to start afresh."
            )


def differences(old: Any, new: Any, key: str = "") -> Iterator[tuple[str, Any, Any]]:
    """Yield (dotted key, old value, new value) wherever two nested mappings differ."""
    if isinstance(old, dict) and isinstance(new, dict):
        for name in sorted(old.keys() | new.keys()):
            yield from differences(old.get(name), new.get(name), f"{key}.{name}" if key else name)
    elif old != new:
        yield key, old, new
