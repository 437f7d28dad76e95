"""Baseline `nonlinear_least_squares`: diffusion parameters that fit the signals of a voxel best, voxel by voxel.

Levenberg-Marquardt (MINPACK, through SciPy) from a segmented fit, within what is physically possible: parameters are
sigmoids of what is fitted. It knows nothing of the ranges that a network has been trained on.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import leastsq
from scipy.special import expit, logit

from hakken.imaging.cases import Case, item
from hakken.imaging.diffusion import BOUNDS, QUANTITIES, Model, normalised, signals
from hakken.methods.parameter_regression import Inference, Parameters
from hakken.methods.parameter_regression.learn import read_signals
from hakken.study import Study

OUTCOMES = ("numbers",)
CASES = "items"
Floats = NDArray[np.float64]
HIGH_B = 200.0
"""From here on, in s/mm^2, perfusion has left the signal, so that a line through its logarithm tells D and f."""
EDGE = 1e-3
"""Starting points keep this share of the bounds' distance from them."""


def fit(cases: Sequence[Case], study: Study) -> dict[str, Any]:
    """Return what is chosen on validation: nothing."""
    return {}


def words(values: Mapping[str, Any], study: Study) -> str:
    """Return what was chosen in a few words."""
    return "the best fit to the signals of each voxel"


def predict(values: Mapping[str, Any], case: Case, study: Study) -> dict[str, Any]:
    """Return the quantities (n,) of the voxels of a case."""
    own, inference = study.parameters, study.inference
    assert isinstance(own, Parameters) and isinstance(inference, Inference)
    b, measured, _ = read_signals(item(case), inference.signals, own.b_values)
    found = fitted(own.signal, b, normalised(b, measured))
    return {"numbers": dict(zip(QUANTITIES[own.signal], found.T, strict=True))}


def fitted(model: Model, b: Floats, shares: Floats) -> Floats:
    """Return the quantities (n, p) whose signals at ``b`` (k,) are nearest to ``shares`` (n, k)."""
    low, high = np.array([BOUNDS[name] for name in QUANTITIES[model]]).T
    inside = np.clip((segmented(model, b, shares) - low) / (high - low), EDGE, 1 - EDGE)

    def residual(free: Floats, voxel: Floats) -> Floats:
        quantities = low + (high - low) * expit(free)
        return np.asarray(signals(model, b, list(quantities[:, None]))[0] - voxel)

    found = [leastsq(residual, start, args=(voxel,))[0] for start, voxel in zip(logit(inside), shares, strict=True)]
    return np.asarray(low + (high - low) * expit(np.array(found)))


def segmented(model: Model, b: Floats, shares: Floats) -> Floats:
    """Return first guesses (n, p): of IVIM a line through the logarithm at high b values, of kurtosis a parabola."""
    logs = np.log(np.clip(shares, 1e-6, None))
    if model == "dki":
        square, line, _ = np.polynomial.polynomial.polyfit(b, logs.T, 2)[::-1]
        d = np.clip(-line, 1e-6, None)
        return np.stack([d, 6 * square / d**2], axis=1)
    far = b >= HIGH_B if (b >= HIGH_B).sum() > 1 else b >= np.median(b)
    offset, line = np.polynomial.polynomial.polyfit(b[far], logs[:, far].T, 1)
    d = np.clip(-line, 1e-6, None)
    return np.stack([d, np.clip(10 * d, 0.005, None), 1 - np.exp(offset)], axis=1)
