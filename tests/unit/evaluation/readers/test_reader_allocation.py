from __future__ import annotations

import datetime
from collections import Counter
from itertools import pairwise

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from hakken.core.errors import HakkenError
from hakken.evaluation.readers.allocation import Allocation, allocate

START = datetime.date(2026, 1, 12)


def plan(strata: list[str], readers: int, modalities: int, blocks: int, seed: int) -> Allocation:
    return allocate(
        strata,
        readers=readers,
        modalities=modalities,
        sessions=modalities * blocks,
        start=START,
        washout_days=28,
        seed=seed,
    )


designs = {
    "strata": st.lists(st.sampled_from("abc"), min_size=2, max_size=40),
    "readers": st.integers(1, 6),
    "modalities": st.integers(2, 3),
    "blocks": st.integers(1, 2),
    "seed": st.integers(0, 10**6),
}


@settings(max_examples=60, deadline=None)
@given(**designs)
def test_every_reader_reads_every_case_once_in_each_modality(
    strata: list[str], readers: int, modalities: int, blocks: int, seed: int
) -> None:
    assume(len(strata) >= modalities * blocks)
    found = plan(strata, readers, modalities, blocks, seed).readings
    assert Counter((entry.reader, entry.case, entry.modality) for entry in found) == Counter(
        (reader, case, modality)
        for reader in range(readers)
        for case in range(len(strata))
        for modality in range(modalities)
    )
    assert max(Counter((entry.reader, entry.case, entry.session) for entry in found).values()) == 1


@settings(max_examples=60, deadline=None)
@given(**designs)
def test_modalities_are_balanced_in_sessions_strata_and_readers(
    strata: list[str], readers: int, modalities: int, blocks: int, seed: int
) -> None:
    assume(len(strata) >= modalities * blocks)
    found = plan(strata, readers, modalities, blocks, seed).readings

    def spread(counts: Counter[tuple[object, ...]], kinds: set[tuple[object, ...]]) -> int:
        numbers = [[counts[(*kind, modality)] for modality in range(modalities)] for kind in kinds]
        return max(max(row) - min(row) for row in numbers)

    for key in (
        lambda entry: (entry.reader, entry.session),
        lambda entry: (entry.reader, entry.session, strata[entry.case]),
        lambda entry: (entry.session, entry.case),
    ):
        counts = Counter((*key(entry), entry.modality) for entry in found)
        # Within a reader's session, in each stratum of it, and over the readers of a case in a session.
        assert spread(counts, {key(entry) for entry in found}) <= 1


@settings(max_examples=60, deadline=None)
@given(**designs)
def test_sessions_are_alike_and_washed_out(
    strata: list[str], readers: int, modalities: int, blocks: int, seed: int
) -> None:
    assume(len(strata) >= modalities * blocks)
    found = plan(strata, readers, modalities, blocks, seed)
    sizes = Counter((entry.reader, entry.session) for entry in found.readings)
    assert max(sizes.values()) - min(sizes.values()) <= modalities
    for reader, session in sizes:
        positions = [e.position for e in found.readings if (e.reader, e.session) == (reader, session)]
        assert positions == list(range(1, len(positions) + 1))
    for case in range(len(strata)):
        dates = [found.dates[e.session - 1] for e in found.readings if (e.reader, e.case) == (0, case)]
        assert all((later - sooner).days >= 28 for sooner, later in pairwise(sorted(dates)))


@settings(max_examples=30, deadline=None)
@given(**designs)
def test_codes_name_one_case_a_session_and_another_in_the_next(
    strata: list[str], readers: int, modalities: int, blocks: int, seed: int
) -> None:
    assume(len(strata) >= modalities * blocks)
    found = plan(strata, readers, modalities, blocks, seed).readings
    meaning: dict[str, tuple[int, int]] = {}
    for entry in found:
        assert meaning.setdefault(entry.code, (entry.session, entry.case)) == (entry.session, entry.case)
    assert len(set(meaning.values())) == len(meaning) == modalities * len(strata)


def test_with_two_readers_the_halves_swap_between_sessions_and_readers() -> None:
    found = plan(["x"] * 10, 2, 2, 1, 7)
    assert Counter(found.group.tolist()) == {0: 5, 1: 5}
    modality = {(e.reader, e.session, e.case): e.modality for e in found.readings}
    for case in range(10):
        assert modality[0, 1, case] != modality[0, 2, case]
        assert modality[0, 1, case] != modality[1, 1, case]
    assert found.dates == (START, datetime.date(2026, 2, 9))


def test_orders_differ_between_readers_and_sessions_and_the_seed_decides() -> None:
    one, same, other = (plan(["x"] * 20, 3, 2, 1, seed) for seed in (7, 7, 8))
    assert one.readings == same.readings
    assert one.readings != other.readings
    orders = {
        tuple(e.case for e in one.readings if (e.reader, e.session) == (reader, session))
        for reader in range(3)
        for session in (1, 2)
    }
    assert len(orders) == 6


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"sessions": 3}, "3 sessions cannot hold 2 modalities evenly; take a multiple of 2, so that every case is "
         "read once in each modality"),
        ({"modalities": 1}, "1 modalities: a comparison needs two or more; name them, as `without,with`"),
        ({"readers": 0}, "no reader is named; name them, as `A,B,C`"),
        ({"sessions": 6}, "4 cases cannot be dealt into 6 groups; add cases or take fewer sessions"),
        ({"washout_days": 0}, "0 days of washout: two readings of a case must be a day or more apart"),
    ],
)  # fmt: skip
def test_a_plan_that_cannot_be_is_refused(change: dict[str, int], expected: str) -> None:
    wanted = {"readers": 2, "modalities": 2, "sessions": 2, "washout_days": 28, "seed": 1} | change
    with pytest.raises(HakkenError) as caught:
        allocate(["x"] * 4, start=START, **wanted)
    assert str(caught.value) == expected
