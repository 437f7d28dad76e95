"""A finished study: what was measured, recorded and spent, as its stages write it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from hakken.cohort.parts import openings_folder
from hakken.outcomes import Measured, Row
from hakken.runs.measurement import FILE, Measurement, write_measurement
from hakken.seal.freeze import write_sealed
from hakken.seal.measured import note
from hakken.seal.openings import read_opening
from hakken.seal.receipts import OPENING
from hakken.study import Study
from hakken.study.reading import parse_study

from ..opened import open_results

BEST: dict[str, Any] = {"number": 7, "objective": 0.612345, "parameters": {"learning_rate": 0.0123456}}
TRIALS = {"complete": 11, "failed": 1}


def row(name: str, value: float, digits: int = 2) -> Row:
    return Row(name, value, value - 0.1, value + 0.1, digits)


def candidates(level: float, *warnings: str) -> Measured:
    """Sensitivities level, level + 0.1 and undefined, and a partial AUC of level + 0.05."""
    objective = row("partial AUC to 10 FP/case", level + 0.05, 3)
    at = (row("sensitivity at 1 FP/case", level), row("sensitivity at 3 FP/case", level + 0.1))
    undefined = Row("sensitivity at 8.4 FP/case", digits=2)
    return Measured(objective, (*at, undefined, objective), counts={"cases": 10, "lesions": 23}, warnings=warnings)


def write_measured(results: Path, study: Study, part: str, model: str, *outcomes: Measured, **more: Any) -> None:
    """Write what was measured of a model on a part: of candidates first, then of masks."""
    named = dict(zip(("candidates", "masks"), outcomes, strict=False))
    found = Measurement(study.name, study.scale, model, part, "candidates", named, **more)
    folder = results / "measurements" / part / model
    write_measurement(folder, found)
    if part == "test" and (results / OPENING).is_file():
        note(openings_folder(study), results, read_opening(results / OPENING), model, folder / FILE)


def write_record(results: Path, model: str, trial: dict[str, Any], gpu_seconds: float = 3600.0) -> None:
    path = results / "models" / f"{model}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    write_sealed(path, {"trial": trial, "trials": TRIALS, "gpu_seconds": gpu_seconds})


def write_cost(
    results: Path, job: str, inputs: tuple[str, ...] = (), outputs: tuple[str, ...] = (), **cost: Any
) -> None:
    """Write what a job has cost: an hour, unless something else is said."""
    path = results / "logs" / f"{job}.cost.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    hour = {"seconds": 3600, "cpu_seconds": 3600, "gpu_seconds": 0, "peak_mb": 1}
    path.write_text(json.dumps(hour | cost | {"files": {"inputs": inputs, "outputs": outputs}}))


def finished_study(openings: Path) -> Study:
    """Return a study of two searched parameters, whose ledger of openings is a folder."""
    content: dict[str, Any] = {
        "name": "example",
        "title": "Lesions & <others>",
        "description": "An example.",
        "data": "phantom",
        "seed": 1,
        "published": {"citation": "A, 2017", "system": "a network", "result": "70 % at 8.4"},
        "method": "patch_classifier",
        "cohort": {"table": "cases.csv", "openings": str(openings)},
        "channels": {"T1": {"modality": "mr"}},
        "search": {
            "space": {
                "learning_rate": {"type": "real", "low": 0.001, "high": 0.1},
                "growth": {"type": "real", "low": 1, "high": 2},
            }
        },
        "figures": ["froc", "search"],
        "baselines": ["brightest_components"],
    }
    return parse_study(content).model_copy(update={"scale": "tiny"})


def finish(study: Study, folder: Path) -> Path:
    """Write everything that the report reads into the results folder of the study, and return it."""
    write_record(folder, "selected", BEST)
    write_record(folder, "default", BEST | {"number": 0, "objective": 0.4})
    optimism = {"value": 0.562345, "low": 0.45, "high": 0.65}
    files = {
        "optimism.json": {
            "models": 11,
            "optimism": 0.05,
            "corrected": optimism,
            "again": 0.4,
            "resamples": 1000,
        },
    }
    for name, content in files.items():
        write_sealed(folder / name, content)
    open_results(folder, openings_folder(study))
    for part, model, level in (
        ("test", "brightest_components", 0.3),
        ("test", "default", 0.4),
        ("test", "selected", 0.6),
        ("validation", "default", 0.5),
        ("validation", "selected", 0.7),
    ):
        write_measured(folder, study, part, model, candidates(level))
    for job, (seconds, cpu, rss) in {"a": (10, 1800, 512), "b": (20, 5400, 1024.4)}.items():
        write_cost(folder, f"trial/{job}", seconds=seconds, cpu_seconds=cpu, peak_mb=rss)
    return folder
