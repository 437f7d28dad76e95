"""Words that several figures say."""

from __future__ import annotations

from hakken.core.names import spoken
from hakken.runs.table import Run
from hakken.study import Study


def published(study: Study) -> list[str]:
    """Return a line on the result of the publication; none where the study names no publication."""
    if study.published is None:
        return []
    caution = " (patients; must not be compared with a phantom)" if study.of_phantom else ""
    return [f"Published: {study.published.result.rstrip('.')}{caution}."]


def titled(name: str) -> str:
    """Return a name as it begins a line.

    >>> titled("training_SNR")
    'Training SNR'
    """
    words = spoken(name)
    return words[:1].upper() + words[1:]


def varied(run: Run) -> str:
    """Return the name of a variant as people read it: its levels, or what stands beside them."""
    return spoken(", ".join(run.levels.values()) or run.kind.removeprefix(f"{run.set_name}-"))
