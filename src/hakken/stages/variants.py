"""Stage `variants`: the variants of a set beside each other, what their factors matter, and paired differences."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from hakken import plugins
from hakken.core.console import log, progress
from hakken.core.tables import write_table
from hakken.evaluation.caution import Caution, lines
from hakken.outcomes import cautioned, in_order
from hakken.report.variants import (
    Cell,
    anova_of,
    cell_rows,
    contrasts,
    folder_of,
    held_part,
    label_of,
    observations,
    table_columns,
)
from hakken.runs.cases import read_cases
from hakken.runs.predictions import part_of, read_predictions
from hakken.runs.shown import require_predicted
from hakken.runs.table import Run
from hakken.runs.trials import read_trial
from hakken.seal.freeze import write_sealed
from hakken.stages import stage
from hakken.study import Study


@stage
def variants(
    *,
    study: Study,
    name: str,
    runs: list[Run],
    cases: list[Path],
    output: Path,
    table: Path,
    trials: list[Path] = [],  # noqa: B006 - never changed
    predictions: list[Path] = [],  # noqa: B006
) -> None:
    """Write the ``table`` of all ``runs`` of the set ``name`` and what follows from them as JSON.

    ``trials`` are the records of runs that held out a fold each, ``predictions`` the folders of models that were
    measured on one part. Each combination of levels is measured on all ``cases`` together; on the same resamples of
    their patients the differences between levels are paired. What the factors matter is an analysis of variance of the
    folds.
    """
    for folder in predictions:
        require_predicted(folder)
    known = in_order(read_cases(cases))
    records = [read_trial(path) for path in trials]
    cells = _of_folds(study, runs, records, known) if records else _of_models(study, runs, predictions, known)
    complete = [cell for cell in cells if cell.found is not None]
    outcome = study.objective
    module, whole = plugins.load("outcomes", outcome), part_of(study, outcome, known)
    own = {label_of(run): run.study(study) for run in runs}
    measured = [cautioned(module.measure(cell.found, replace(whole, study=own[cell.label]))) for cell in complete]
    replicates = module.replicates([cell.found for cell in complete], whole, whole.seed) if complete else None
    seen, factors = observations(study, outcome, runs, records, known), _factors(runs)
    first = measured[0].objective if measured else None
    tests = anova_of(seen, first.name if first else "")
    warnings = [f"{cell.label}: {cell.failed} of {cell.folds} trainings failed" for cell in cells if cell.failed]
    warnings += lines(
        [Caution(cell.label, text) for cell, one in zip(complete, measured, strict=True) for text in one.said]
    )
    if tests:
        warnings.append("anova: folds share training cases, so they are not quite independent and p is too small")
    write_table(table, table_columns(seen), cell_rows(seen))
    write_sealed(
        output,
        {
            "study": study.name,
            "scale": study.scale,
            "set": name,
            "factors": factors,
            "cells": [cell.as_dict() | one.as_dict() for cell, one in zip(complete, measured, strict=True)],
            "differences": contrasts(complete, replicates, factors) if replicates is not None else [],
            "anova": tests,
            "warnings": warnings,
        },
    )
    for line in warnings:
        log(f"warning: {line}")
    progress(f"{name}: {len(complete)} of {len(cells)} combinations" + _best(complete, measured))


def _factors(runs: list[Run]) -> dict[str, list[str]]:
    """Return the levels of each factor, in the order of the study."""
    factors = dict.fromkeys(factor for run in runs for factor in run.levels)
    return {factor: list(dict.fromkeys(run.levels[factor] for run in runs if run.levels)) for factor in factors}


def _of_models(study: Study, runs: list[Run], predictions: list[Path], cases: Any) -> list[Cell]:
    """Return a cell for each model."""
    outcome = study.objective
    part = part_of(study, outcome, cases)
    of_model = {run.kind: run for run in runs}  # with folds, several runs make the models of one combination
    return [
        Cell(label_of(run), dict(run.levels), read_predictions(folder, outcome, part), 0, 1)
        for run, folder in zip(of_model.values(), predictions, strict=True)
    ]


def _of_folds(study: Study, runs: list[Run], records: list[dict[str, Any]], cases: Any) -> list[Cell]:
    """Return a cell for each combination of levels, what the models of all its folds say put together."""
    outcome = study.objective
    by_label: dict[str, tuple[Run, list[dict[str, Any]]]] = {}
    for run, record in zip(runs, records, strict=True):
        by_label.setdefault(label_of(run), (run, []))[1].append(record)
    cells = []
    for label, (run, own) in by_label.items():
        done = [record for record in own if record["state"] == "complete"]
        found: dict[str, Any] = {}
        for record in done:
            found |= read_predictions(folder_of(record), outcome, held_part(study, outcome, record, cases))
        whole = found if len(done) == len(own) else None
        cells.append(Cell(label, dict(run.levels), whole, len(own) - len(done), len(own)))
    return cells


def _best(cells: list[Cell], measured: list[Any]) -> str:
    pairs = [
        (one.objective, cell.label) for cell, one in zip(cells, measured, strict=True) if one.objective is not None
    ]
    if not pairs:
        return ""
    row, label = max(pairs, key=lambda pair: pair[0].value if pair[0].value is not None else float("-inf"))
    return f"; best {label}, {row.name} {row.cell}"
