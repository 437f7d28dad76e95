"""Average precision of candidates, and the ranking score of the PI-CAI challenge.

Notation: at an operating point TP lesions of L are found and FP marks of the whole cohort are false; precision
P = TP / (TP + FP), recall R = TP / L. Operating points are ordered by falling score, one for each distinct score; R
resamples of K + 1 points have tp and fp (R, K + 1), the first of which is 0. Three averages of P over R are in use and
differ, so each has a name of its own.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from hakken.evaluation.findings import Flags, Floats, Ints
from hakken.evaluation.froc import froc
from hakken.evaluation.matching import Fate, Matching
from hakken.evaluation.roc import Ranking, rank, rows_auc

AVERAGES = ("step", "all_point", "points_101")
LEVELS = 100
"""Recall is read at 0, 1/100, ... 1 by COCO."""


def average_precision(matching: Matching) -> dict[str, float | None]:
    """Return the average precision of a matching by name; None throughout where there is no included lesion.

    `step`: the sum of P times the increase of R, as scikit-learn and PI-CAI take it. `all_point`: the same with the
    highest P at this or any lower score, as PASCAL VOC takes it since 2010. `points_101`: the mean of that highest P at
    the recalls 0, 0.01 ... 1, 0 where a recall is not reached, as COCO takes it (Lin et al., ECCV 2014).
    """
    counts = matching.counts
    if not counts.lesions:
        return dict.fromkeys(AVERAGES)
    curve = froc(matching)
    tp, fp = np.rint(curve.sensitivity * counts.lesions), np.rint(curve.fp_per_case * counts.cases)
    found = rows_average_precision(tp[None], fp[None], np.array([float(counts.lesions)]))
    return {name: float(values[0]) for name, values in found.items()}


def rows_average_precision(tp: Floats, fp: Floats, lesions: Floats) -> Mapping[str, Floats]:
    """Return each average (R,) of curves in whole counts, tp and fp (R, K + 1), with ``lesions`` (R,) each."""
    called = tp + fp
    precision = np.divide(tp, called, out=np.zeros_like(tp), where=called > 0)[:, 1:]
    highest = np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]
    gained = np.diff(tp, axis=1) / lesions[:, None]
    levels = np.floor_divide(LEVELS * tp, lesions[:, None])  # whole counts: 7 of 10 reach the level 0.70, exactly
    read = np.diff(levels, axis=1)
    read[:, :1] += 1  # the level 0 is reached by the first point
    return {
        "step": (precision * gained).sum(axis=1),
        "all_point": (highest * gained).sum(axis=1),
        "points_101": (highest * read).sum(axis=1) / (LEVELS + 1),
    }


def ranked_cases(matching: Matching) -> Ranking:
    """Return the cases ranked by their highest mark; those with an included lesion are positive.

    Marks that were dropped, on excluded findings or by the cap, do not count; cases without a mark are below all.
    """
    counts = ~np.isin(matching.fate, (Fate.EXCLUDED, Fate.CUT))
    score = np.full(len(matching.cases), -np.inf)
    np.maximum.at(score, matching.candidates.case[counts], matching.candidates.score[counts])
    levels = np.unique(score, return_inverse=True)[1].astype(float)  # a rank is finite where no mark is
    return rank(abnormal_cases(matching), levels)


def abnormal_cases(matching: Matching) -> Flags:
    """Return which cases (cases,) have an included lesion."""
    abnormal = np.zeros(len(matching.cases), bool)
    abnormal[matching.lesions.case[matching.lesions.included]] = True
    return abnormal


def rows_case_auc(ranking: Ranking, abnormal: Flags, weights: Ints) -> Floats:
    """Return the AUC (R,) of ranked cases that count ``weights`` (R, cases) times; NaN where one kind is lacking."""
    ordered = weights[:, ranking.order]
    positive = abnormal[ranking.order]
    tp, fp = (
        np.concatenate([np.zeros((len(weights), 1), np.int64), np.cumsum(ordered * chosen, axis=1)[:, ranking.last]], 1)
        for chosen in (positive, ~positive)
    )
    both = (tp[:, -1] > 0) & (fp[:, -1] > 0)
    areas = np.full(len(weights), np.nan)
    areas[both] = rows_auc(tp[both], fp[both])
    return areas
