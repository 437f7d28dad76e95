"""The evaluation against the evaluator of a challenge on masks (picai_eval, PI-CAI), where that is installed."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from hakken.evaluation.findings import Candidates, Cases, Lesions, Overlaps
from hakken.evaluation.froc import froc
from hakken.evaluation.matching import Matching, Rules, match

challenge = pytest.importorskip("picai_eval", reason="picai_eval is not installed: pip install '.[benchmark]'")
SHAPE = (12, 24, 24)
CASES = 30


def volumes(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """A truth and a detection map (z, y, x): boxes, some of which overlap; each detection has one confidence."""
    truth, found = np.zeros(SHAPE, np.int32), np.zeros(SHAPE, np.float32)
    for _ in range(rng.integers(0, 4)):
        low = rng.integers(0, np.array(SHAPE) - 6)
        truth[tuple(slice(a, a + b) for a, b in zip(low, rng.integers(3, 7, 3), strict=True))] = 1
    for place in np.argwhere(truth)[rng.permutation(int(truth.sum()))[:3]]:
        low = np.maximum(place - rng.integers(0, 5, 3), 0)
        found[tuple(slice(a, a + b) for a, b in zip(low, rng.integers(2, 7, 3), strict=True))] = rng.integers(1, 9) / 10
    for _ in range(rng.integers(0, 3)):
        low = rng.integers(0, np.array(SHAPE) - 4)
        found[tuple(slice(a, a + 3) for a in low)] = rng.integers(1, 9) / 10
    labels, count = ndimage.label(found > 0, np.ones((3, 3, 3)))
    for label in range(1, count + 1):  # what touches is one candidate, with one confidence
        found[labels == label] = found[labels == label].max()
    return truth, found


def ours(cohort: list[tuple[np.ndarray, np.ndarray]], rules: Rules) -> Matching:
    """Match by the overlaps of the connected components."""
    lesion_case, mark_case, score, pairs = [], [], [], []
    for case, (truth, found) in enumerate(cohort):
        lesions, lesion_count = ndimage.label(truth, np.ones((3, 3, 3)))
        marks, mark_count = ndimage.label(found > 0, np.ones((3, 3, 3)))
        for mark in range(1, mark_count + 1):
            for lesion in range(1, lesion_count + 1):
                both = int(((marks == mark) & (lesions == lesion)).sum())
                if both:
                    iou = both / int(((marks == mark) | (lesions == lesion)).sum())
                    pairs.append((len(mark_case), len(lesion_case) + lesion - 1, iou))
            mark_case.append(case)
            score.append(float(found[marks == mark][0]))
        lesion_case += [case] * lesion_count
    rows = np.array(pairs)
    return match(
        Cases.of([str(number) for number in range(len(cohort))]),
        Lesions.of(lesion_case, np.zeros((len(lesion_case), 3)), np.ones(len(lesion_case))),
        Candidates.of(mark_case, np.zeros((len(mark_case), 3)), score),
        rules,
        Overlaps(rows[:, 0].astype(int), rows[:, 1].astype(int), rows[:, 2]),
    )


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("ignore", [True, False])
def test_lesions_false_positives_and_curve_are_those_of_the_challenge(seed: int, ignore: bool) -> None:
    rng = np.random.default_rng(seed)
    cohort = [volumes(rng) for _ in range(CASES)]
    theirs = challenge.evaluate(
        y_det=[found for _, found in cohort],
        y_true=[truth for truth, _ in cohort],
        min_overlap=0.1,
        allow_unmatched_candidates_with_minimal_overlap=ignore,
        num_parallel_calls=1,
        verbose=0,
    )
    duplicates = "ignore" if ignore else "false-positive"
    matching = ours(cohort, Rules(hit="overlap:0.1", double_hit="one", duplicates=duplicates))
    rows = [row for case in theirs.lesion_results.values() for row in case]
    assert matching.counts.lesions == sum(1 for lesion, _, _ in rows if lesion)
    assert matching.counts.missed == sum(1 for lesion, score, _ in rows if lesion and not score)
    found = sorted(np.float32(score) for score in matching.lesion_score[np.isfinite(matching.lesion_score)])
    assert found == sorted(np.float32(score) for lesion, score, _ in rows if lesion and score)
    false = sorted(np.float32(score) for score in matching.candidates.score[matching.false])
    assert false == sorted(np.float32(score) for lesion, score, _ in rows if not lesion)
    # Its curve: one point a confidence, the last replaced by one at infinity; that is the confidence 0 of missed
    # lesions, and where none is missed it is the lowest real one.
    curve = froc(matching)
    shown = len(theirs.lesion_FPR) - 1
    assert curve.fp_per_case[1 : shown + 1] == pytest.approx(theirs.lesion_FPR[:-1])
    assert curve.sensitivity[1 : shown + 1] == pytest.approx(theirs.lesion_TPR[:-1])
