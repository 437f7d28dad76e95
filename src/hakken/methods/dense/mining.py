"""Hard mining: which training cases a network is asked about in the middle of its training, and what is taken of them.

A false candidate is one whose voxel lies in no lesion, whether that counts or not. Cases are drawn by the seed, as many
as keep the cost low: what is asked costs no more than a known part of the voxels that have been learnt from by then.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch

from hakken.core.seeds import derive_seed
from hakken.imaging.prepared import PreparedCase
from hakken.inference.candidates import Candidates
from hakken.training.players import Found
from hakken.training.windows import HardPlaces

AFTER = 0.5
"""The share of the steps after which a network is asked."""
ASKED = 0.5
"""Most voxels that it is asked about, as a part of those that it has learnt from by then.

To learn from a voxel costs three to four times as much as to ask about it, and half of the training is still to come:
to ask costs at most about a tenth of the training.
"""
CASES, FALSE = "cases", "false"
"""What is found: the ids of the cases that were asked about, and by id (n, 4) of each false candidate: z, y, x, score.
"""


def within_budget(
    cases: Sequence[PreparedCase], voxels: Callable[[PreparedCase], int], learnt: int, seed: int
) -> list[PreparedCase]:
    """Return the cases to ask about, in an order that is drawn: at least one, no more than the voxels allow.

    ``voxels`` says how many a case has that must be seen; ``learnt`` is how many the network has learnt from.
    """
    order = np.random.default_rng(derive_seed(seed, "hard mining")).permutation(len(cases))
    chosen: list[PreparedCase] = []
    spent = 0
    for place in order.tolist():
        spent += voxels(cases[place])
        if chosen and spent > ASKED * learnt:
            break
        chosen.append(cases[place])
    return chosen


def false_candidates(candidates: Candidates, case: PreparedCase) -> torch.Tensor:
    """Return the candidates (n, 4) that lie in no lesion of a case: z, y, x in voxels and the score; the best first."""
    lesion = candidates.labels(case.labels(mmap=True)) if case.has_truth else np.zeros(len(candidates), np.int64)
    rows = np.column_stack([np.rint(candidates.voxel), candidates.score])[lesion == 0]
    return torch.from_numpy(rows.reshape(-1, 4))


def mined(cases: Sequence[PreparedCase], candidates: Callable[[PreparedCase], Candidates]) -> Found:
    """Return what is found in cases."""
    return {
        CASES: [case.case_id for case in cases],
        FALSE: {case.case_id: false_candidates(candidates(case), case) for case in cases},
    }


def places_of(found: Found, cases: Sequence[PreparedCase]) -> HardPlaces:
    """Return what was found as places in the ``cases`` of a source."""
    number = {case.case_id: place for place, case in enumerate(cases)}
    rows = {name: one.cpu().numpy() for name, one in found[FALSE].items()}
    owners = np.concatenate([np.full(len(one), number[name], np.int64) for name, one in rows.items()])
    every = np.concatenate([*rows.values()])
    return HardPlaces(owners, every[:, :3].astype(np.int64), every[:, 3])


def summary_of(found: Found, cases: Sequence[PreparedCase]) -> Mapping[str, Any]:
    """Return what the record of a training says of what was found in some of its ``cases``."""
    false = {name: len(one) for name, one in found[FALSE].items()}
    return {
        "cases": list(found[CASES]),
        "training_cases": len(cases),
        "false_candidates": sum(false.values()),
        "false_candidates_of_case": false,
    }
