"""Which baselines stand beside the models of a study: those that it names, or else those that its outcome names.

A number that was learnt says little without one that was not, so a study whose outcome has a baseline has one: its own
choice, the outcome's (``BASELINES`` of the outcome's module), or a reason why there is none, which is printed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from hakken import plugins


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


def lacking_baselines(outcome: str, kind: str, named: Sequence[str], reason: str) -> Iterator[str]:
    """Yield what is wrong with the baselines of a whole study: none says anything of what its models are chosen by.

    ``named`` are those of the study, ``reason`` is why it has none.
    """
    if reason and named:
        yield f"without_baseline: gives a reason for none, but `baselines` names {', '.join(named)}; remove one of both"
    known = fitting(outcome, kind)
    misspelt = set(named) - set(plugins.names("baselines"))  # said elsewhere
    if known and not misspelt and not reason and not set(known) & set(named):
        quoted = [f"`{name}`" for name in named]
        what = f"{' and '.join(quoted)} give no {outcome}" if quoted else "none is named"
        yield (
            f"baselines: {what}, and the models are chosen by `{outcome}`; name one of {', '.join(known)}, or say in "
            "`without_baseline` why there is none"
        )


def _fits(name: str, outcome: str, kind: str) -> bool:
    said = plugins.literals("baselines", name)
    return outcome in said.get("OUTCOMES", ()) and said.get("CASES", kind) == kind
