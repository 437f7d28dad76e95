"""Stage `baseline`: the brightest components of the target channel, a detector that has learnt nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from hakken.console import progress
from hakken.evaluation.findings import Findings
from hakken.evaluation.froc import froc, partial_auc
from hakken.evaluation.matching import Matching, Rules, match_findings
from hakken.evaluation.measure import Measurement, Settings, curve_band, differences, measure
from hakken.files import sha256_file, write_json, write_text
from hakken.imaging.prepared import PreparedCase, prepared_cases
from hakken.inference.candidates import Candidates
from hakken.inference.components import components
from hakken.report.result import with_interval
from hakken.report.tables import cohort_of, read_candidates
from hakken.seeds import derive_seed
from hakken.stages import stage
from hakken.stages.calibrate import target_of
from hakken.study import Study
from hakken.tasks.detection import marks_of, table_of

SHARES = (0.05, 0.075, 0.1, 0.125, 0.15, 0.2, 0.25, 0.3)
"""The thresholds that are tried on validation, as shares of the target's window: SUV 1 to 6 of 0 to 20."""


@stage
def baseline(
    *,
    study: Study,
    validation: list[Path],
    prepared: list[Path],
    candidates: Path,
    output: Path,
    table: Path,
) -> None:
    """Write the baseline's candidates on test to ``table`` and how the model compares with it to ``output`` (JSON).

    Components of the target above a threshold are ranked by their maximum. The threshold with the highest partial AUC
    on the cases in the folders ``validation`` is taken; ``prepared`` are those of test, ``candidates`` what the model
    says of them. Both are measured on the same resamples of the patients, so the difference has an interval of its own.
    """
    known, cohort = _cohort(validation), _cohort(prepared)
    areas = [partial_auc(froc(_matched(study, known, share)), study.evaluation.maximum_fp) or 0.0 for share in SHARES]
    best = SHARES[int(np.argmax(areas))]
    write_text(table, table_of({case.case_id: _brightest(study, case, best) for case in cohort}, cohort))
    other = measure(_matched(study, cohort, best), _settings(study))
    cases, truth = cohort_of(cohort)
    findings = Findings(cases, truth, read_candidates(candidates, cases))
    own = measure(match_findings(findings, Rules(hit=study.evaluation.hit)), _settings(study))
    difference = {name: asdict(entry) for name, entry in differences(own, other).items()}
    what, level = _target(study), _in_units(study, best)
    write_json(
        output,
        {
            "study": study.name,
            "scale": study.scale,
            "baseline": f"components of {what} from {level:g} on, ranked by their maximum",
            "threshold": level,
            "tried_on_validation": {f"{_in_units(study, s):g}": area for s, area in zip(SHARES, areas, strict=True)},
            "model": _plain(own),
            "other": _plain(other),
            "difference": difference,
            "hashes": {"candidates": sha256_file(candidates), "baseline": sha256_file(table)},
        },
    )
    area, gain = with_interval(asdict(other.partial_auc), 3), with_interval(difference["partial AUC"], 3)
    progress(f"brightest {what} from {level:g} on: partial AUC {area}; the model is ahead by {gain}")


def _cohort(folders: Sequence[Path]) -> list[PreparedCase]:
    return sorted((case for folder in folders for case in prepared_cases(folder)), key=lambda case: case.case_id)


def _brightest(study: Study, case: PreparedCase, share: float) -> Candidates:
    return components(
        target_of(case, study),
        case.geometry,
        case.mask(),
        threshold=share,
        maximum=study.inference.maximum_candidates,
    )


def _matched(study: Study, cases: Sequence[PreparedCase], share: float) -> Matching:
    """Return how the components from ``share`` of the window on lie to the lesions."""
    known, truth = cohort_of(cases)
    marks = marks_of([_brightest(study, case, share) for case in cases], cases)
    return match_findings(Findings(known, truth, marks), Rules(hit=study.evaluation.hit))


def _settings(study: Study) -> Settings:
    chosen = study.evaluation
    return Settings(chosen.maximum_fp, chosen.at, resamples=chosen.bootstrap, seed=derive_seed(study.seed, "bootstrap"))


def _plain(measurement: Measurement) -> dict[str, Any]:
    """Return a measurement as plain values, with its curve and band."""
    curve, (low, high) = measurement.curve, curve_band(measurement)
    points = {"fp_per_case": curve.fp_per_case, "sensitivity": curve.sensitivity, "low": low, "high": high}
    listed = {name: [None if np.isnan(value) else float(value) for value in values] for name, values in points.items()}
    return measurement.as_dict() | {"curve": listed}


def _target(study: Study) -> str:
    return next(name for name in study.channels if name not in study.inputs)


def _in_units(study: Study, share: float) -> float:
    """Return a share of the target's window in the units of its images."""
    low, high = study.channels[_target(study)].range or (0.0, 1.0)
    return low + share * (high - low)
