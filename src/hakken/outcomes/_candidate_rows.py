"""What summary and report print of candidates, and what warns of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from hakken.core.names import counted
from hakken.core.tables import Cell
from hakken.evaluation.caution import NO_WIDTH, has_no_width, lines
from hakken.evaluation.findings import Floats
from hakken.evaluation.froc import CPM_AT, FrocCurve
from hakken.evaluation.measure import Measurement, at_rate, curve_band
from hakken.outcomes import Row

PRECISION, PICAI, CPM = "average precision", "PI-CAI score", "CPM"


def averages(rates: Sequence[float]) -> bool:
    """Return whether the CPM is the mean of the sensitivities at these false positives per case.

    >>> averages((0.125, 0.25, 0.5, 1, 2, 4, 8)), averages((1, 2))
    (True, False)
    """
    return sorted(rates) == list(CPM_AT)


def sensitivity_at(rate: float) -> str:
    """Return the name of the sensitivity at so many false positives per case."""
    return f"sensitivity at {rate:g} FP/case"


def area_to(maximum_fp: float) -> str:
    """Return the name of the partial AUC."""
    return f"partial AUC to {maximum_fp:g} FP/case"


def rows_of(measurement: Measurement) -> Iterator[Row]:
    """Yield the sensitivities, the partial AUC, the CPM where it is their mean, and further means of the ranking.

    Those are the average precision and, where there is one, the PI-CAI score.
    """
    settings = measurement.settings
    for rate, (one, ends) in zip(settings.at, measurement.sensitivity_at.values(), strict=True):
        warning = measurement.about(at_rate(rate))
        yield Row(sensitivity_at(rate), one.value, ends.low, ends.high, digits=2, warning=warning)
    named = {
        area_to(settings.maximum_fp): measurement.partial_auc,
        **({CPM: measurement.cpm} if averages(settings.at) else {}),
        PRECISION: measurement.average_precision["step"],
        PICAI: measurement.picai,
    }
    for name, found in named.items():
        if found is not measurement.picai or found.value is not None:
            yield Row(name, found.value, found.low, found.high)


def cut_off(scores: Mapping[str, Floats], most: int | None, curve: FrocCurve, maximum_fp: float) -> Iterator[str]:
    """Yield a line where cases have as many candidates as they may, and the curve would need more of them.

    ``scores`` are those of the candidates of each case, ``most`` is `inference.maximum_candidates`. A case is told
    whose weakest candidate lies above the threshold at which the curve reaches ``maximum_fp``, or that is full where
    the curve ends before: what else it would have is missing from the partial AUC.
    """
    if most is None or not len(curve.threshold):
        return
    within = curve.threshold[curve.fp_per_case <= maximum_fp]
    last = -np.inf if curve.fp_per_case[-1] < maximum_fp else float(within.min())
    full = [name for name, of_case in scores.items() if len(of_case) >= most and float(of_case.min()) > last]
    if full:
        named = ", ".join(full[:3]) + (f" and {len(full) - 3} more" if len(full) > 3 else "")
        yield (
            f"{counted(len(full), 'case')} ({named}) with as many candidates as `inference.maximum_candidates` allows "
            f"({most}), all above the threshold of {maximum_fp:g} FP/case: weaker ones are missing from the curve; "
            "raise it"
        )


def warnings_of(measurement: Measurement, at: Mapping[str, Any], threshold: Any) -> Iterator[str]:
    """Yield what warns of all numbers and of those that are no row.

    ``at`` is what the ``threshold`` gives. Intervals without a width are seen to by `hakken.outcomes.cautioned`.
    """
    rows = {at_rate(rate) for rate in measurement.settings.at}
    yield from lines(one for one in measurement.cautions if one.about not in rows and one.text != NO_WIDTH)
    if threshold is None:
        yield "no operating point: there is no lesion or no candidate"
    rate = at.get("fp_per_case", {})
    if has_no_width(*(rate.get(end) for end in ("value", "low", "high"))):
        yield f"false positives per case at the operating point: {NO_WIDTH}"


def intervals_of(unit: str) -> str:
    """Return what the brackets of the rows are, by what was resampled."""
    return "95 % intervals, patients resampled" if unit == "patient" else "95 % intervals within the one patient"


def curve_rows(measurement: Measurement) -> Iterator[tuple[Cell, ...]]:
    """Yield the points of the curve with its band."""
    curve = measurement.curve
    columns = (curve.threshold, curve.fp_per_case, curve.sensitivity, *curve_band(measurement))
    return zip(*(column.tolist() for column in columns), strict=True)
