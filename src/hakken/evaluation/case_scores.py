"""Cases instead of lesions: each is abnormal or not, and has one score, that of its highest candidate.

After Sato et al., Proc. SPIE 10575 (2018): the anomaly of a case is the highest among its patches.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from hakken.evaluation.findings import Cases, Flags, Floats
from hakken.evaluation.roc import Choice, Kind, auc, choose, rank
from hakken.evaluation.roc_measure import Cohort, Measurement, Settings, measure
from hakken.evaluation.roc_warnings import warnings

NAME = "score"


@dataclass(frozen=True, eq=False)
class CaseScores:
    """Whether each case is abnormal (n,), and its score (n,)."""

    cases: Cases
    abnormal: Flags
    score: Floats

    @property
    def cohort(self) -> Cohort:
        """The same as ROC analysis takes it."""
        return Cohort(self.abnormal, self.cases.patient_index, {NAME: self.score})


def area(scored: CaseScores) -> float | None:
    """Return the AUC of the cases, None where all are normal or all abnormal."""
    return auc(rank(scored.abnormal, scored.score))


def choice_of(rule: str) -> Choice:
    """Return the choice that a rule spells: `youden`, `sensitivity:0.9` or `specificity:0.9`.

    >>> choice_of("sensitivity:0.9")
    Choice(kind='sensitivity', level=0.9)
    """
    word, _, level = rule.partition(":")
    kinds: dict[str, Kind] = {"youden": "youden", "sensitivity": "sensitivity", "specificity": "specificity"}
    return Choice(kinds[word], float(level) if level else None)


def choose_threshold(scored: CaseScores, rule: str) -> float | None:
    """Return the threshold that the cases give by a rule; None where they are all normal or all abnormal."""
    return choose(rank(scored.abnormal, scored.score), choice_of(rule))


@dataclass(frozen=True, eq=False)
class CaseMeasurement:
    """The ROC of the cases and their operating point, by which rule and where that was chosen."""

    scored: CaseScores
    rule: str
    measured: Measurement

    @property
    def warnings(self) -> list[str]:
        """A sentence for each value that is undefined, optimistic or weakly founded."""
        # Errors of reconstruction are no probabilities, so nobody misses their calibration.
        return [line for line in warnings(self.measured) if "calibration is null" not in line]

    @property
    def threshold(self) -> float | None:
        """The score at and above which a case is called abnormal."""
        return self.measured.scores[0].points[0].threshold

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for JSON: counts, AUC, operating point, curve, bootstrap."""
        found = self.measured.as_dict()
        score = found["scores"][NAME]
        (point,) = score["operating_points"].values()
        counts = found["counts"]
        return {
            "counts": {
                "cases": counts["cases"],
                "abnormal": counts["positive"],
                "normal": counts["negative"],
                "patients": counts["patients"],
            },
            "auc": score["auc"],
            "operating_point": {"rule": self.rule} | point,
            "curve": score["curve"],
            "bootstrap": found["bootstrap"],
        }


def measure_cases(
    scored: CaseScores, rule: str, *, resamples: int, seed: int, threshold: float | None = None
) -> CaseMeasurement:
    """Measure the ROC of the cases with 95 % intervals: DeLong's, Wilson's, and percentiles over patients.

    A ``threshold`` that was chosen on other cases is applied as it is; without it one is chosen here by the ``rule``,
    and anew in every resample.
    """
    settings = Settings(choices=(choice_of(rule),), resamples=resamples, seed=seed)
    elsewhere: Mapping[str, list[float | None]] | None = None if threshold is None else {NAME: [threshold]}
    return CaseMeasurement(scored, rule, measure(scored.cohort, settings, elsewhere))
