"""Words that several figures say."""

from __future__ import annotations

from hakken import plugins
from hakken.study import Study


def published(study: Study) -> list[str]:
    """Return a line on the result of the publication; none where the study names no publication."""
    if study.published is None:
        return []
    caution = " (patients; must not be compared with a phantom)" if study.of_phantom else ""
    return [f"Published: {study.published.result.rstrip('.')}{caution}."]


def objective(study: Study) -> str:
    """Return what trainings maximise on validation, in a few words."""
    words: str = plugins.load("outcomes", study.objective).words(study.outcomes[study.objective])
    return words


def spoken(name: str) -> str:
    """Return a name as people read it.

    >>> spoken("learning_rate")
    'learning rate'
    """
    return name.replace("_", " ")


def counted(number: int, what: str) -> str:
    """Return a number of things.

    >>> counted(1, "lesion"), counted(3, "patient")
    ('1 lesion', '3 patients')
    """
    return f"{number} {what}" if number == 1 else f"{number} {what}s"
