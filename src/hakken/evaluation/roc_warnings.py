"""What a reader must know about a measurement before believing it: one sentence for each weakness."""

from __future__ import annotations

from collections.abc import Iterator

from hakken.evaluation.caution import of_few
from hakken.evaluation.proportions import Share
from hakken.evaluation.resampling import Bootstrapped
from hakken.evaluation.roc_measure import Measurement, Point, ScoreMeasurement


def warnings(measurement: Measurement) -> list[str]:
    """Return a sentence for every value that is undefined, optimistic or weakly founded."""
    lines = list(_cohort(measurement))
    for found in measurement.scores:
        lines += _score(found)
    lines += _thresholds(measurement)
    lines += _comparison(measurement)
    return lines


def _cohort(measurement: Measurement) -> Iterator[str]:
    cohort, resampled = measurement.cohort, measurement.resampled
    reason = measurement.scores[0].ranking.reason
    if reason is not None:
        yield f"AUC, partial AUC, curve and their intervals are null: {reason}"
        return
    if cohort.clustered:
        yield (
            f"{len(cohort.positive)} cases of {cohort.patients} patients: DeLong's, Wilson's and Clopper-Pearson's "
            "intervals take the cases as independent and are too narrow where those of a patient are alike; "
            "`clustered` and `bootstrap` do not"
        )
    if cohort.patients < 2:
        yield "one patient: there is no bootstrap over patients, so its intervals are null"
    yield from of_few(cohort.patients)
    if resampled.skipped:
        yield f"{resampled.skipped} of {resampled.drawn} resamples held one class only and were skipped"


def _score(found: ScoreMeasurement) -> Iterator[str]:
    name = found.name
    if found.delong is not None and found.delong.se is None:
        yield f"{name}: the variance of the AUC is null, a class with one case has none"
    elif found.delong is not None and found.delong.se == 0:
        yield f"{name}: {_no_width(found)}"
    if found.clustered is not None and found.clustered.se is None:
        yield f"{name}: the clustered variance is null, it needs two patients with cases of each class"
    if found.auc is not None and found.auc < 0.5:
        yield f"{name}: the AUC is below 0.5; higher scores must speak for label 1, and the direction is never flipped"
    if found.calibration is None:
        yield f"{name}: calibration is null, scores lie outside [0, 1]"
    for point in found.points:
        if point.threshold is None and found.ranking.reason is None:
            yield f"{name}, {point.name}: null, no finite threshold {_unreached(point)}"
        for measure, (part, ends) in point.measures.items():
            yield from _measure(f"{name}, {point.name}: {measure}", point, part, ends)


def _no_width(found: ScoreMeasurement) -> str:
    if found.auc == 1:
        how = "every positive case scores above every negative one"
    elif found.auc == 0:
        how = "every positive case scores below every negative one"
    else:
        how = "all cases have the same score"
    return f"{how}, so DeLong's and the bootstrap interval have no width, which does not mean that the AUC is certain"


def _unreached(point: Point) -> str:
    if point.chosen == "elsewhere":
        return "was found on the other table"
    return "keeps that specificity"


def _measure(name: str, point: Point, part: Share, ends: Bootstrapped) -> Iterator[str]:
    if point.threshold is not None and part.value is None:
        yield f"{name} is null, it would divide by 0"
    if ends.undefined:
        yield f"{name} is undefined in {ends.undefined} resamples, which its bootstrap interval leaves out"


def _thresholds(measurement: Measurement) -> Iterator[str]:
    names = dict.fromkeys(
        point.name
        for found in measurement.scores
        for point in found.points
        if point.chosen == "here" and point.threshold is not None
    )
    if names:
        yield (
            f"thresholds chosen on the same cases that they are reported on ({', '.join(names)}): sensitivity and "
            "specificity are optimistic; they should be chosen on other cases (`hakken roc --threshold-from`)"
        )


def _comparison(measurement: Measurement) -> Iterator[str]:
    found = measurement.comparison
    if found is not None and found.delong.p is None:
        yield "comparison: z and p are null, the difference of the AUCs has no variance on these cases"
