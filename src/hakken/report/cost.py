"""What a run has cost, from the benchmark files that the workflow leaves beside its results."""

from __future__ import annotations

import csv
import statistics
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class StageCost:
    """The finished jobs of one stage: wall-clock and CPU seconds of each, and the largest resident memory in MB."""

    stage: str
    seconds: tuple[float, ...]
    cpu_seconds: tuple[float, ...]
    peak_mb: float

    @property
    def jobs(self) -> int:
        """Number of finished jobs."""
        return len(self.seconds)

    @property
    def typical_seconds(self) -> float:
        """Median wall-clock seconds of a job."""
        return statistics.median(self.seconds)

    @property
    def typical_cpu_seconds(self) -> float:
        """Median CPU seconds of a job."""
        return statistics.median(self.cpu_seconds)


def read_costs(benchmarks: Path) -> tuple[StageCost, ...]:
    """Read `<stage>/<job>.tsv` below the folder ``benchmarks``; stages in the order of their names.

    Files that a killed run left empty are passed over.
    """
    costs = []
    for folder in sorted(path for path in benchmarks.glob("*") if path.is_dir()):
        rows = [row for path in sorted(folder.glob("*.tsv")) for row in _rows(path)]
        if rows:
            wall, cpu, memory = (tuple(_number(row.get(key)) for row in rows) for key in ("s", "cpu_time", "max_rss"))
            costs.append(StageCost(folder.name, wall, cpu, max(memory)))
    return tuple(costs)


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as stream:
        return [row for row in csv.DictReader(stream, delimiter="\t") if row.get("s")]


def _number(text: str | None) -> float:
    try:
        return float(text or 0)
    except ValueError:
        return 0.0
