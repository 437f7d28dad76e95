"""Stage `measure`: what one model says of one part, measured."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from hakken import plugins
from hakken.cohort.table import read_table
from hakken.core.console import log, progress
from hakken.core.errors import HakkenError
from hakken.core.files import read_json
from hakken.imaging.cases import digest_of
from hakken.imaging.doubts import doubts_of
from hakken.outcomes import Measured, Part, cautioned, in_order
from hakken.runs.cases import NO_CASE, read_cases
from hakken.runs.measurement import FILE, Measurement, write_measurement
from hakken.runs.predictions import manifest_digest, part_of, read_predictions, verified
from hakken.runs.required import Kinds, require_cases
from hakken.seal.freeze import read_freeze
from hakken.seal.guard import require_opened
from hakken.seal.measured import note
from hakken.seal.openings import Opening
from hakken.seal.predicted import record
from hakken.seal.sketch import sketch_of_cases
from hakken.stages import stage
from hakken.study import Study

TEST = "test"
Said = Mapping[str, Mapping[str, Any]]
"""What is said of all cases of the part: by outcome, then by case id."""


@stage
def measure(
    *,
    study: Study,
    predictions: Path,
    model: str,
    part: str,
    output: Path,
    cases: list[Path] = [],  # noqa: B006 - never changed
    folds: dict[str, int] | None = None,
    points: Path | None = None,
    table: Path | None = None,
    freeze: Path | None = None,
    opening: Path | None = None,
    ledger: Path | None = None,
) -> None:
    """Measure all outcomes of the folder ``predictions`` and write them into the folder ``output``.

    ``points`` is the freeze file or, where each case has a fold in ``folds``, the measurement on validation: the
    operating points stand there; without it they are chosen here. ``table`` is the case table, whose columns some
    outcomes group by. Of the test set ``freeze``, ``opening`` and ``ledger`` say what was opened; other predictions
    than those that were measured first are counted as another opening. Raises HakkenError naming a prediction that
    cannot be used.
    """
    known = in_order(_with_columns(read_cases(cases), table, study)) or [NO_CASE]
    names = [name for name in study.outcomes if name in verified(predictions)["outcomes"]]
    if study.cohort.kind != "none":
        kinds = {part: Kinds.of(case.abnormal for case in known)}
        if problems := require_cases(study, kinds, names):
            raise HakkenError(str(problems[0]))
    found = {name: read_predictions(predictions, name, part_of(study, name, known, points={})) for name in names}
    belongs: Opening | None = None
    if part == TEST and freeze is not None and opening is not None and ledger is not None:
        opened = require_opened(ledger, opening, freeze)
        belongs = record(ledger, opening.parent.parent, opened, model, sketch_of_cases(_sealed(known, found)))
    number = None if folds is None else np.array([folds[case.case_id] for case in known], np.int64)
    frozen = _frozen(points, model, number)
    each = [] if number is None else list(_of_folds(study, found, known, frozen=frozen, folds=number))
    whole = frozen or (_thresholds(each, number) if number is not None else {})
    outcomes = _measured(study, found, known, points=whole, folds=number)
    objective = study.objective if study.objective in outcomes else next(iter(outcomes))
    hashes = {"predictions": manifest_digest(predictions)}
    outcomes = {name: _on_one_scale(one, [fold[name] for fold in each]) for name, one in outcomes.items()}
    measured = Measurement(study.name, study.scale, model, part, objective, outcomes, tuple(each), hashes)
    write_measurement(output, measured)
    if belongs is not None and ledger is not None:
        note(ledger, output.parents[2], belongs, model, output / FILE)
    progress(f"{model} on {part}: {_counted(measured.main)}{_main(measured.main)}")
    for line in measured.warnings:
        log(f"warning: {line}")


def _with_columns(cases: Any, table: Path | None, study: Study) -> Any:
    """Return cases with the columns of the case table as they stand there now: a further one redoes no preparation."""
    if table is None:
        return cases
    rows = read_table(table, study, files_exist=False)
    return [
        replace(case, columns={**rows.case(case.case_id).columns, **getattr(case, "presence", {})}) for case in cases
    ]


def _sealed(cases: Any, said: Said) -> dict[str, Any]:
    """Return what is said of each case and what is true of it, by what the case is known by.

    Several cases of the same pixels are told apart by their number.
    """
    seen: Counter[str] = Counter()
    keyed = {}
    for case in cases:
        seen[digest := digest_of(case)] += 1
        own = {name: found[case.case_id] for name, found in said.items()}
        keyed[f"{digest} {seen[digest]}"] = {"truth": _truth(case)} | own
    return keyed


def _truth(case: Any) -> Any:
    """Return what is known to be true of a case: its findings, their labels, its regions, its class."""
    labels = [case.labels()] if getattr(case, "has_truth", False) else []
    regions = [case.regions()] if getattr(case, "has_regions", False) else []
    return [getattr(case, "lesions", ()), *labels, *regions, case.label or ""]


def _of_folds(
    study: Study, said: Said, cases: Any, *, frozen: Mapping[str, Any], folds: Any
) -> Iterator[dict[str, Measured]]:
    """Yield what is measured of each fold by itself."""
    for fold in np.unique(folds).tolist():
        own = [case for case, number in zip(cases, folds, strict=True) if number == fold]
        points = {name: float(values[folds == fold][0]) for name, values in frozen.items()}
        yield _measured(study, said, own, points=points)


def _measured(
    study: Study,
    said: Said,
    cases: Any,
    *,
    points: Mapping[str, Any],
    folds: Any = None,
) -> dict[str, Measured]:
    """Return what is measured of each outcome; the operating point of one may be asked for by the next."""
    found: dict[str, Measured] = {}
    known = dict(points)
    for name in sorted(said, key=lambda name: name != study.objective):
        part: Part = part_of(study, name, cases, points=known, folds=folds)
        own = {case_id: said[name][case_id] for case_id in part.case_ids}
        measured = cautioned(plugins.load("outcomes", name).measure(own, part))
        found[name] = replace(measured, warnings=(*measured.warnings, *doubts_of(part.cases)))
        point = found[name].point
        if point is not None and name not in known and point.get("threshold") is not None:
            known[name] = float(point["threshold"])
    lacking = {f"without {name}": sum(name in case.missing for case in cases) for name in study.optional}
    return {name: replace(found[name], counts={**found[name].counts, **lacking}) for name in said}


def _on_one_scale(whole: Measured, folds: list[Measured]) -> Measured:
    """Return what was measured of all folds together, with a warning where it is not between those of the folds."""
    row = whole.objective
    known = [one.objective.value for one in folds if one.objective is not None and one.objective.value is not None]
    if row is None or row.value is None or not known or min(known) <= row.value <= max(known):
        return whole
    warning = (
        f"{row.name} of all folds together, {row.value:.{row.digits}f}, is outside of what the single folds reach, "
        f"{min(known):.{row.digits}f} to {max(known):.{row.digits}f}: scores of their models are not on one scale"
    )
    return replace(whole, warnings=(*whole.warnings, warning))


def _frozen(points: Path | None, model: str, folds: Any) -> dict[str, Any]:
    """Return the thresholds by outcome: one, or one for each case where there are folds; none without a file."""
    if points is None:
        return {}
    if points.is_dir():
        return {name: values[folds] for name, values in _of_each_fold(points).items()}
    sealed = read_freeze(points)["models"]
    if model not in sealed:
        raise HakkenError(f"{points}: holds no model `{model}`, only {', '.join(sealed)}")
    return {
        name: float(point["threshold"])
        for name, point in sealed[model]["points"].items()
        if point.get("threshold") is not None
    }


def _of_each_fold(measurement: Path) -> dict[str, Any]:
    """Return the threshold that each fold has chosen on validation (folds,), by outcome.

    Raises HakkenError where one fold has none although others have.
    """
    folds = read_json(measurement / FILE)["folds"]
    by_fold = [{name: (one["point"] or {}).get("threshold") for name, one in fold.items()} for fold in folds]
    names = sorted({name for fold in by_fold for name, threshold in fold.items() if threshold is not None})
    for name in names:
        lacking = [number for number, fold in enumerate(by_fold) if fold[name] is None]
        if lacking:
            raise HakkenError(
                f"{measurement}: fold {lacking[0]} has no operating point for {name}: the cases that it chooses on are "
                "all of one kind, or nothing is found in them; lower evaluation.folds"
            )
    return {name: np.array([fold[name] for fold in by_fold], float) for name in names}


def _thresholds(each: list[dict[str, Measured]], folds: Any) -> dict[str, Any]:
    """Return for each case the threshold that its fold has chosen, by outcome."""
    points = [{name: one.point for name, one in fold.items() if one.point is not None} for fold in each]
    names = [name for name in points[0] if all(point[name].get("threshold") is not None for point in points)]
    order = np.unique(folds, return_inverse=True)[1]
    return {name: np.array([float(point[name]["threshold"]) for point in points])[order] for name in names}


def _counted(measured: Measured) -> str:
    return ", ".join(f"{count} {what}" for what, count in measured.counts.items())


def _main(measured: Measured) -> str:
    return f", {measured.objective.name} {measured.objective.cell}" if measured.objective else ""
