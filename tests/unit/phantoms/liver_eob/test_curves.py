"""Enhancement curves: classes overlap in each phase and not in all, and the best reader is right in eight of ten."""

from __future__ import annotations

from collections import Counter
from itertools import combinations

import numpy as np
import pytest
from scipy.stats import multivariate_normal, rankdata

from hakken.anatomy.abdomen import TISSUES
from hakken.cohort.phantom import spread_levels
from hakken.phantoms.liver_eob import CLASSES, PHASES
from hakken.phantoms.liver_eob.curves import (
    LESION_SIGNS,
    LEVEL_SD,
    LOOKS,
    MIMIC_SIGNS,
    PHASE_SD,
    Curve,
    bayes_accuracy,
    draw_tissues,
    lesion_curve,
    signed_curve,
)

COUNT = 20_000


@pytest.fixture(scope="module")
def lesions() -> tuple[Curve, Curve]:
    """Curves (n, 5) of lesions and the number (n,) of the class of each."""
    random = np.random.default_rng(3)
    drawn = [lesion_curve("classes", level, random) for level in spread_levels(COUNT, random)]
    return np.array([curve for _, curve in drawn]), np.array([CLASSES.index(name) for name, _ in drawn])


def auc(first: Curve, second: Curve) -> float:
    """Return the probability that a value of ``first`` exceeds one of ``second``."""
    ranks = rankdata(np.concatenate([first, second]))[: len(first)]
    return float((ranks.sum() - len(first) * (len(first) + 1) / 2) / (len(first) * len(second)))


def test_classes_are_as_frequent_as_their_law(lesions: tuple[Curve, Curve]) -> None:
    counts = Counter(lesions[1].tolist())
    for number, look in enumerate(LOOKS.values()):
        assert counts[number] / COUNT == pytest.approx(look.share, abs=2e-4)


def test_the_best_reader_of_exact_curves_names_80_percent(lesions: tuple[Curve, Curve]) -> None:
    """Bayes' rule, written down here once more, on lesions as the phantom draws them."""
    curves, truth = lesions
    covariance = np.full((5, 5), LEVEL_SD**2) + np.diag([PHASE_SD**2] * 5)
    densities = [look.share * multivariate_normal(look.mean, covariance).pdf(curves) for look in LOOKS.values()]
    simulated = float((np.argmax(densities, axis=0) == truth).mean())
    assert simulated == pytest.approx(bayes_accuracy(), abs=0.01)
    assert bayes_accuracy() == pytest.approx(0.80, abs=0.01)
    assert bayes_accuracy(13) == pytest.approx(bayes_accuracy(), abs=0.003)


def test_a_single_phase_overlaps(lesions: tuple[Curve, Curve]) -> None:
    curves, truth = lesions
    areas = {
        (phase, one, other): auc(curves[truth == one, number], curves[truth == other, number])
        for number, phase in enumerate(PHASES)
        for one, other in combinations(range(len(CLASSES)), 2)
    }
    assert all(0.05 < area < 0.95 for area in areas.values())
    assert np.median([max(area, 1 - area) for area in areas.values()]) < 0.75
    share = max(look.share for look in LOOKS.values())
    for number in range(len(PHASES)):  # the best reader of one phase alone
        spread = np.hypot(LEVEL_SD, PHASE_SD)
        densities = [
            look.share * np.exp(-((curves[:, number] - look.mean[number]) ** 2) / (2 * spread**2))
            for look in LOOKS.values()
        ]
        assert share <= (np.argmax(densities, axis=0) == truth).mean() < 0.48


def test_signs_are_random_in_each_phase_and_tell_lesions_from_mimics_together() -> None:
    random = np.random.default_rng(5)
    levels = spread_levels(4000, random)
    lesions = np.array([lesion_curve("random_sign", level, random)[1] for level in levels])
    mimics = np.array([signed_curve(MIMIC_SIGNS, bool(random.random() < 0.5), random.random(), random) for _ in levels])
    assert (lesions > 0).mean(0) == pytest.approx(np.full(5, 0.5), abs=1e-3)
    for phase in range(len(PHASES)):
        assert auc(lesions[:, phase], mimics[:, phase]) == pytest.approx(0.5, abs=0.02)
        assert auc(np.abs(lesions[:, phase]), np.abs(mimics[:, phase])) == pytest.approx(0.5, abs=0.02)
    together = [np.abs(curves @ LESION_SIGNS) - np.abs(curves @ MIMIC_SIGNS) for curves in (lesions, mimics)]
    assert auc(*together) > 0.999


def test_every_tissue_has_a_curve() -> None:
    tissues = draw_tissues(np.random.default_rng(0))
    assert {*tissues} == {*TISSUES, "duct"}
    assert all(curve.shape == (len(PHASES),) for curve in tissues.values())
    liver = tissues["liver"]
    assert liver[0] < liver[1] < liver[2] < liver[4]
    for name in ("portal", "hepatic"):  # brighter than the liver with the blood, darker once the liver has taken up
        assert (tissues[name] - liver)[2] > 0 > (tissues[name] - liver)[4]
    assert (tissues["duct"] - liver)[4] > 0
