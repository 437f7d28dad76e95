"""Everything that a result file says about one or two scores of the same cases."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

import numpy as np

from hakken.evaluation.agreement import rows_mcc
from hakken.evaluation.calibration import BINS, Calibration, calibrate, defined
from hakken.evaluation.delong import Areas, Difference, Spread, areas, difference, spread
from hakken.evaluation.findings import Flags, Floats, Ints
from hakken.evaluation.proportions import Share, share
from hakken.evaluation.resampling import Bootstrapped, Resampled, bootstrapped, over_patients, per_patient
from hakken.evaluation.roc import (
    MEASURES,
    Choice,
    Counts,
    Curve,
    Ranking,
    auc,
    choose,
    corrected,
    partial_auc,
    rank,
    roc,
)
from hakken.evaluation.roc_bootstrap import GRID, Rows, band

Chosen = Literal["here", "elsewhere", "given"]


@dataclass(frozen=True, eq=False)
class Cohort:
    """Cases with their label, ``positive`` (n,), the number of their patient (n,), and scores (k, n) by name."""

    positive: Flags
    patient: Ints
    scores: Mapping[str, Floats]

    @property
    def patients(self) -> int:
        """The number of patients."""
        return len(np.unique(self.patient))

    @property
    def clustered(self) -> bool:
        """Whether a patient has several cases."""
        return self.patients < len(self.patient)


@dataclass(frozen=True)
class Settings:
    """What to measure: partial AUC up to ``max_fpr``, how thresholds are chosen, fixed ones, and how to resample."""

    max_fpr: float = 0.2
    choices: tuple[Choice, ...] = (Choice("youden"), Choice("sensitivity", 0.9), Choice("specificity", 0.9))
    thresholds: tuple[float, ...] = ()
    resamples: int = 1000
    seed: int = 0
    bins: int = BINS


@dataclass(frozen=True)
class Point:
    """An operating point: its threshold, None where there is none, where that was chosen, and what it gives."""

    name: str
    threshold: float | None
    chosen: Chosen
    counts: Mapping[str, int | None]
    measures: Mapping[str, tuple[Share, Bootstrapped]]
    mcc: tuple[float | None, Bootstrapped]

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        measures = {name: asdict(part) | {"bootstrap": asdict(ends)} for name, (part, ends) in self.measures.items()}
        value, ends = self.mcc
        mcc = {"mcc": {"value": value, "bootstrap": asdict(ends)}}
        return {"threshold": self.threshold, "chosen": self.chosen, **self.counts, **measures, **mcc}


@dataclass(frozen=True, eq=False)
class ScoreMeasurement:
    """One score: its curve, AUC, partial AUC, operating points and calibration; None where one is undefined."""

    name: str
    ranking: Ranking
    curve: Curve | None
    auc: float | None
    delong: Spread | None
    clustered: Spread | None
    auc_ends: Bootstrapped
    partial_auc: float | None
    corrected: float | None
    partial_ends: tuple[Bootstrapped, Bootstrapped]
    points: tuple[Point, ...]
    calibration: Calibration | None
    brier_ends: Bootstrapped
    band: tuple[Floats, Floats]

    def as_dict(self, max_fpr: float) -> dict[str, Any]:
        """Return plain values for JSON."""
        raw_ends, corrected_ends = self.partial_ends
        return {
            "auc": {
                "value": self.auc,
                "delong": None if self.delong is None else asdict(self.delong),
                "clustered": None if self.clustered is None else asdict(self.clustered),
                "bootstrap": asdict(self.auc_ends),
            },
            "partial_auc": {
                "max_fpr": max_fpr,
                "raw": {"value": self.partial_auc, "bootstrap": asdict(raw_ends)},
                "corrected": {"value": self.corrected, "bootstrap": asdict(corrected_ends)},
            },
            "operating_points": {point.name: point.as_dict() for point in self.points},
            "calibration": self._calibration(),
            "curve": self._curve(),
        }

    def _calibration(self) -> dict[str, Any] | None:
        if self.calibration is None:
            return None
        return {
            "bins": [asdict(part) for part in self.calibration.bins],
            "ece": self.calibration.expected_error,
            "brier": {"value": self.calibration.brier, "bootstrap": asdict(self.brier_ends)}
            | asdict(self.calibration.decomposition),
        }

    def _curve(self) -> dict[str, Any] | None:
        """Return the corners of the curve and its band; the first threshold is above every score, so None."""
        if self.curve is None:
            return None
        low, high = ([None if np.isnan(end) else float(end) for end in ends] for ends in self.band)
        return {
            "threshold": [None, *self.curve.threshold[1:].tolist()],
            "fpr": self.curve.fpr.tolist(),
            "tpr": self.curve.tpr.tolist(),
            "band": {"fpr": GRID.tolist(), "low": low, "high": high},
        }


@dataclass(frozen=True)
class Comparison:
    """The AUC of the first score minus that of the second, on the same cases, and so the raw partial AUC."""

    delong: Difference
    clustered: Difference | None
    bootstrap: Bootstrapped
    partial_auc: float
    partial_ends: Bootstrapped

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            "delong": asdict(self.delong),
            "clustered": None if self.clustered is None else asdict(self.clustered),
            "bootstrap": asdict(self.bootstrap),
            "partial_auc": {"value": self.partial_auc, "bootstrap": asdict(self.partial_ends)},
        }


@dataclass(frozen=True, eq=False)
class Measurement:
    """One or two scores of a cohort, and their comparison where there are two and both have an AUC."""

    cohort: Cohort
    settings: Settings
    scores: tuple[ScoreMeasurement, ...]
    comparison: Comparison | None
    resampled: Resampled

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        positives = int(self.cohort.positive.sum())
        return {
            "counts": {
                "cases": len(self.cohort.positive),
                "positive": positives,
                "negative": len(self.cohort.positive) - positives,
                "patients": self.cohort.patients,
            },
            "scores": {found.name: found.as_dict(self.settings.max_fpr) for found in self.scores},
            "comparison": None if self.comparison is None else self.comparison.as_dict(),
            "bootstrap": {
                "resamples": self.resampled.drawn,
                "skipped": self.resampled.skipped,
                "seed": self.resampled.seed,
                "unit": "patient",
            },
        }


def measure(
    cohort: Cohort, settings: Settings, elsewhere: Mapping[str, Sequence[float | None]] | None = None
) -> Measurement:
    """Measure one or two scores of a cohort.

    ``elsewhere`` are, by score, the thresholds that the choices gave on other cases; without it they are chosen here,
    and chosen anew in every resample. Raises HakkenError when there is no case or a score is not finite.
    """
    rankings = {name: rank(cohort.positive, score) for name, score in cohort.scores.items()}
    plans = {name: _thresholds(ranking, settings, elsewhere, name) for name, ranking in rankings.items()}
    resampled = _resampled(cohort, settings, rankings, plans)
    plain = clustered = None
    if all(ranking.reason is None for ranking in rankings.values()):
        stacked = np.array(list(cohort.scores.values()))
        plain = areas(cohort.positive, stacked)
        clustered = areas(cohort.positive, stacked, cohort.patient) if cohort.clustered else None
    work = _Work(cohort, settings, rankings, plans, resampled, plain, clustered)
    found = tuple(_measured(work, name) for name in rankings)
    return Measurement(cohort, settings, found, _compared(work), resampled)


@dataclass(frozen=True)
class _Threshold:
    name: str
    threshold: float | None
    chosen: Chosen
    choice: Choice | None


@dataclass(frozen=True, eq=False)
class _Work:
    """What the parts of a measurement share; ``plain`` and ``clustered`` hold the AUCs in the order of the scores."""

    cohort: Cohort
    settings: Settings
    rankings: Mapping[str, Ranking]
    plans: Mapping[str, Sequence[_Threshold]]
    resampled: Resampled
    plain: Areas | None
    clustered: Areas | None

    def spread(self, found: Areas | None, name: str) -> Spread | None:
        """Return the intervals of the AUC of a score, None where it has none."""
        number = list(self.rankings).index(name)
        return None if found is None else spread(float(found.auc[number]), float(found.covariance[number, number]))


def _thresholds(
    ranking: Ranking, settings: Settings, elsewhere: Mapping[str, Sequence[float | None]] | None, name: str
) -> list[_Threshold]:
    """Return the operating points of a score: the choices in their order, then the fixed thresholds."""
    found: list[_Threshold] = []
    for number, choice in enumerate(settings.choices):
        if elsewhere is not None:
            found.append(_Threshold(choice.name, elsewhere[name][number], "elsewhere", None))
        else:
            found.append(_Threshold(choice.name, choose(ranking, choice), "here", choice))
    return found + [_Threshold(f"threshold {value:g}", value, "given", None) for value in settings.thresholds]


def _resampled(
    cohort: Cohort, settings: Settings, rankings: Mapping[str, Ranking], plans: Mapping[str, Sequence[_Threshold]]
) -> Resampled:
    """Return the measures of every score in the same resamples, each name begun with that of its score."""
    if any(ranking.reason is not None for ranking in rankings.values()):
        return Resampled({}, 0, 0, settings.seed)
    rows: dict[str, Rows] = {}
    for name, ranking in rankings.items():
        points = {plan.name: plan.choice or plan.threshold for plan in plans[name]}
        fixed = {key: point for key, point in points.items() if point is not None}
        rows[name] = Rows(ranking, cohort.positive, cohort.patient, settings.max_fpr, fixed)
    none = np.zeros(len(cohort.positive))  # of a score that is no probability, and may be too large to be squared
    errors = np.array([(score - cohort.positive) ** 2 if defined(score) else none for score in cohort.scores.values()])
    sums = per_patient(cohort.patient, np.vstack([errors, np.ones(len(cohort.patient))]).T)

    def measured(counts: Counts) -> dict[str, Floats]:
        found = {f"{name} {key}": values for name, row in rows.items() for key, values in row(counts).items()}
        totals = counts @ sums
        briers = totals[:, :-1] / totals[:, -1:]
        return found | {f"{name} brier": briers[:, number] for number, name in enumerate(rows)}

    return over_patients(cohort.patient, settings.resamples, settings.seed, measured, next(iter(rows.values())).usable)


def _measured(work: _Work, name: str) -> ScoreMeasurement:
    ranking, resampled, most = work.rankings[name], work.resampled, work.settings.max_fpr
    score = work.cohort.scores[name]
    value, part = auc(ranking), partial_auc(ranking, most)
    on_scale = None if part is None else float(corrected(part, most))
    replicates = resampled.values.get(f"{name} partial_auc", np.empty(0))
    rescaled = replace(resampled, values={"corrected": corrected(replicates, most)})
    calibration = calibrate(work.cohort.positive, score, work.settings.bins) if defined(score) else None
    return ScoreMeasurement(
        name=name,
        ranking=ranking,
        curve=None if ranking.reason is not None else roc(ranking),
        auc=value,
        delong=work.spread(work.plain, name),
        clustered=work.spread(work.clustered, name),
        auc_ends=bootstrapped(value, resampled, f"{name} auc"),
        partial_auc=part,
        corrected=on_scale,
        partial_ends=(
            bootstrapped(part, resampled, f"{name} partial_auc"),
            bootstrapped(on_scale, rescaled, "corrected"),
        ),
        points=tuple(_point(ranking, plan, resampled, name) for plan in work.plans[name]),
        calibration=calibration,
        brier_ends=bootstrapped(None if calibration is None else calibration.brier, resampled, f"{name} brier"),
        band=band(resampled.values.get(f"{name} band", np.empty((0, len(GRID))))),
    )


def _point(ranking: Ranking, plan: _Threshold, resampled: Resampled, name: str) -> Point:
    """Return what a threshold gives; without one every number is undefined."""
    if plan.threshold is None:
        undefined = (None, Bootstrapped(None, None))
        nothing = {measure: (share(0, 0), undefined[1]) for measure in MEASURES}
        return Point(plan.name, None, plan.chosen, dict.fromkeys(("tp", "fp", "tn", "fn")), nothing, undefined)
    place = ranking.place(plan.threshold)
    tp, fp = int(ranking.tp[place]), int(ranking.fp[place])
    fn, tn = ranking.positives - tp, ranking.negatives - fp
    shares = (share(tp, tp + fn), share(tn, tn + fp), share(tp, tp + fp), share(tn, tn + fn))
    measures = {
        measure: (part, bootstrapped(part.value, resampled, f"{name} {plan.name} {measure}"))
        for measure, part in zip(MEASURES, (*shares, share(tp + tn, tp + fp + tn + fn)), strict=True)
    }
    counts = {"tp": tp, "fp": fp, "tn": tn, "fn": fn}
    matrix = float(rows_mcc(np.array([[tp, fn], [fp, tn]])))
    mcc = None if np.isnan(matrix) else matrix
    ends = bootstrapped(mcc, resampled, f"{name} {plan.name} mcc")
    return Point(plan.name, plan.threshold, plan.chosen, counts, measures, (mcc, ends))


def _compared(work: _Work) -> Comparison | None:
    names = list(work.rankings)
    if work.plain is None or len(names) < 2:
        return None
    parts = [partial_auc(ranking, work.settings.max_fpr) or 0.0 for ranking in work.rankings.values()]
    found, part = difference(work.plain), parts[0] - parts[1]
    gaps = replace(work.resampled, values={key: _gap(work.resampled, names, key) for key in ("auc", "partial_auc")})
    return Comparison(
        delong=found,
        clustered=None if work.clustered is None else difference(work.clustered),
        bootstrap=bootstrapped(found.value, gaps, "auc"),
        partial_auc=part,
        partial_ends=bootstrapped(part, gaps, "partial_auc"),
    )


def _gap(resampled: Resampled, names: Sequence[str], measure: str) -> Floats:
    """Return how much the first score exceeds the second in each resample (R,)."""
    first, second = (resampled.values.get(f"{name} {measure}", np.empty(0)) for name in names)
    return first - second
