"""The empirical ROC curve, its areas, the thresholds that it offers, and what a threshold gives.

A case is called positive when its score is at or above the threshold; the direction is never flipped.
Notation: n cases, m+ of them positive and m- negative, K distinct scores, R resamples. Curves are kept as whole counts,
cumulated from the highest score on, tp (R, K + 1) and fp (R, K + 1), so that ties and areas are exact.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from hakken.core.errors import HakkenError
from hakken.core.tables import FIRST_ROW
from hakken.evaluation.agreement import rows_mcc
from hakken.evaluation.findings import Flags, Floats, Ints

SLACK = 1e-9
"""What a share of a count may miss by rounding: 0.7 of 10 cases is 7.000000000000001 in binary."""

NO_POSITIVE = "no case has label 1"
NO_NEGATIVE = "no case has label 0"

MEASURES = ("sensitivity", "specificity", "ppv", "npv", "accuracy")

Counts = NDArray[np.signedinteger[Any]]
Kind = Literal["youden", "sensitivity", "specificity"]


@dataclass(frozen=True, eq=False)
class Ranking:
    """Cases sorted from the highest score down: order (n,), threshold (K + 1) from infinity, tp and fp (K + 1).

    ``last`` (K,) is the place in the order of the last case of each distinct score.
    """

    order: Ints
    last: Ints
    threshold: Floats
    tp: Ints
    fp: Ints

    @property
    def positives(self) -> int:
        """The number of positive cases, m+."""
        return int(self.tp[-1])

    @property
    def negatives(self) -> int:
        """The number of negative cases, m-."""
        return int(self.fp[-1])

    @property
    def reason(self) -> str | None:
        """Why the curve is undefined, or None."""
        if not self.positives:
            return NO_POSITIVE
        return None if self.negatives else NO_NEGATIVE

    def place(self, threshold: float) -> int:
        """Return the operating point of a threshold: how many distinct scores are at or above it."""
        return int(np.searchsorted(-self.threshold[1:], -threshold, side="right"))


@dataclass(frozen=True)
class Choice:
    """How a threshold is chosen: the highest Youden index, or a ``level`` of sensitivity or specificity."""

    kind: Kind
    level: float | None = None

    @property
    def name(self) -> str:
        """How result files call it."""
        return self.kind if self.level is None else f"{self.kind} {self.level:g}"


@dataclass(frozen=True, eq=False)
class Curve:
    """The corners of an empirical ROC curve, from (0, 0) to (1, 1): threshold, false and true positive rate."""

    threshold: Floats
    fpr: Floats
    tpr: Floats


def rank(positive: Flags, score: Floats) -> Ranking:
    """Rank cases by ``score`` (n,), ``positive`` (n,) of which are diseased.

    Raises HakkenError when there is no case, or naming the row of a score that is not finite.
    """
    positive, score = np.asarray(positive, bool), np.asarray(score, float)
    if len(positive) != len(score):
        raise HakkenError(f"scores: {len(score)} scores for {len(positive)} labels; give one for each case")
    if not len(score):
        raise HakkenError("scores: there is no case; give at least one")
    bad = np.flatnonzero(~np.isfinite(score))
    if bad.size:
        row = bad[0] + FIRST_ROW
        raise HakkenError(f"scores, row {row}, column score: {score[bad[0]]} cannot be ranked; give a finite number")
    order = np.argsort(-score, kind="stable")
    falling = score[order]
    last = np.flatnonzero(np.append(falling[1:] != falling[:-1], True))
    tp = np.cumsum(positive[order])[last]
    return Ranking(
        order=order.astype(np.int64),
        last=last.astype(np.int64),
        threshold=np.concatenate([[np.inf], falling[last]]),
        tp=np.concatenate([[0], tp]).astype(np.int64),
        fp=np.concatenate([[0], last + 1 - tp]).astype(np.int64),
    )


def roc(ranking: Ranking) -> Curve:
    """Return the corners of the curve; points on a straight line between two others are left out.

    Raises ValueError where the curve is undefined.
    """
    if ranking.reason is not None:
        raise ValueError(ranking.reason)
    rise, run = np.diff(ranking.tp), np.diff(ranking.fp)
    turns = rise[1:] * run[:-1] != rise[:-1] * run[1:]
    keep = np.concatenate([[True], turns, [True]])
    return Curve(ranking.threshold[keep], ranking.fp[keep] / ranking.negatives, ranking.tp[keep] / ranking.positives)


def auc(ranking: Ranking) -> float | None:
    """Return the area under the curve: the Mann-Whitney statistic with 1/2 for ties, over m+ m-."""
    return None if ranking.reason is not None else float(rows_auc(ranking.tp[None], ranking.fp[None])[0])


def partial_auc(ranking: Ranking, max_fpr: float) -> float | None:
    """Return the area under the curve from a false positive rate of 0 to ``max_fpr`` in (0, 1], not divided."""
    if ranking.reason is not None:
        return None
    return float(rows_partial_auc(ranking.tp[None], ranking.fp[None], max_fpr)[0])


def corrected(area: Floats | float, max_fpr: float) -> Floats:
    """Return a partial area on the scale of an AUC: 1/2 for chance, 1 for a perfect ranking.

    McClish (Medical Decision Making 1989;9:190-195): (1 + (area - x²/2) / (x - x²/2)) / 2 with x = ``max_fpr``.
    """
    least = max_fpr**2 / 2
    return np.asarray((1 + (np.asarray(area, float) - least) / (max_fpr - least)) / 2)


def choose(ranking: Ranking, choice: Choice) -> float | None:
    """Return the threshold of a choice; None where the curve is undefined or no finite threshold fulfils it."""
    if ranking.reason is not None:
        return None
    place = rows_choose(ranking.tp[None], ranking.fp[None], choice)[0]
    return float(ranking.threshold[place]) if place > 0 else None


def rows_auc(tp: Counts, fp: Counts) -> Floats:
    """Return the AUC (R,) of curves in counts, tp and fp (R, K + 1)."""
    twice = (np.diff(fp, axis=1) * (tp[:, 1:] + tp[:, :-1]).astype(np.int64)).sum(axis=1)
    return np.asarray(twice / (2 * fp[:, -1].astype(np.int64) * tp[:, -1]))


def rows_partial_auc(tp: Counts, fp: Counts, max_fpr: float) -> Floats:
    """Return the area (R,) under curves in counts, tp and fp (R, K + 1), up to the rate ``max_fpr``."""
    rows, end = np.arange(len(tp)), max_fpr * fp[:, -1]
    inside = fp <= end[:, None]
    areas = np.diff(fp, axis=1) * (tp[:, 1:] + tp[:, :-1]).astype(np.int64)
    whole = np.where(inside[:, 1:], areas, 0).sum(axis=1) / 2
    before = inside.sum(axis=1) - 1
    after = np.minimum(before + 1, tp.shape[1] - 1)
    width = end - fp[rows, before]
    gap = fp[rows, after] - fp[rows, before]
    slope = np.divide(tp[rows, after] - tp[rows, before], gap, out=np.zeros(len(tp)), where=gap > 0)
    rest = width * (tp[rows, before] + slope * width / 2)
    return np.asarray((whole + rest) / (fp[:, -1].astype(float) * tp[:, -1]))


def rows_choose(tp: Counts, fp: Counts, choice: Choice) -> Ints:
    """Return the operating point (R,) that each curve in counts, tp and fp (R, K + 1), offers.

    `youden`: the highest of the thresholds with the greatest sensitivity + specificity - 1. `sensitivity`: the highest
    threshold that reaches the level. `specificity`: the lowest that keeps it; 0, where nothing is called positive, if
    no finite one does.
    """
    positives, negatives = tp[:, -1:].astype(np.int64), fp[:, -1:].astype(np.int64)
    if choice.kind == "youden":
        # The highest scores of the cohort may be missing in a resample; a threshold among them calls nothing positive.
        index = np.where(tp + fp > 0, tp * negatives - fp * positives, np.iinfo(np.int64).min)
        return np.asarray(index.argmax(axis=1))
    level = 0.0 if choice.level is None else choice.level
    if choice.kind == "sensitivity":
        needed = np.maximum(np.ceil(level * positives - SLACK), 1)
        return np.asarray((tp < needed).sum(axis=1))
    allowed = np.floor((1 - level) * negatives + SLACK)
    return np.asarray((fp <= allowed).sum(axis=1) - 1)


def rows_at(tp: Counts, fp: Counts, place: Ints) -> dict[str, Floats]:
    """Return the five measures and `mcc` (R,) at the operating point ``place`` (R,) of each curve, NaN if undefined."""
    rows = np.arange(len(tp))
    positives, negatives = tp[:, -1].astype(float), fp[:, -1].astype(float)
    hits, false = tp[rows, place].astype(float), fp[rows, place].astype(float)
    spared = negatives - false
    parts = {
        "sensitivity": (hits, positives),
        "specificity": (spared, negatives),
        "ppv": (hits, hits + false),
        "npv": (spared, spared + positives - hits),
        "accuracy": (hits + spared, positives + negatives),
    }
    shares = {
        name: np.divide(part, total, out=np.full(len(tp), np.nan), where=total > 0)
        for name, (part, total) in parts.items()
    }
    matrix = np.stack([np.stack([hits, positives - hits], axis=-1), np.stack([false, spared], axis=-1)], axis=-2)
    return shares | {"mcc": rows_mcc(matrix)}
