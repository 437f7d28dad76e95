"""The example of the reference page, read from its tables and measured."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from hakken.evaluation.calibration import calibrate
from hakken.evaluation.delong import areas
from hakken.evaluation.roc import Ranking, auc, choose, corrected, partial_auc, rank
from hakken.evaluation.roc_measure import Cohort, Settings, measure

PAGE = (Path(__file__).resolve().parents[3] / "docs/reference/roc.md").read_text()


def rows(heading: str) -> list[list[str]]:
    """The cells of the example's table with this heading."""
    lines = PAGE.partition("## An example by hand")[2].partition(heading + "\n")[2].splitlines()[1:]
    table = lines[: next(number for number, line in enumerate(lines) if not line.startswith("|"))]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table]


POSITIVE = np.array([row[1] == "1" for row in rows("| case | label | score |")])
SCORE = np.array([float(row[2]) for row in rows("| case | label | score |")])


@pytest.fixture
def ranking() -> Ranking:
    return rank(POSITIVE, SCORE)


def test_the_curve(ranking: Ranking) -> None:
    table = rows("| threshold | TPR | FPR |")
    assert ranking.threshold.tolist() == [np.inf, *(float(row[0]) for row in table[1:])]
    assert (ranking.tp / ranking.positives).tolist() == [float(Fraction(row[1])) for row in table]
    assert (ranking.fp / ranking.negatives).tolist() == [float(Fraction(row[2])) for row in table]


def test_the_numbers(ranking: Ranking) -> None:
    assert auc(ranking) == 25 / 32
    assert areas(POSITIVE, SCORE[None]).covariance[0, 0] == pytest.approx(17 / 512)
    assert areas(POSITIVE, SCORE[None], np.tile(np.arange(4), 2)).covariance[0, 0] == pytest.approx(1 / 768)
    part = partial_auc(ranking, 1 / 4)
    assert part == 1 / 8
    assert float(corrected(part, 1 / 4)) == pytest.approx(5 / 7)
    settings = Settings(resamples=0, thresholds=(0.6,))
    assert [choose(ranking, choice) for choice in settings.choices] == [0.8, 0.3, 0.8]
    found = measure(Cohort(POSITIVE, np.arange(8), {"score": SCORE}), settings).scores[0]
    assert "= 0.258." in PAGE
    assert found.points[-1].mcc[0] == pytest.approx(0.258, abs=5e-4)
    assert "log odds 0.306 to 0.966" in PAGE
    assert found.delong is not None
    assert (found.delong.logit.low, found.delong.logit.high) == pytest.approx((0.306, 0.9665), abs=1e-3)
    assert found.points[-1].counts == {"tp": 3, "fp": 2, "tn": 2, "fn": 1}
    calibration = calibrate(POSITIVE, SCORE, 2)
    assert (calibration.expected_error, calibration.brier) == pytest.approx((0.075, 0.2))
    parts = calibration.decomposition
    shown = [parts.reliability, parts.resolution, parts.uncertainty, parts.within_variance, parts.within_covariance]
    assert [round(part, 4) for part in shown] == [0.0077, 0.0167, 0.25, 0.029, 0.07]


@pytest.mark.parametrize(
    "words",
    [
        "25/32",
        "17/512, SE 0.182, interval 0.424 to 1",
        "1/768, SE 0.036",
        "1/8, corrected",
        "= 5/7",
        "= 0.075",
        "= 0.2 =",
    ],
)
def test_the_page_says_so(words: str) -> None:
    assert words in PAGE.partition("## An example by hand")[2]
