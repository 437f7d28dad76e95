"""Figures of merit of every reader in every modality, and each without one case after the other (jackknife).

Notation: I modalities, J readers, U jackknifed cases, N noise ratings, S signal ratings, psi(x, y) = 1 where x < y,
1/2 where x = y, else 0 (two unmarked things, both minus infinity, are equal). All areas are U-statistics or ratios of
sums over cases, so the value without a case is the whole minus that case's share: no sorting is done again.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from hakken.errors import HakkenError
from hakken.evaluation.findings import Floats, Ints
from hakken.evaluation.readers.ratings import Design, ReaderStudy


@dataclass(frozen=True, eq=False)
class Merit:
    """A figure of merit: ``value`` (I, J), and without each case, ``jackknife`` (I, J, U); ``case`` (U,) their index.

    ``case`` holds the cases that the figure depends on: a fraction over diseased cases leaves out those alone.
    """

    name: str
    value: Floats
    jackknife: Floats
    case: Ints

    @property
    def covariance(self) -> Floats:
        """The jackknife covariances (I, J, I, J): (U - 1)/U times the sum of products of deviations."""
        readings, units = self.value.size, len(self.case)
        deviation = self.jackknife.reshape(readings, units)
        deviation = deviation - deviation.mean(axis=1, keepdims=True)
        products = (units - 1) / units * (deviation @ deviation.T)
        return np.asarray(products.reshape(*self.value.shape, *self.value.shape))

    @property
    def pseudovalues(self) -> Floats:
        """The pseudovalues (I, J, U), shifted to have the figure as mean (Hillis, Berbaum and Metz 2008)."""
        units = len(self.case)
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
    if len(study.case_id) < 2:
        raise HakkenError(f"`{name}` needs two or more cases, since the jackknife leaves one out; there is one")
    for kind, cases in (("diseased", study.diseased), ("non-diseased", ~study.diseased)):
        if kind in figure.needs and cases.sum() < 2:
            raise HakkenError(
                f"`{name}` needs two or more {kind} cases, since the jackknife leaves one out; there is "
                f"{'one' if cases.any() else 'none'}"
            )
    return figure.measure(study, name)


def _wilcoxon(study: ReaderStudy, name: str) -> Merit:
    """Area under the ROC curve: mean of psi over pairs of a non-diseased and a diseased case."""
    return _area(study, name, study.signal, study.lesion_case, np.ones(len(study.lesion_case)))


def _inferred_roc(study: ReaderStudy, name: str) -> Merit:
    """Area under the ROC curve of the highest mark of each case, of whatever kind."""
    cases = np.flatnonzero(study.diseased)
    lesions = np.maximum.reduceat(study.signal, _starts(study.lesion_case), axis=-1)
    return _area(study, name, np.maximum(study.noise[..., cases], lesions), cases, np.ones(len(cases)))


def _afroc(study: ReaderStudy, name: str) -> Merit:
    """Mean of psi over pairs of a non-diseased case (its highest mark) and a lesion, all lesions alike."""
    return _area(study, name, study.signal, study.lesion_case, np.ones(len(study.lesion_case)))


def _wafroc(study: ReaderStudy, name: str) -> Merit:
    """The same with lesion weights that sum to 1 in each diseased case, so that all diseased cases count alike."""
    return _area(study, name, study.signal, study.lesion_case, study.weight)


def _afroc1(study: ReaderStudy, name: str) -> Merit:
    """Mean of psi over pairs of any case (its highest NL mark) and a lesion: for studies without normal cases."""
    return _area_of_all(study, name, np.ones(len(study.lesion_case)))


def _wafroc1(study: ReaderStudy, name: str) -> Merit:
    """The same with lesion weights that sum to 1 in each diseased case."""
    return _area_of_all(study, name, study.weight)


def _max_llf(study: ReaderStudy, name: str) -> Merit:
    """Lesions that were marked, at whatever rating, among all lesions."""
    cases = np.flatnonzero(study.diseased)
    found = _by_case(np.isfinite(study.signal).astype(float), study.lesion_case, len(study.case_id))
    lesions = np.bincount(study.lesion_case, minlength=len(study.case_id)).astype(float)
    return _ratio(name, found[..., cases], lesions[cases], cases)


def _max_nlf(study: ReaderStudy, name: str) -> Merit:
    """NL marks per case, over all cases."""
    cases = np.arange(len(study.case_id))
    return _ratio(name, study.marks.astype(float), np.ones(len(cases)), cases)


def _max_nlf_normal(study: ReaderStudy, name: str) -> Merit:
    """NL marks per case, over the cases without lesions."""
    cases = np.flatnonzero(~study.diseased)
    return _ratio(name, study.marks[..., cases].astype(float), np.ones(len(cases)), cases)


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


def _area(study: ReaderStudy, name: str, signal: Floats, signal_case: Ints, weight: Floats) -> Merit:
    """Return the weighted mean of psi over pairs of a normal case's noise and a ``signal`` (I, J, S)."""
    cases, normal = len(study.case_id), np.flatnonzero(~study.diseased)
    noise = study.noise[..., normal]
    shape = study.noise.shape[:2]
    by_noise, by_signal = np.empty((*shape, len(normal))), np.empty((*shape, len(signal_case)))
    for place in np.ndindex(shape):
        by_noise[place], by_signal[place] = _psi_sums(noise[place], signal[place], weight)
    share = _by_case(by_signal, signal_case, cases)
    share[..., normal] = by_noise
    total = by_signal.sum(axis=-1)
    whole = weight.sum()
    # What each case takes with it: a normal one of the N noise ratings, a diseased one its lesions' weight.
    left_noise = np.where(study.diseased, len(normal), len(normal) - 1)
    left_weight = whole - np.bincount(signal_case, weights=weight, minlength=cases)
    jackknife = (total[..., None] - share) / (left_noise * left_weight)
    return Merit(name, total / (len(normal) * whole), jackknife, np.arange(cases))


def _area_of_all(study: ReaderStudy, name: str, weight: Floats) -> Merit:
    """Return the weighted mean of psi over pairs of any case's noise and a lesion's signal."""
    cases, shape = len(study.case_id), study.noise.shape[:2]
    by_noise, by_signal = np.empty(study.noise.shape), np.empty(study.signal.shape)
    for place in np.ndindex(shape):
        by_noise[place], by_signal[place] = _psi_sums(study.noise[place], study.signal[place], weight)
    beside = study.noise[..., study.lesion_case]
    own = weight * ((beside < study.signal) + 0.5 * (beside == study.signal))  # pairs that a case forms with itself
    total = by_signal.sum(axis=-1)
    share = by_noise + _by_case(by_signal - own, study.lesion_case, cases)
    left = (cases - 1) * (weight.sum() - np.bincount(study.lesion_case, weights=weight, minlength=cases))
    return Merit(name, total / (cases * weight.sum()), (total[..., None] - share) / left, np.arange(cases))


def _psi_sums(noise: Floats, signal: Floats, weight: Floats) -> tuple[Floats, Floats]:
    """Return sum over signals of weight * psi for each noise (N,), and weight * sum over noises of psi (S,)."""
    sorted_noise, order = np.sort(noise), np.argsort(signal, kind="stable")
    below = np.searchsorted(sorted_noise, signal, "left") + np.searchsorted(sorted_noise, signal, "right")
    heavier = np.concatenate([[0.0], np.cumsum(weight[order])])
    sides = (np.searchsorted(signal[order], noise, side) for side in ("left", "right"))
    up_to = sum(heavier[side] for side in sides)
    return np.asarray(heavier[-1] - up_to / 2), np.asarray(weight * below / 2)


def _ratio(name: str, counts: Floats, size: Floats, case: Ints) -> Merit:
    """Return sum of ``counts`` (I, J, U) over sum of ``size`` (U,), and the same without each case."""
    total, whole = counts.sum(axis=-1), size.sum()
    return Merit(name, total / whole, (total[..., None] - counts) / (whole - size), case)


def _by_case(values: Floats, case: Ints, cases: int) -> Floats:
    """Return sums of values (I, J, n) over entries of the same ``case`` (n,), which rises, as (I, J, cases)."""
    sums, starts = np.zeros((*values.shape[:2], cases)), _starts(case)
    sums[..., case[starts]] = np.add.reduceat(values, starts, axis=-1)
    return sums


def _starts(case: Ints) -> Ints:
    """Return where each run of equal entries begins."""
    return np.flatnonzero(np.diff(case, prepend=-1))
