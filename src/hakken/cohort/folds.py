"""Folds of a cross-validation: whole patients, the classes spread evenly."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np

from hakken.core.errors import HakkenError


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
