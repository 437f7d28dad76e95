"""Seeds: the same for the same role and indices, different for different ones."""

from __future__ import annotations

import hashlib

from hypothesis import given
from hypothesis import strategies as st

from hakken.core.seeds import derive_seed

INDEX = st.one_of(st.integers(), st.text(st.characters(codec="utf-8", exclude_characters="/"), max_size=8))


def test_a_seed_is_the_head_of_a_digest() -> None:
    digest = hashlib.sha256(b"7/search/3").hexdigest()
    assert derive_seed(7, "search", 3) == int(digest[:8], 16) == derive_seed(7, "search", "3")


def test_it_never_changes_between_versions() -> None:
    assert derive_seed(20170331, "split") == 113987408


@given(st.integers(0, 2**40), st.lists(INDEX, max_size=3), st.lists(INDEX, max_size=3))
def test_it_depends_on_every_index(seed: int, one: list[int | str], other: list[int | str]) -> None:
    found = derive_seed(seed, "role", *one)
    assert 0 <= found < 2**32
    assert (found == derive_seed(seed, "role", *other)) == (list(map(str, one)) == list(map(str, other)))


def test_it_depends_on_study_and_role() -> None:
    seeds = {derive_seed(seed, role, 0) for seed in range(50) for role in ("split", "search", "bootstrap")}
    assert len(seeds) == 150
