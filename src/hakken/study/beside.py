"""Which baselines stand beside the models of a study: those that it names, or else those that its outcome names.

A number that was learnt says little without one that was not, so a study whose outcome has a baseline has one: its own
choice, the outcome's (``BASELINES`` of the outcome's module), or a reason why there is none, which is printed.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from hakken import plugins

if TYPE_CHECKING:
    from hakken.study.model import Study


def takes_training(name: str) -> bool:
    """Return whether a baseline counts or averages the training cases; raises HakkenError for an unknown one."""
    return bool(plugins.literals("baselines", name).get("TRAINING", False))


def fitting(outcome: str, kind: str) -> tuple[str, ...]:
    """Return the baselines that say something of an outcome for cases of a kind, in the order of the alphabet.

    >>> fitting("classes", "images")
    ('class_priors',)
    """
    return tuple(name for name in plugins.names("baselines") if _fits(name, outcome, kind))


def default_baselines(outcome: str, kind: str) -> tuple[str, ...]:
    """Return the baselines of a study that names none.

    >>> default_baselines("case_scores", "images"), default_baselines("case_scores", "items")
    (('pixel_statistics',), ())
    """
    named = plugins.literals("outcomes", outcome).get("BASELINES", ())
    return tuple(name for name in named if _fits(name, outcome, kind))


def lacking_baselines(study: Study) -> Iterator[str]:
    """Yield what is wrong with the baselines of a whole study: none says anything of what its models are chosen by."""
    if study.method is None:
        return
    if study.without_baseline and study.baselines:
        chosen = ", ".join(study.baselines)
        yield f"without_baseline: gives a reason for none, but `baselines` names {chosen}; remove one of the two"
    known = fitting(study.objective, study.cohort.kind)
    misspelt = set(study.baselines) - set(plugins.names("baselines"))  # said elsewhere
    if known and not misspelt and not study.without_baseline and not set(known) & set(study.baselines):
        named = [f"`{name}`" for name in study.baselines]
        what = f"{' and '.join(named)} give no {study.objective}" if named else "none is named"
        yield (
            f"baselines: {what}, and the models are chosen by `{study.objective}`; name one of {', '.join(known)}, or "
            "say in `without_baseline` why there is none"
        )


def _fits(name: str, outcome: str, kind: str) -> bool:
    said = plugins.literals("baselines", name)
    return outcome in said.get("OUTCOMES", ()) and said.get("CASES", kind) == kind
