"""What selection costs: the best of many on the same cases looks better than it is (the winner's curse)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from hakken.evaluation.bootstrap import Estimate, estimate
from hakken.evaluation.findings import Flags, Floats, Ints
from hakken.evaluation.resampling import over_patients
from hakken.evaluation.roc import auc as area
from hakken.evaluation.roc import rank, rows_auc
from hakken.evaluation.roc_bootstrap import Rows


@dataclass(frozen=True)
class Optimism:
    """The ``chosen`` of ``models`` (an index), its ``naive`` value, and the value ``corrected`` by the ``optimism``.

    ``again`` is the share of resamples in which it is best again; ``skipped`` of the ``resamples`` held no lesion.
    """

    chosen: int
    models: int
    naive: Estimate
    optimism: float
    corrected: Estimate
    again: float
    resamples: int
    skipped: int
    seed: int


@dataclass(frozen=True, eq=False)
class Shortlist:
    """The first of two steps of a choice: the ``count`` best of the first models by what was known of them then.

    ``original`` (k,) and ``replicates`` (k, R) are those first values. Models after the k-th need no shortlist.
    """

    original: Floats
    replicates: Floats
    count: int

    def listed(self, worth: Floats, first: Floats) -> Floats:
        """Return ``worth`` (models, R), minus infinity where a model is not on the list by ``first`` values (k, R)."""
        place = np.argsort(np.argsort(-first, axis=0, kind="stable"), axis=0, kind="stable")
        off = np.zeros(worth.shape, bool)
        off[: len(first)] = place >= self.count
        return np.where(off, -np.inf, worth)


def optimism(
    original: Floats,
    replicates: Floats,
    *,
    resamples: int,
    skipped: int,
    seed: int,
    bounds: tuple[float, float],
    shortlist: Shortlist | None = None,
) -> Optimism:
    """Repeat the choice of the best model on resampled patients.

    ``original`` (models,) are the values of all models on the same cohort, ``replicates`` (models, R) those on the same
    resamples of its patients. In each resample the best model is chosen anew; the optimism is by how much its value
    there exceeds its value on the whole cohort, on average (Efron 1983; Harrell, Lee and Mark 1996, with the selection
    as the fit). The corrected interval is the naive one moved by as much (Noma et al. 2021), within the ``bounds`` of
    the measure. Nothing is trained again, so the chance in training is not part of it. With a ``shortlist`` both steps
    of the choice are made anew in each resample. Equal models: the first is chosen.
    """
    known, drawn = original, replicates
    if shortlist is not None:
        known = shortlist.listed(original[:, None], shortlist.original[:, None])[:, 0]
        drawn = shortlist.listed(replicates, shortlist.replicates)
    chosen, best = int(known.argmax()), drawn.argmax(axis=0)
    excess = replicates[best, np.arange(len(best))] - original[best]
    bias = float(excess.mean()) if len(best) else 0.0
    naive = estimate(float(original[chosen]), replicates[chosen])
    lowest, highest = bounds
    low, high = (None if end is None else min(max(end - bias, lowest), highest) for end in (naive.low, naive.high))
    return Optimism(
        chosen=chosen,
        models=len(original),
        naive=naive,
        optimism=bias,
        corrected=Estimate(min(max(float(original[chosen]) - bias, lowest), highest), low, high),
        again=float((best == chosen).mean()) if len(best) else 1.0,
        resamples=resamples,
        skipped=skipped,
        seed=seed,
    )


def replicated_areas(
    positive: Flags, patient: Ints, scores: Floats, resamples: int, seed: int
) -> tuple[Floats, Floats, int]:
    """Return the AUC of models (m,), those on resamples of the patients (m, R), and how many were skipped.

    ``positive`` and ``patient`` (n,) are the label and the number of the patient of each case, ``scores`` (m, n) what
    the models give them. Raises ValueError where no model has an AUC.
    """
    rankings = [rank(positive, score) for score in scores]
    values = [area(ranking) for ranking in rankings]
    if not values or None in values:
        raise ValueError("no AUC to choose by")
    rows = [Rows(ranking, positive, patient, 1.0, {}) for ranking in rankings]
    drawn = over_patients(
        patient,
        resamples,
        seed,
        lambda counts: {str(number): rows_auc(*row.curves(counts)) for number, row in enumerate(rows)},
        rows[0].usable,
    )
    found = np.array([drawn.values.get(str(number), np.empty(0)) for number in range(len(rows))])
    return np.array(values, float), found, drawn.skipped


def replicated(
    measure: Callable[[Floats], Floats], patient: Ints, resamples: int, seed: int
) -> tuple[Floats, Floats, int]:
    """Return any measure of models (m,), those on resamples of the patients (m, R), and how many were skipped.

    ``patient`` (n,) numbers the patient of each case from 0; ``measure`` maps how often each case counts (R, n) to the
    values of the models (m, R), NaN where there is none. Resamples without a value of every model are skipped.
    """
    original = measure(np.ones((1, len(patient))))[:, 0]
    models = range(len(original))

    def values(counts: Ints) -> dict[str, Floats]:
        return {str(number): row for number, row in zip(models, measure(counts[:, patient].astype(float)), strict=True)}

    drawn = over_patients(patient, resamples, seed, values)
    replicates = np.array([drawn.values.get(str(number), np.empty(0)) for number in models])
    sound = ~np.isnan(replicates).any(axis=0)
    return original, replicates[:, sound], drawn.skipped + int(np.count_nonzero(~sound))
