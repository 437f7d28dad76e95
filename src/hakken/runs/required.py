"""Which cases a part of the cohort must hold for the study to learn from it, or to be measured on it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from hakken import plugins
from hakken.core.names import counted
from hakken.core.problems import Problem
from hakken.methods import Needs
from hakken.study import Part, Study

MOVE_CASES = "move such cases to this part, or remove the column `split` to have the cases split anew"
USE_THEM = "move them to the other parts, where they count, or leave them, unused"
MOVE_LESIONS = "move cases with lesions to this part, or remove the column `split` to have the cases split anew"


@dataclass(frozen=True)
class Kinds:
    """How many cases of a part have a lesion that counts, and how many have none."""

    abnormal: int
    normal: int

    @classmethod
    def of(cls, abnormal: Iterable[bool]) -> Kinds:
        """Return the numbers from whether each case is abnormal."""
        flags = list(abnormal)
        return cls(sum(flags), len(flags) - sum(flags))


def needs_of(study: Study) -> Needs:
    """Return what the method of a study learns from."""
    found: Needs = plugins.load("methods", str(study.method)).NEEDS
    return found


def require_cases(study: Study, parts: Mapping[Part, Kinds], outcomes: Sequence[str] | None = None) -> list[Problem]:
    """Return a problem for each part in which the study cannot learn or be measured.

    What must be in `train` its method says, what in the other parts the ``outcomes`` that are measured there (all of
    the study by default).
    """
    learns = needs_of(study).learns_from
    wanted: dict[str, str] = {}
    for outcome in study.outcomes if outcomes is None else outcomes:
        wanted |= dict.fromkeys(getattr(plugins.load("outcomes", outcome), "MEASURED_ON", ()), outcome)
    problems = []
    for part, kinds in parts.items():
        trains = part == "train"
        if kinds.normal == 0 and (learns == "normal" if trains else "normal" in wanted):
            need = "the method learns from these alone" if trains else "specificity is measured on these"
            reason = f"the part `{part}` has no case without lesions; {need}"
            problems.append(Problem("", "split", reason, MOVE_CASES, 1))
        if trains and learns == "normal" and kinds.abnormal and kinds.normal:
            found = counted(kinds.abnormal, "case")
            reason = f"the part `train` holds {found} with findings; the method learns from normal ones alone"
            problems.append(Problem("", "split", reason, USE_THEM, 1, stops=False))
        if kinds.abnormal == 0 and (learns == "lesions" if trains else "abnormal" in wanted):
            reason = f"the part `{part}` has no lesions, so nothing can be {'learnt' if trains else 'measured'} there"
            problems.append(Problem("", "split", reason, MOVE_LESIONS, 1))
    return problems
