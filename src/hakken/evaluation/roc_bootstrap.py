"""ROC curves of resampled patients: a case weighs as often as its patient was drawn, and nothing is sorted again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from hakken.evaluation.bootstrap import TAILS
from hakken.evaluation.findings import Flags, Floats, Ints
from hakken.evaluation.roc import Choice, Counts, Ranking, rows_at, rows_auc, rows_choose, rows_partial_auc

GRID = np.linspace(0, 1, 201)
"""False positive rates at which the band is drawn."""


@dataclass(frozen=True, eq=False)
class Rows:
    """What is measured of one ranking in every resample.

    ``points`` are the operating points by name: a choice, made anew in every resample, or a fixed threshold.
    """

    ranking: Ranking
    positive: Flags
    patient: Ints
    max_fpr: float
    points: Mapping[str, Choice | float]

    def __call__(self, counts: Counts) -> dict[str, Floats]:
        """Return the measures of each resample from how often each patient is drawn (B, patients)."""
        tp, fp = self.curves(counts)
        found = {
            "auc": rows_auc(tp, fp),
            "partial_auc": rows_partial_auc(tp, fp, self.max_fpr),
            "band": _sensitivity_at(tp, fp, GRID),
        }
        for name, point in self.points.items():
            if isinstance(point, Choice):
                place = rows_choose(tp, fp, point)
            else:
                place = np.full(len(tp), self.ranking.place(point))
            found |= {f"{name} {measure}": values for measure, values in rows_at(tp, fp, place).items()}
        return found

    def curves(self, counts: Counts) -> tuple[Counts, Counts]:
        """Return the curves tp and fp (B, K + 1) of weighted cases."""
        order, last = self.ranking.order, self.ranking.last
        weights = np.take(counts, self.patient[order], axis=1)
        tp = np.zeros((len(counts), len(last) + 1), counts.dtype)
        fp = np.zeros_like(tp)
        for curve, chosen in ((tp, self.positive[order]), (fp, ~self.positive[order])):
            cumulated = np.cumsum(weights * chosen.astype(counts.dtype), axis=1, dtype=counts.dtype)
            curve[:, 1:] = cumulated if len(last) == len(order) else cumulated[:, last]
        return tp, fp

    def usable(self, counts: Counts) -> Flags:
        """Return which resamples (B,) hold cases of both classes."""
        patients = counts.shape[1]
        holds = [
            counts @ (np.bincount(self.patient[chosen], minlength=patients) > 0).astype(counts.dtype) > 0
            for chosen in (self.positive, ~self.positive)
        ]
        return np.asarray(holds[0] & holds[1])


def band(replicates: Floats) -> tuple[Floats, Floats]:
    """Return the pointwise 95 % band (low, high) of curves (R, 201) at `GRID`; NaN where there is none."""
    if not len(replicates):
        return np.full(len(GRID), np.nan), np.full(len(GRID), np.nan)
    low, high = np.quantile(replicates, TAILS, axis=0)
    return low, high


def _sensitivity_at(tp: Counts, fp: Counts, rates: Floats) -> Floats:
    """Return the linearly interpolated sensitivity (R, rates), on a vertical part the upper end."""
    rows = [np.interp(rates * x[-1], x, y) / y[-1] for x, y in zip(fp.astype(float), tp.astype(float), strict=True)]
    return np.array(rows)
