"""Figures of merit of every reader in every modality, and each without one patient after the other (jackknife).

Notation: I modalities, J readers, U jackknifed units (patients; unless told otherwise every case is one), N noise
ratings, S signal ratings, psi(x, y) = 1 where x < y, 1/2 where x = y, else 0 (two unmarked things, both minus
infinity, are equal). All figures are U-statistics or ratios of sums over cases, so the value without a unit is the
whole minus the share of that unit: no sorting is done again.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from hakken.core.errors import HakkenError
from hakken.evaluation.findings import Flags, Floats, Ints
from hakken.evaluation.readers.ratings import Design, ReaderStudy


@dataclass(frozen=True, eq=False)
class Merit:
    """A figure of merit: ``value`` (I, J), and without each unit, ``jackknife`` (I, J, U); ``unit`` (U,) the patients.

    Only patients whom the figure depends on are left out: for a fraction over diseased cases, those with such a case.
    """

    name: str
    value: Floats
    jackknife: Floats
    unit: Ints

    @property
    def covariance(self) -> Floats:
        """The jackknife covariances (I, J, I, J): (U - 1)/U times the sum of products of deviations."""
        readings, units = self.value.size, len(self.unit)
        deviation = self.jackknife.reshape(readings, units)
        deviation = deviation - deviation.mean(axis=1, keepdims=True)
        products = (units - 1) / units * (deviation @ deviation.T)
        return np.asarray(products.reshape(*self.value.shape, *self.value.shape))

    @property
    def pseudovalues(self) -> Floats:
        """The pseudovalues (I, J, U), shifted to have the figure as mean (Hillis, Berbaum and Metz 2008)."""
        units = len(self.unit)
        raw = units * self.value[..., None] - (units - 1) * self.jackknife
        return np.asarray(raw + (self.value - raw.mean(axis=-1))[..., None])


def merit(study: ReaderStudy, name: str) -> Merit:
    """Return a figure of merit by its name, a key of `FIGURES`.

    Raises HakkenError for a figure that does not belong to the design, or for fewer than two cases of a kind that it
    needs: the jackknife leaves one out.
    """
    figure = FIGURES[name]
    if study.design not in figure.designs:
        known = ", ".join(key for key, other in FIGURES.items() if study.design in other.designs)
        raise HakkenError(f"`{name}` does not exist for {study.design} ratings; choose one of {known}")
    kinds = {"": np.ones(len(study.case_id), bool), "diseased ": study.diseased, "non-diseased ": ~study.diseased}
    for kind, cases in kinds.items():
        if (not kind or kind.strip() in figure.needs) and len(np.unique(study.patient[cases])) < 2:
            number = int(cases.sum())
            if number < 2:
                reason = f"two or more {kind}cases, since the jackknife leaves one out; there is"
                raise HakkenError(f"`{name}` needs {reason} {'one' if number else 'none'}")
            reason = f"{kind}cases of two or more patients, since the jackknife leaves one out"
            raise HakkenError(f"`{name}` needs {reason}; all {number} are of one")
    return figure.measure(study, name)


def _wilcoxon(study: ReaderStudy, name: str) -> Merit:
    """Area under the ROC curve: mean of psi over pairs of a non-diseased and a diseased case."""
    return _area(study, name, ~study.diseased, _lesions(study))


def _inferred_roc(study: ReaderStudy, name: str) -> Merit:
    """Area under the ROC curve of the highest mark of each case, of whatever kind."""
    cases = np.flatnonzero(study.diseased)
    first = np.flatnonzero(np.diff(study.lesion_case, prepend=-1))
    highest = np.maximum(study.noise[..., cases], np.maximum.reduceat(study.signal, first, axis=-1))
    return _area(study, name, ~study.diseased, _Signal(highest, cases, np.ones(len(cases))))


def _afroc(study: ReaderStudy, name: str) -> Merit:
    """Mean of psi over pairs of a non-diseased case (its highest mark) and a lesion, all lesions alike."""
    return _area(study, name, ~study.diseased, _lesions(study))


def _wafroc(study: ReaderStudy, name: str) -> Merit:
    """The same with lesion weights that sum to 1 in each diseased case, so that all diseased cases count alike."""
    return _area(study, name, ~study.diseased, _lesions(study, study.weight))


def _afroc1(study: ReaderStudy, name: str) -> Merit:
    """Mean of psi over pairs of any case (its highest NL mark) and a lesion: for studies without normal cases."""
    return _area(study, name, np.ones(len(study.case_id), bool), _lesions(study))


def _wafroc1(study: ReaderStudy, name: str) -> Merit:
    """The same with lesion weights that sum to 1 in each diseased case."""
    return _area(study, name, np.ones(len(study.case_id), bool), _lesions(study, study.weight))


def _max_llf(study: ReaderStudy, name: str) -> Merit:
    """Lesions that were marked, at whatever rating, among all lesions."""
    found = np.isfinite(study.signal).astype(float)
    return _ratio(name, found, study.patient[study.lesion_case])


def _max_nlf(study: ReaderStudy, name: str) -> Merit:
    """NL marks per case, over all cases."""
    return _ratio(name, study.marks.astype(float), study.patient)


def _max_nlf_normal(study: ReaderStudy, name: str) -> Merit:
    """NL marks per case, over the cases without lesions."""
    return _ratio(name, study.marks[..., ~study.diseased].astype(float), study.patient[~study.diseased])


@dataclass(frozen=True)
class Figure:
    """How a figure of merit is measured, what it is called, for which designs, and which cases it needs."""

    measure: Callable[[ReaderStudy, str], Merit]
    label: str
    designs: tuple[Design, ...]
    needs: tuple[str, ...] = ("diseased", "non-diseased")
    less_is_better: bool = False


FIGURES = {
    "wilcoxon": Figure(_wilcoxon, "AUC", ("roc",)),
    "inferred-roc": Figure(_inferred_roc, "Inferred-ROC AUC", ("froc",)),
    "wafroc": Figure(_wafroc, "wAFROC AUC", ("froc",)),
    "afroc": Figure(_afroc, "AFROC AUC", ("froc",)),
    "wafroc1": Figure(_wafroc1, "wAFROC1 AUC", ("froc",), ("diseased",)),
    "afroc1": Figure(_afroc1, "AFROC1 AUC", ("froc",), ("diseased",)),
    "max-llf": Figure(_max_llf, "Marked lesions (MaxLLF)", ("froc",), ("diseased",)),
    "max-nlf": Figure(_max_nlf, "False marks per case (MaxNLF)", ("froc",), (), True),
    "max-nlf-normal": Figure(_max_nlf_normal, "False marks per normal case", ("froc",), ("non-diseased",), True),
}
DEFAULT: dict[Design, str] = {"roc": "wilcoxon", "froc": "wafroc"}


@dataclass(frozen=True, eq=False)
class _Signal:
    """What noise is compared with: rating (I, J, S), case (S,) and weight (S,)."""

    rating: Floats
    case: Ints
    weight: Floats


def _lesions(study: ReaderStudy, weight: Floats | None = None) -> _Signal:
    return _Signal(study.signal, study.lesion_case, np.ones(len(study.lesion_case)) if weight is None else weight)


def _area(study: ReaderStudy, name: str, noisy: Flags, signal: _Signal) -> Merit:
    """Return the weighted mean of psi over pairs of the noise of a ``noisy`` case (K,) and a signal."""
    noise, shape, weight = study.noise[..., noisy], study.noise.shape[:2], signal.weight
    of_noise, of_signal, units = study.patient[noisy], study.patient[signal.case], int(study.patient.max()) + 1
    by_noise, by_signal = np.empty(noise.shape), np.empty(signal.rating.shape)
    for place in np.ndindex(shape):
        by_noise[place], by_signal[place] = _psi_sums(noise[place], signal.rating[place], weight)
    total = by_signal.sum(axis=-1)
    # A unit takes with it the pairs of its noise and those of its signals; pairs of both are in either sum.
    share = _sums(by_noise, of_noise, units) + _sums(by_signal, of_signal, units)
    one, other = _pairs(of_noise, of_signal)
    below, same = noise[..., one] < signal.rating[..., other], noise[..., one] == signal.rating[..., other]
    share -= _sums(weight[other] * (below + 0.5 * same), of_signal[other], units)
    left_noise = len(of_noise) - np.bincount(of_noise, minlength=units)
    left_weight = weight.sum() - np.bincount(of_signal, weights=weight, minlength=units)
    jackknife = (total[..., None] - share) / (left_noise * left_weight)
    return Merit(name, total / (len(of_noise) * weight.sum()), jackknife, np.arange(units))


def _psi_sums(noise: Floats, signal: Floats, weight: Floats) -> tuple[Floats, Floats]:
    """Return sum over signals of weight * psi for each noise (N,), and weight * sum over noises of psi (S,)."""
    sorted_noise, order = np.sort(noise), np.argsort(signal, kind="stable")
    below = np.searchsorted(sorted_noise, signal, "left") + np.searchsorted(sorted_noise, signal, "right")
    heavier = np.concatenate([[0.0], np.cumsum(weight[order])])
    sides = (np.searchsorted(signal[order], noise, side) for side in ("left", "right"))
    up_to = sum(heavier[side] for side in sides)
    return np.asarray(heavier[-1] - up_to / 2), np.asarray(weight * below / 2)


def _pairs(of_noise: Ints, of_signal: Ints) -> tuple[Ints, Ints]:
    """Return the places of all pairs of a noise and a signal of the same unit."""
    order = np.argsort(of_noise, kind="stable")
    first, last = (np.searchsorted(of_noise[order], of_signal, side) for side in ("left", "right"))
    number = last - first
    signal = np.repeat(np.arange(len(of_signal)), number)
    within = np.arange(len(signal)) - np.repeat(np.cumsum(number) - number, number)
    return order[np.repeat(first, number) + within], signal


def _ratio(name: str, counts: Floats, patient: Ints) -> Merit:
    """Return the mean of ``counts`` (I, J, n), and the same without each ``patient`` (n,)."""
    units, member = np.unique(patient, return_inverse=True)
    total, number = counts.sum(axis=-1), counts.shape[-1]
    left = number - np.bincount(member)
    jackknife = (total[..., None] - _sums(counts, member, len(units))) / left
    return Merit(name, total / number, jackknife, units)


def _sums(values: Floats, unit: Ints, units: int) -> Floats:
    """Return the sums of values (I, J, n) over entries of the same ``unit`` (n,), as (I, J, units)."""
    sums = np.empty((*values.shape[:2], units))
    for place in np.ndindex(values.shape[:2]):
        sums[place] = np.bincount(unit, weights=values[place], minlength=units)
    return sums
