"""A finished study, gathered from its files for the summary and the report."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hakken.files import read_json
from hakken.report.cost import JobCost, StageCost, by_stage, read_jobs
from hakken.report.seal import require_opening
from hakken.study import Study

Interval = dict[str, Any]


@dataclass(frozen=True)
class StudyResult:
    """Everything that the report says; the nested mappings are the files' own."""

    study: Study
    folder: Path
    selection: dict[str, Any]
    optimism: dict[str, Any]
    freeze: dict[str, Any]
    evaluations: dict[tuple[str, str], dict[str, Any]]  # by (part, model)
    openings: list[dict[str, Any]]
    jobs: tuple[JobCost, ...]

    @property
    def costs(self) -> tuple[StageCost, ...]:
        """What each stage has cost."""
        return by_stage(self.jobs)

    @property
    def trials(self) -> int:
        """Number of trials of the search, failed ones included."""
        return int(sum(self.selection["trials"].values()))

    @property
    def cpu_hours(self) -> float:
        """CPU-hours of all finished jobs, with those of their unfinished attempts."""
        return sum(cost.cpu_hours for cost in self.costs)

    @property
    def gpu_hours(self) -> float:
        """GPU-hours of the trainings."""
        return float(self.selection["gpu_seconds"]) / 3600

    @property
    def peak_mb(self) -> float:
        """Largest resident memory of a job in MB."""
        return max((cost.peak_mb for cost in self.costs), default=0.0)


def gather(study: Study, folder: Path) -> StudyResult:
    """Read the files of a finished study from its results ``folder``.

    Raises HakkenError naming a missing file, or the ledger of test openings when it was tampered with.
    """
    return StudyResult(
        study=study,
        folder=folder,
        selection=read_json(folder / "selected.json"),
        optimism=read_json(folder / "evaluation" / "validation" / "optimism.json"),
        freeze=read_json(folder / "freeze.json"),
        evaluations={
            (part, model): read_json(folder / "evaluation" / part / f"{model}.json")
            for part in ("validation", "test")
            for model in ("selected", "default")
        },
        openings=require_opening(folder / "openings.jsonl", read_json(folder / "test" / "opening.json")),
        jobs=read_jobs(folder / "logs"),
    )


def with_interval(entry: Interval | None, digits: int = 2) -> str:
    """Return `0.71 [0.62, 0.80]`, without the interval where there is none, or `undefined`."""
    if entry is None or entry.get("value") is None:
        return "undefined"
    value = f"{entry['value']:.{digits}f}"
    if entry.get("low") is None or entry.get("high") is None:
        return value
    return f"{value} [{entry['low']:.{digits}f}, {entry['high']:.{digits}f}]"


def plain(value: Any) -> str:
    """Return a parameter's value as people write it: four significant digits for a real number."""
    return f"{value:.4g}" if isinstance(value, float) else str(value)
