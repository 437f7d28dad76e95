"""Stage `figure_strata`: sensitivity at the operating point by lesion diameter and by group of cases."""

from __future__ import annotations

import math
from pathlib import Path

from hakken.core.console import progress
from hakken.plots.publish import publish
from hakken.plots.strata import StrataInput, StratumInput, draw_strata
from hakken.plots.style import Origin
from hakken.core.files import read_json
from hakken.report.figure import provenance
from hakken.report.seal import read_openings
from hakken.report.tables import numbers, read_rows
from hakken.stages import stage
from hakken.study import Study

COUNTS = ("cases", "lesions", "found")
SHARES = ("sensitivity", "wilson_low", "wilson_high")
INTERVALS = "Intervals: 95 % Wilson score, lesions divided by the design effect of patients (Rao and Scott 1992)."


@stage
def figure_strata(
    *, study: Study, evaluation: Path, strata: Path, table: Path, openings: Path, code: str, output: list[Path]
) -> None:
    """Draw the table of ``strata`` that belongs to the measurement ``evaluation``."""
    opened = len(read_openings(openings))
    measured = read_json(evaluation)
    given = StrataInput(
        strata=_strata(strata),
        heading=_heading(study, measured["part"], measured["operating_point"]["threshold"]),
        intervals=INTERVALS,
        origin=Origin(study.title or study.name, study.scale, study.data, opened),
    )
    facts = provenance(study, figure="strata", inputs=[evaluation, strata, table], code=code, openings=opened)
    publish(draw_strata(given), output, facts)
    progress(f"{len(given.strata)} strata")


def _strata(path: Path) -> tuple[StratumInput, ...]:
    rows = read_rows(path, ("group", "stratum", *COUNTS, *SHARES, "fp_per_case"))
    cases, lesions, found = (numbers(path, rows, column).astype(int).tolist() for column in COUNTS)
    shares, lows, highs = (numbers(path, rows, column).tolist() for column in SHARES)
    false = numbers(path, rows, "fp_per_case").tolist()
    return tuple(
        StratumInput(
            group=row["group"],
            name=row["stratum"],
            cases=cases[index],
            lesions=lesions[index],
            found=found[index],
            sensitivity=_known(shares[index]),
            low=_known(lows[index]),
            high=_known(highs[index]),
            fp_per_case=false[index],
        )
        for index, row in enumerate(rows)
    )


def _known(value: float) -> float | None:
    return None if math.isnan(value) else value


def _heading(study: Study, part: str, threshold: float | None) -> str:
    if threshold is None:
        return f"{part.capitalize()}: no operating point"
    rate = study.evaluation.operating_point
    return f"{part.capitalize()}, selected model, threshold {threshold:.3g} chosen on validation for {rate:g} FP/case"
