"""Small cohorts for the tests of evaluation."""

from __future__ import annotations

import numpy as np

from hakken.evaluation.findings import Candidates, Cases, Lesions
from hakken.evaluation.matching import Matching, Rules, match

Rows = list[tuple[float, ...]]


def cohort(
    names: str, lesions: Rows, candidates: Rows, included: list[bool] | None = None
) -> tuple[Cases, Lesions, Candidates]:
    """Cases a, b, ...; lesions (case, x, diameter) and candidates (case, x, score) on the x axis."""
    return (
        Cases.of(list(names)),
        Lesions.of([row[0] for row in lesions], points(lesions), [row[2] for row in lesions], included),
        Candidates.of([row[0] for row in candidates], points(candidates), [row[2] for row in candidates]),
    )


def points(rows: Rows) -> np.ndarray:
    return np.array([(row[1], 0.0, 0.0) for row in rows]).reshape(-1, 3)


def matched(
    names: str, lesions: Rows, candidates: Rows, included: list[bool] | None = None, rules: Rules | None = None
) -> Matching:
    return match(*cohort(names, lesions, candidates, included), rules)


def random_cohort(seed: int, cases: int = 12, decimals: int = 1) -> tuple[Cases, Lesions, Candidates]:
    """A cohort with lesion-free cases, several marks a lesion and tied scores, two cases a patient."""
    rng = np.random.default_rng(seed)
    lesion_case = np.sort(rng.integers(0, cases, cases))
    centres = rng.uniform(0, 100, (cases, 3))
    near = rng.integers(0, cases, 3 * cases)
    case = np.concatenate([lesion_case[near], rng.integers(0, cases, 6 * cases)])
    xyz = np.concatenate([centres[near] + rng.normal(0, 3, (len(near), 3)), rng.uniform(0, 100, (6 * cases, 3))])
    score = np.round(np.concatenate([rng.normal(1, 1, len(near)), rng.normal(0, 1, 6 * cases)]), decimals)
    return (
        Cases.of([f"c{i}" for i in range(cases)], [f"p{i // 2}" for i in range(cases)]),
        Lesions.of(lesion_case, centres, rng.uniform(4, 14, cases), rng.random(cases) < 0.8),
        Candidates.of(case, xyz, score),
    )
