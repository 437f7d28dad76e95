"""The laws of which phantoms read quantiles (`hakken.phantoms.Levels`)."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np


def kind_at(level: float, shares: Mapping[str, float]) -> str:
    """Return the kind at ``level``, 0 to 1, of a distribution of kinds by their ``shares``, whose sum is 1.

    >>> shares = {"lung": 0.6, "bone": 0.4}
    >>> kind_at(0.0, shares), kind_at(0.7, shares), kind_at(1.0, shares)
    ('lung', 'bone', 'bone')
    """
    index = int(np.searchsorted(np.cumsum(list(shares.values())), level, side="right"))
    return list(shares)[min(index, len(shares) - 1)]
