from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hakken.cohort.folds import assign_folds
from hakken.core.errors import HakkenError

cohorts = st.dictionaries(
    st.text("abcdefgh0123456789", min_size=1, max_size=4),
    st.lists(st.sampled_from("xyz"), min_size=1, max_size=3),
    min_size=6,
    max_size=40,
)


@given(cohorts, st.integers(2, 6), st.integers(0, 99))
def test_every_patient_is_in_one_fold_and_no_fold_is_empty(
    classes: dict[str, list[str]], folds: int, seed: int
) -> None:
    found = assign_folds(classes, folds, seed)
    assert set(found) == set(classes)
    assert set(found.values()) == set(range(folds))
    assert assign_folds(dict(reversed(classes.items())), folds, seed) == found


@given(st.lists(st.sampled_from("vwxyz"), min_size=6, max_size=60), st.integers(2, 6), st.integers(0, 99))
def test_classes_and_sizes_differ_by_one_at_most(cases: list[str], folds: int, seed: int) -> None:
    classes = {f"p{number:02d}": [name] for number, name in enumerate(cases)}
    found = assign_folds(classes, folds, seed)
    for name in set(cases):
        counts = Counter(dict.fromkeys(range(folds), 0))
        counts.update(found[patient] for patient, names in classes.items() if names == [name])
        assert max(counts.values()) - min(counts.values()) <= 1
    sizes = Counter(found.values())
    assert max(sizes.values()) - min(sizes.values()) <= 1


def test_the_seed_decides_who_is_where() -> None:
    classes = {f"p{number}": ["x"] for number in range(30)}
    assert assign_folds(classes, 3, 1) != assign_folds(classes, 3, 2)


def test_too_few_patients() -> None:
    with pytest.raises(HakkenError) as error:
        assign_folds({"a": ["x"], "b": ["y"]}, 5, 0)
    assert str(error.value) == ("2 patients cannot be spread over 5 folds; lower `folds` to 2 or add patients")
