"""Stage `grid_table`: the cells of the grid in tables, what matters by analysis of variance, and what it is beside."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from hakken.console import log, progress
from hakken.evaluation.classification import Classified, measure_classes
from hakken.files import sha256_file, write_json
from hakken.patches.crop_store import CropStore
from hakken.report.grid import (
    COLUMNS,
    OBSERVATIONS,
    Record,
    cell_rows,
    complete,
    condition_entry,
    difference,
    estimates,
    observation_rows,
    observations,
    over_conditions,
    pooled,
    read_cells,
    transfer_pairs,
    variance,
)
from hakken.report.tables import write_rows
from hakken.seeds import derive_seed
from hakken.stages import stage
from hakken.study import Study
from hakken.training.grid_plan import NONE, conditions_of, networks_of
from hakken.training.linear import linear_probabilities

MOVED = "moved"


@stage
def grid_table(*, study: Study, cells: list[Path], crops: Path, folder: Path, table: Path, output: Path) -> None:
    """Write the ``table`` of all ``cells``, observations for `hakken anova` into ``folder``, and the result as JSON.

    ``folder`` receives a table for each kind of misregistration, its cells and those that were not moved, and
    `moved.csv` with all that were moved. The JSON holds each network under each condition, the linear baseline on the
    same folds, the differences between them, and the analyses of variance.
    """
    assert study.grid is not None
    records = read_cells(cells)
    write_rows(table, COLUMNS, cell_rows(records))
    baseline = _linear(CropStore.load(crops), study.cohort.classes)
    kinds = list(study.grid.misregistration.by_kind)
    tests = {}
    for name in (*kinds, MOVED):
        chosen = observations(records, None if name == MOVED else name)
        path = folder / f"{name}.csv"
        write_rows(path, OBSERVATIONS, observation_rows(chosen))
        factors = ("network", "kind", "level") if name == MOVED else ("network", "amount")
        tests[name] = asdict(variance(chosen, factors, path.name))
    result = {
        "study": study.name,
        "scale": study.scale,
        "data": study.data,
        "classes": list(study.cohort.classes),
        **_measured(study, records, baseline),
        "anova": tests,
        "warnings": list(_warnings(records, tests)),
        "hashes": {"cells": sha256_file(table), "crops": sha256_file(crops)},
    }
    write_json(output, result)
    for warning in result["warnings"]:
        log(f"warning: {warning}")
    progress(_said(result, records))


Pooled = tuple[list[int], Classified]


def _linear(store: CropStore, classes: tuple[str, ...]) -> Pooled:
    probability = linear_probabilities(store, len(classes))
    return list(range(len(store.truth))), Classified(classes, store.truth, store.patient.tolist(), probability)


def _measured(study: Study, records: Sequence[Record], baseline: Pooled) -> dict[str, Any]:
    """Return each network under each condition, the baseline, and the differences without misregistration."""
    assert study.grid is not None
    classes, seed = study.cohort.classes, derive_seed(study.seed, "bootstrap")
    resamples = study.evaluation.bootstrap
    entries, still = [], {}
    for network in networks_of(study.grid):
        for condition in conditions_of(study.grid):
            level = (network, condition.kind, condition.level)
            own = [cell for cell in records if (cell["network"], cell["kind"], cell["level"]) == level]
            entry = condition_entry(own, classes, resamples=resamples, seed=seed)
            if entry is not None:
                entries.append(entry)
            if entry is not None and condition.kind == NONE:
                still[network] = pooled(own, classes)
    known = {name: found for name, found in still.items() if found is not None}
    measured = measure_classes(baseline[1], resamples=resamples, seed=seed)
    return {
        "chance": {"accuracy": baseline[1].most_frequent, "balanced_accuracy": 1 / len(classes)},
        "baseline": {"name": "linear classifier of mean intensities", **estimates(measured)},
        "readers": study.grid.readers,
        "conditions": entries,
        "against_baseline": {
            name: difference(found, baseline, resamples=resamples, seed=seed) for name, found in known.items()
        },
        "transfer": {
            name: difference(known[name], known[scratch], resamples=resamples, seed=seed)
            | {"over_conditions": over_conditions(records, name, scratch, resamples=resamples, seed=seed)}
            for name, scratch in transfer_pairs(list(known))
        },
    }


def _warnings(records: Sequence[Record], tests: dict[str, Any]) -> list[str]:
    lines = [
        f"cell {cell['network']}, {cell['kind']} {cell['amount']:g}, fold {cell['fold']}: {cell['reason']}"
        for cell in records
        if cell["state"] != "complete"
    ]
    lines += [f"anova of {name}: {test['reason']}" for name, test in tests.items() if test["reason"]]
    lines.append("anova: folds share training cases, so their accuracies are not quite independent and p is too small")
    return lines


def _said(result: dict[str, Any], records: Sequence[Record]) -> str:
    """Return the grid in one line: the best network without misregistration, beside the baseline."""
    still = [entry for entry in result["conditions"] if entry["kind"] == NONE]
    line = f"{len(complete(records))} of {len(records)} cells"
    if not still:
        return f"{line}; no network was trained without misregistration"
    best = max(still, key=lambda entry: float(entry["accuracy"]["value"]))
    return (
        f"{line}; best without misregistration {best['network']}, accuracy {best['accuracy']['value']:.3f} "
        f"[{best['accuracy']['low']:.3f}, {best['accuracy']['high']:.3f}], linear "
        f"{result['baseline']['accuracy']['value']:.3f}, most frequent class {result['chance']['accuracy']:.3f}"
    )
