"""Which reader reads which case in which modality in which session: balanced, and in a random order.

Every reader reads every case once in each modality. The cases of each stratum are dealt into as many groups as there
are modalities; from one reading of a case to the next its group goes on to the next modality, and the readers begin
with different modalities (a cyclic Latin square). So whatever a session does to all readings, practice or fatigue or a
scanner, it does to all modalities alike. With more sessions than modalities the cases are first dealt into blocks, each
of which has its own sessions.
Notation: I modalities, J readers, K cases, S sessions, B = S / I blocks.
"""

from __future__ import annotations

import datetime
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hakken.core.errors import HakkenError
from hakken.evaluation.findings import Ints


@dataclass(frozen=True)
class Reading:
    """One case, read by one reader in one modality; sessions, and positions in a reader's session, count from 1."""

    reader: int
    session: int
    position: int
    case: int
    modality: int
    code: str


@dataclass(frozen=True, eq=False)
class Allocation:
    """All readings, sorted by session, reader and position; the group and block of each case (K,), session dates."""

    readings: tuple[Reading, ...]
    group: Ints
    block: Ints
    dates: tuple[datetime.date, ...]


def allocate(
    strata: Sequence[str],
    *,
    readers: int,
    modalities: int,
    sessions: int,
    start: datetime.date,
    washout_days: int,
    seed: int,
) -> Allocation:
    """Allocate K cases, of the ``strata`` (K,), to readers, sessions and modalities.

    The same seed gives the same allocation. ``washout_days`` lie at least between two readings of a case by a reader. A
    case has one code a session, the same for all readers, and another one in the next. Raises HakkenError where the
    sessions are no multiple of the modalities, and where there are fewer cases than groups.
    """
    _check(len(strata), readers, modalities, sessions, washout_days)
    rng = np.random.default_rng(seed)
    blocks = sessions // modalities
    cell = _deal(strata, modalities * blocks, rng)
    group, block = cell % modalities, cell // modalities
    first = rng.permutation(readers) % modalities
    readings = []
    for session in range(sessions):
        turn, present = session // blocks, np.flatnonzero(block == session % blocks)
        codes = _codes(session + 1, len(present), rng)
        for reader in range(readers):
            for position, place in enumerate(rng.permutation(len(present)).tolist(), start=1):
                case = int(present[place])
                modality = int(group[case] + turn + first[reader]) % modalities
                readings.append(Reading(reader, session + 1, position, case, modality, codes[place]))
    step = math.ceil(washout_days / blocks)
    dates = tuple(start + datetime.timedelta(days=session * step) for session in range(sessions))
    return Allocation(tuple(readings), group, block, dates)


def _check(cases: int, readers: int, modalities: int, sessions: int, washout_days: int) -> None:
    if modalities < 2:
        raise HakkenError(f"{modalities} modalities: a comparison needs two or more; name them, as `without,with`")
    if readers < 1:
        raise HakkenError("no reader is named; name them, as `A,B,C`")
    if sessions < modalities or sessions % modalities:
        raise HakkenError(
            f"{sessions} sessions cannot hold {modalities} modalities evenly; take a multiple of {modalities}, so that "
            "every case is read once in each modality"
        )
    if cases < sessions:
        raise HakkenError(f"{cases} cases cannot be dealt into {sessions} groups; add cases or take fewer sessions")
    if washout_days < 1:
        raise HakkenError(f"{washout_days} days of washout: two readings of a case must be a day or more apart")


def _deal(strata: Sequence[str], hands: int, rng: np.random.Generator) -> Ints:
    """Return the hand of each case, dealt at random within its stratum.

    Dealing goes on where the stratum before it stopped, so hands differ by one case at most, in each stratum
    and in all.
    """
    hand, dealt = np.empty(len(strata), np.int64), 0
    names, member = np.unique(np.array(strata, dtype=str), return_inverse=True)
    order = rng.permutation(hands)
    for stratum in rng.permutation(len(names)):
        cases = rng.permutation(np.flatnonzero(member == stratum))
        hand[cases] = order[(dealt + np.arange(len(cases))) % hands]
        dealt += len(cases)
    return hand


def _codes(session: int, cases: int, rng: np.random.Generator) -> list[str]:
    """Return a code for each case of a session; neither the order of the cases nor their number can be read off it."""
    digits = max(3, len(str(10 * cases)))
    numbers = rng.choice(10**digits - 10 ** (digits - 1), size=cases, replace=False) + 10 ** (digits - 1)
    return [f"S{session}-{number}" for number in numbers.tolist()]
