"""BoTorch as a peer: what its documentation recommends for noisy measurements and evaluations still running.

SingleTaskGP with its defaults (kernel, priors, standardised outcome), fitted anew for every proposal;
qLogNoisyExpectedImprovement with its defaults, the running trials as X_pending; optimize_acqf with q = 1, 10 restarts
and 256 raw samples, 5 restarts a batch and 200 iterations at most; 10 Sobol points first. Mixed spaces are relaxed to
the unit cube with one-hot choices and the restarts snapped to valid points: the best that was not tried is proposed.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import numpy as np

from hakken.core.seeds import derive_seed
from hakken.search import Space, Trial, cube
from hakken.search.cube import Floats, Points
from hakken.search.samplers import random_point, sobol_point
from hakken.search.trial import Value

STARTUP = 10
RESTARTS, RAW_SAMPLES = 10, 256
OPTIONS = {"batch_limit": 5, "maxiter": 200}


def botorch_point(space: Space, trials: Sequence[Trial], *, number: int, seed: int, maximise: bool) -> dict[str, Value]:
    """Return BoTorch's proposal for trial ``number``; failed trials enter with the worst value."""
    seen = {space.key(trial.parameters) for trial in trials}
    finished = [trial for trial in trials if not trial.pending]
    if sum(trial.measured for trial in finished) < STARTUP:
        return sobol_point(space, number, seed, seen)
    sign = 1.0 if maximise else -1.0
    values = [sign * (trial.value or 0.0) if trial.measured else np.nan for trial in finished]
    targets = np.where(np.isnan(values), np.nanmin(values), values)
    running = [trial.parameters for trial in trials if trial.pending]
    x = relax(space, cube.encode(space, [trial.parameters for trial in finished]))
    candidates = _maximise(x, targets, relax(space, cube.encode(space, running)), derive_seed(seed, "botorch", number))
    snapped = cube.snap(space, tighten(space, candidates))
    decoded = (cube.decode(space, snapped, row) for row in range(len(snapped)))
    fresh = next((parameters for parameters in decoded if space.key(parameters) not in seen), None)
    return random_point(space, number, seed, seen) if fresh is None else fresh


def _maximise(x: Floats, y: Floats, pending: Floats, seed: int) -> Floats:
    """Return the relaxed points (10, f) at which the restarts ended, best first."""
    import torch
    from botorch.acquisition.logei import qLogNoisyExpectedImprovement
    from botorch.fit import fit_gpytorch_mll
    from botorch.models import SingleTaskGP
    from botorch.optim import optimize_acqf
    from gpytorch.mlls import ExactMarginalLogLikelihood

    torch.set_num_threads(1)
    torch.manual_seed(seed)
    inputs = torch.from_numpy(x)
    model = SingleTaskGP(inputs, torch.from_numpy(y)[:, None])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fit_gpytorch_mll(ExactMarginalLogLikelihood(model.likelihood, model))
        improvement = qLogNoisyExpectedImprovement(
            model, inputs, X_pending=torch.from_numpy(pending) if len(pending) else None
        )
        bounds = torch.stack([torch.zeros(x.shape[1]), torch.ones(x.shape[1])]).double()
        points, scores = optimize_acqf(
            improvement,
            bounds,
            q=1,
            num_restarts=RESTARTS,
            raw_samples=RAW_SAMPLES,
            options=dict(OPTIONS),
            return_best_only=False,
        )
    return np.asarray(points[scores.argsort(descending=True), 0].numpy())


def relax(space: Space, points: Points) -> Floats:
    """Return points (n, d) with each choice as a column of its own (n, f); inactive parameters lie in the middle."""
    blocks = [np.empty((len(points), 0))]
    for column, dimension in enumerate(space.dimensions):
        u = points.u[:, column]
        if dimension.kind == "categorical":
            places = cube.from_unit(dimension, u)
            one_hot = (places[:, None] == np.arange(len(dimension.choices))).astype(float)
            blocks.append(np.where(points.active[:, [column]], one_hot, cube.NEUTRAL))
        else:
            blocks.append(u[:, None])
    return np.hstack(blocks)


def tighten(space: Space, relaxed: Floats) -> Floats:
    """Return relaxed points (n, f) as coordinates (n, d) of the cube: of each choice the highest column."""
    columns, start = [], 0
    for dimension in space.dimensions:
        width = len(dimension.choices) if dimension.kind == "categorical" else 1
        block = relaxed[:, start : start + width]
        columns.append((np.argmax(block, axis=1) + 0.5) / width if dimension.kind == "categorical" else block[:, 0])
        start += width
    return np.stack(columns, axis=1)
