"""What summary and report print of candidates, and what warns of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from hakken.evaluation.caution import NO_WIDTH, has_no_width, lines
from hakken.evaluation.measure import Measurement, at_rate
from hakken.outcomes import Row

PRECISION, PICAI = "average precision", "PI-CAI score"


def sensitivity_at(rate: float) -> str:
    """Return the name of the sensitivity at so many false positives per case."""
    return f"sensitivity at {rate:g} FP/case"


def area_to(maximum_fp: float) -> str:
    """Return the name of the partial AUC."""
    return f"partial AUC to {maximum_fp:g} FP/case"


def rows_of(measurement: Measurement) -> Iterator[Row]:
    """Yield the sensitivities, the partial AUC, the average precision and, where there is one, the PI-CAI score."""
    settings = measurement.settings
    for rate, (one, ends) in zip(settings.at, measurement.sensitivity_at.values(), strict=True):
        warning = measurement.about(at_rate(rate))
        yield Row(sensitivity_at(rate), one.value, ends.low, ends.high, digits=2, warning=warning)
    named = {
        area_to(settings.maximum_fp): measurement.partial_auc,
        PRECISION: measurement.average_precision["step"],
        PICAI: measurement.picai,
    }
    for name, found in named.items():
        if found is not measurement.picai or found.value is not None:
            yield Row(name, found.value, found.low, found.high)


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
