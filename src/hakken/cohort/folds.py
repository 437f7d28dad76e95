"""Folds of a cross-validation: whole patients, the classes spread evenly; or one kind of patients after the other."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np

from hakken.core.errors import HakkenError
from hakken.study import Part
from hakken.study.crossing import chooser
from hakken.study.evaluation import LeaveOut


def assign_folds(classes: Mapping[str, Sequence[str]], folds: int, seed: int) -> dict[str, int]:
    """Return the fold, 0 to ``folds`` - 1, of each patient.

    ``classes`` holds the class of each case of a patient. Patients go to folds one by one, those of the rarest class
    first and in random order within a class, each to the fold that has the fewest cases of its class, then the fewest
    cases, then the lowest number. So no patient is in two folds, and where patients have a case each no class differs
    by more than one between folds. The order of the rows does not matter. Raises HakkenError where there are fewer
    patients than folds.

    >>> assign_folds({"a": ["x"], "b": ["x"], "c": ["y"], "d": ["y"]}, 2, seed=0)
    {'a': 0, 'b': 1, 'c': 0, 'd': 1}
    """
    if len(classes) < folds:
        raise HakkenError(
            f"{len(classes)} patients cannot be spread over {folds} folds; lower `folds` to {max(len(classes), 2)} or "
            "add patients"
        )
    frequency = Counter(name for names in classes.values() for name in set(names))
    own = {patient: min(names, key=lambda name: (frequency[name], name)) for patient, names in classes.items()}
    names = sorted(classes)
    random = np.random.default_rng(seed)
    shuffled = [names[place] for place in random.permutation(len(names))]
    order = sorted(shuffled, key=lambda patient: (frequency[own[patient]], own[patient]))
    held: list[Counter[str]] = [Counter() for _ in range(folds)]
    found = {}
    for patient in order:
        fold = min(range(folds), key=lambda place: (held[place][own[patient]], held[place].total(), place))
        held[fold].update(classes[patient])
        found[patient] = fold
    return {patient: found[patient] for patient in names}


def assign_kinds(kinds: Mapping[str, str], left: LeaveOut, seed: int) -> dict[str, Part]:
    """Return the part of each patient, whose kind is one of those that are left out.

    Of the patients of a kind, in random order, the first choose: as many for each model that does without another kind,
    but at least one always trains. The others train all these models. Raises HakkenError where there is nobody to
    choose a model.

    >>> left = LeaveOut(column="kind", values=("x", "y"))
    >>> assign_kinds({"a": "x", "b": "x", "c": "y", "d": "y"}, left, seed=1)
    {'a': 'x_without_y', 'b': 'x', 'c': 'y_without_x', 'd': 'y'}
    """
    if lacking := [kind for kind in left.values if kind not in kinds.values()]:
        raise HakkenError(f"evaluation.leave_out: no case is of the kind `{lacking[0]}`; remove it from `values`")
    found: dict[str, Part] = {}
    for place, kind in enumerate(left.values):
        names = sorted(patient for patient, own in kinds.items() if own == kind)
        names = [names[number] for number in np.random.default_rng([seed, place]).permutation(len(names))]
        others = [other for other in left.values if other != kind]
        each = max(1, round(left.chooses * len(names) / len(others)))
        choosing = min(each * len(others), max(len(names) - 1, 0))
        for number, patient in enumerate(names):
            # Turned by the kind, so that where a kind has few patients not all choose the same model.
            other = others[(number + place) % len(others)]
            found[patient] = chooser(kind, other) if number < choosing else kind
    for kind in left.values:
        if not any(chooser(other, kind) in found.values() for other in left.values):
            raise HakkenError(
                f"evaluation.leave_out: no patient is left to choose the model that does without `{kind}`: each of the "
                "other kinds has too few patients, of whom one must train; add patients"
            )
    return {patient: found[patient] for patient in sorted(found)}


def other_kind(part: Part, kind: str) -> str:
    """Return in words why a case of a ``kind`` may not stand in a part of another one."""
    return (
        f"is of the kind `{kind}` and stands in the part `{part}`, so that the model that does without `{kind}` would "
        "have seen it"
    )
