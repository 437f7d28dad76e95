"""Stage `figure_baseline`: the FROC on test of the selected network and of the brightest components."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from hakken.core.console import progress
from hakken.plots.froc import CurveInput, FrocInput, Role, draw_froc
from hakken.plots.publish import publish
from hakken.plots.style import Origin, interval_text
from hakken.core.files import read_json
from hakken.report.figure import provenance
from hakken.report.seal import read_openings
from hakken.stages import stage
from hakken.study import Study


@stage
def figure_baseline(
    *, study: Study, baseline: Path, table: Path, openings: Path, code: str, output: list[Path]
) -> None:
    """Draw both curves of the comparison ``baseline`` (JSON of the stage of that name) and their differences."""
    measured = read_json(baseline)
    opened = len(read_openings(openings))
    most, gain = study.evaluation.maximum_fp, measured["difference"]["partial AUC"]
    given = FrocInput(
        curves=(_curve("test", "Selected", measured["model"]), _curve("default", "Brightest", measured["other"])),
        maximum_fp=most,
        table=_table(study, measured),
        operating=f"Partial AUC to {most:g} FP/case: the network is ahead by {_cell(gain, 3)} on the same resamples.",
        notes=(
            f"Baseline: {measured['baseline']}; the threshold is the best of "
            f"{len(measured['tried_on_validation'])} on validation.",
            "Moving along a curve raises the least maximum of a component; components stay those from "
            f"z {study.inference.threshold:g} or that threshold on.",
            f"Hit rule {measured['model']['rules']['hit']}; band, brackets: 95 %, patients resampled "
            f"{measured['model']['bootstrap']['resamples']} times.",
        ),
        origin=Origin(study.title or study.name, study.scale, study.data, opened),
    )
    facts = provenance(study, figure="baseline", inputs=[baseline, table], code=code, openings=opened)
    publish(draw_froc(given), output, facts)
    progress(given.operating)


def _curve(role: Role, label: str, measured: Mapping[str, Any]) -> CurveInput:
    curve = {name: np.array(values, float) for name, values in measured["curve"].items()}
    return CurveInput(role, label, curve["fp_per_case"], curve["sensitivity"], curve["low"], curve["high"])


def _table(study: Study, measured: Mapping[str, Any]) -> tuple[tuple[str, ...], ...]:
    """Return the rows of the table: sensitivities and partial AUC of both."""
    columns = [measured["model"], measured["other"]]
    rows: list[tuple[str, ...]] = [("Sensitivity at", "Selected", "Brightest")]
    for rate in study.evaluation.at:
        rows.append((f"{rate:g} FP/case", *(_cell(entry["sensitivity_at"][f"{rate:g}"]) for entry in columns)))
    rows.append((f"Partial AUC to {study.evaluation.maximum_fp:g}", *(_cell(one["partial_auc"]) for one in columns)))
    return tuple((name, *(cell.replace(" [", "\n[") for cell in cells)) for name, *cells in rows)


def _cell(entry: Mapping[str, Any], digits: int = 2) -> str:
    return interval_text(entry["value"], entry["low"], entry["high"], digits)
