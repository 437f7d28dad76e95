"""What an earlier run of a study at a scale has cost, to tell from it what the next one will."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hakken.core.files import read_json
from hakken.report.cost import TRAININGS, StageCost, read_costs


def earlier_run(results: Path, study: str, scale: str) -> Path | None:
    """Return the results folder of this study at this scale, None where it has no timings; no other's would fit."""
    folder = results / study / scale
    return folder if (folder / "logs").is_dir() else None


def earlier_costs(folder: Path) -> tuple[tuple[StageCost, ...], float | None]:
    """Return the costs of an earlier run and the mean GPU-seconds of its trainings, None where it used no GPU.

    A job of a search with rungs counts as one: it has the steps of a full training.
    """
    trials = _trainings(folder)
    seconds = [float(trial["gpu_seconds"]) for trial in trials]
    return read_costs(folder / "logs"), sum(seconds) / len(seconds) if any(seconds) else None


def longest_training(folder: Path) -> float | None:
    """Return the seconds of the longest training of an earlier run, None where it has none."""
    return max((float(trial["seconds"]) for trial in _trainings(folder) if "seconds" in trial), default=None)


def _trainings(folder: Path) -> list[dict[str, Any]]:
    """Return the files of all trials, and of all jobs of searches with rungs."""
    paths = sorted(path for name in TRAININGS.values() for path in folder.glob(f"sweeps/*/{name}/*.json"))
    return [read_json(path) for path in paths]
