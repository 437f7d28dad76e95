"""Comparisons that decide decimals as they are written.

In binary 0.3 - 0.1 is a little below 0.2, and 0.1 + 0.2 a little above 0.3. Two numbers that differ by less than such
rounding count as equal, so a mark that lies exactly on a radius does so in whichever decimals it is given.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

SLACK = 1e-9
"""Relative difference up to which two numbers count as equal."""

Values = NDArray[np.float64]
Answers = NDArray[np.bool_]


def same(value: ArrayLike, limit: ArrayLike, rounding: ArrayLike = 0.0) -> Answers:
    """Return where a value equals a limit, but for `SLACK` and for what ``rounding`` has changed it by.

    >>> bool(same(0.3 - 0.1, 0.2)), bool(same(0.3, 0.200001))
    (True, False)
    """
    with np.errstate(invalid="ignore", over="ignore"):
        return np.asarray(np.isclose(value, limit, rtol=SLACK, atol=rounding))


def below(value: ArrayLike, limit: ArrayLike, rounding: ArrayLike = 0.0) -> Answers:
    """Return where a value is below a limit and not the same.

    >>> bool(below(0.3 - 0.1, 0.2)), bool(below(0.19, 0.2))
    (False, True)
    """
    return np.asarray((np.asarray(value) < np.asarray(limit)) & ~same(value, limit, rounding))


def reaches(value: ArrayLike, limit: ArrayLike) -> Answers:
    """Return where a value is at least a limit: wherever it is not `below` it, NaN apart.

    >>> bool(reaches(0.7 * 0.1 * 10, 0.7)), bool(reaches(float("nan"), 0))
    (True, False)
    """
    return np.asarray((np.asarray(value) >= np.asarray(limit)) | same(value, limit))


def rounding_of(*numbers: Values) -> Values:
    """Return by how much differences of ``numbers`` (n, k) may be off (n,): some units in the largest's last place.

    >>> rounding_of(np.array([[0.5, -2.0]]))[0] < 1e-14
    np.True_
    """
    largest = np.max([np.abs(part).max(axis=1, initial=0) for part in numbers], axis=0)
    return np.asarray(4 * np.finfo(float).eps * largest)
