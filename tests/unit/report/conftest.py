"""The files of a finished study."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from hakken.report.seal import append_opening
from hakken.study import Study

EMPTY = {"value": None, "low": None, "high": None}


def estimate(value: float) -> dict[str, float]:
    return {"value": value, "low": value - 0.1, "high": value + 0.1}


def evaluation(level: float) -> dict[str, Any]:
    """A measurement with sensitivities level, level + 0.1 and undefined, and a partial AUC of level + 0.05."""
    return {
        "sensitivity_at": {"1": estimate(level), "3": estimate(level + 0.1), "8.4": EMPTY},
        "partial_auc": estimate(level + 0.05),
        "counts": {"cases": 10, "lesions": 23},
    }


@pytest.fixture
def study() -> Study:
    """A study of two searched parameters."""
    content: dict[str, Any] = {
        "name": "example",
        "title": "Lesions & <others>",
        "description": "An example.",
        "data": "phantom",
        "scale": "tiny",
        "seed": 1,
        "published": {"citation": "A, 2017", "system": "a network", "result": "70 % at 8.4"},
        "cohort": {"table": "cases.csv"},
        "channels": {"T1": {"modality": "mr"}},
        "reference": "T1",
        "search": {
            "space": {
                "learning_rate": {"type": "real", "low": 0.001, "high": 0.1},
                "growth": {"type": "real", "low": 1, "high": 2},
            }
        },
        "figures": ["froc", "search"],
    }
    return Study.model_validate(content)


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """A results folder with everything that the report reads."""
    folder = tmp_path / "results" / "example" / "tiny"
    best = {"number": 7, "objective": 0.612345, "parameters": {"learning_rate": 0.0123456}}
    files = {
        "selected.json": {
            "models": {"selected": best, "default": best | {"number": 0, "objective": 0.4}},
            "trials": {"complete": 11, "failed": 1},
            "gpu_seconds": 7200,
        },
        "freeze.json": {"hashes": {"study": "5tudy", "case_table": "7able", "code": {"trial": "c0de"}}},
        "evaluation/validation/optimism.json": {
            "models": 11,
            "optimism": 0.05,
            "corrected": {"value": 0.562345, "low": 0.45, "high": 0.65},
            "again": 0.4,
            "resamples": 1000,
        },
        "evaluation/validation/selected.json": evaluation(0.7),
        "evaluation/validation/default.json": evaluation(0.5),
        "evaluation/test/selected.json": evaluation(0.6),
        "evaluation/test/default.json": evaluation(0.4),
    }
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(content))
    opening = append_opening(folder / "openings.jsonl", "f", {"selected": "aa"})
    (folder / "test").mkdir()
    (folder / "test" / "opening.json").write_text(json.dumps(opening))
    for job, (seconds, cpu, rss) in {"a": (10, 1800, 512), "b": (20, 5400, 1024.4)}.items():
        path = folder / "logs" / "trial" / f"{job}.cost.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps({"seconds": seconds, "cpu_seconds": cpu, "peak_mb": rss}))
    return folder
