"""The median stopping rule: end a training that is worse than most others were at the same step.

Golovin et al., Google Vizier: a service for black-box optimization, KDD 2017, section 3.2.2.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence

Curve = Sequence[tuple[int, float]]
"""Measurements of one training: step and objective, by step; a high objective is good."""
FEWEST = 5  # finished trainings below which the rule says nothing


def median_rule(curve: Curve, finished: Sequence[Curve]) -> str:
    """Return why a training with this ``curve`` so far is not worth going on with, or '' where it is.

    At its last step the best of its objectives is held against the median of the other trainings' running averages:
    the mean of what each had measured up to that step. Trainings that had measured nothing by then do not count.

    >>> median_rule([(10, 0.2)], [[(10, 0.3), (20, 0.9)]] * 5)
    'best objective 0.200 at step 10, below 0.300, the median of the running averages of 5 finished trials'
    """
    step = curve[-1][0]
    until = [[objective for at, objective in other if at <= step] for other in finished]
    averages = [statistics.fmean(objectives) for objectives in until if objectives]
    if len(averages) < FEWEST:
        return ""
    best, median = max(objective for _, objective in curve), statistics.median(averages)
    if best >= median:
        return ""
    others = f"the median of the running averages of {len(averages)} finished trials"
    return f"best objective {best:.3f} at step {step}, below {median:.3f}, {others}"
