"""Stage `size_table`: how well and at what cost each size segments, beside networks trained apart and the baseline."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from hakken.console import progress
from hakken.evaluation.findings import Cases, Ints
from hakken.evaluation.segmentation import Mean, mean_over_cases, paired_difference
from hakken.networks.unet import Size
from hakken.report.masks import Measured, read_measure
from hakken.report.tables import Cell, read_rows, write_rows
from hakken.seeds import derive_seed
from hakken.stages import stage
from hakken.stages.size_costs import COSTS
from hakken.study import Study
from hakken.training.sweep import APART, DEFAULT

BASELINE = "threshold"
COLUMNS = (
    *("model", "levels", "features", "dice", "low", "high", "cases", "undefined"),
    *("above_baseline", "above_baseline_low", "above_baseline_high"),
    *("above_apart", "above_apart_low", "above_apart_high"),
    *("parameters", "multiply_adds", "peak_mb", "latency_ms", "device", "shape"),
)
MIB = 2**20


@stage
def size_table(*, study: Study, tables: list[Path], costs: Path, output: Path) -> None:
    """Write a row for each size of each model: mean Dice, what it is above others by, and what it costs.

    ``tables`` are those of the cases of each model, named `<model>.masks.csv`, on one part. Differences are paired by
    case; `above_apart` compares a size of the untuned default with the network that was trained at it alone.
    """
    measured = {path.name.split(".")[0]: read_measure(path) for path in tables}
    known = {(row["model"], int(row["levels"]), float(row["features"])): row for row in read_rows(costs, COSTS)}
    compare = _Comparison(study, measured)
    rows = [
        (*compare.row(model, size), *_cost(known.get((model, size.levels, size.features))))
        for model, by_size in measured.items()
        for size in by_size
    ]
    write_rows(output, COLUMNS, rows)
    progress(f"{len(rows)} rows: {', '.join(measured)}")


@dataclass(frozen=True, eq=False)
class _Comparison:
    """The Dice of all cases by model and size."""

    study: Study
    measured: Mapping[str, Mapping[Size, Measured]]

    def row(self, model: str, size: Size) -> tuple[Cell, ...]:
        """Return model, size, mean Dice and differences."""
        own = self.measured[model][size]
        mean = self._mean(own)
        baseline = next(iter(self.measured.get(BASELINE, {}).values()), None) if model != BASELINE else None
        apart = self.measured.get(f"{APART}{size.levels}", {}).get(size) if model == DEFAULT else None
        return (
            *(model, size.levels, size.features, mean.value, mean.low, mean.high, mean.cases, mean.undefined),
            *self._above(own, baseline),
            *self._above(own, apart),
        )

    def _mean(self, own: Measured) -> Mean:
        return mean_over_cases(own.values, _patients(own), self.study.evaluation.bootstrap, self._seed)

    def _above(self, own: Measured, other: Measured | None) -> tuple[Cell, Cell, Cell]:
        """Return by how much a measurement is above another of the same cases, and the interval."""
        if other is None:
            return None, None, None
        values = own.aligned(other)
        resamples = self.study.evaluation.bootstrap
        found = paired_difference(own.values, values, _patients(own), resamples, self._seed)
        return found.value, found.low, found.high

    @property
    def _seed(self) -> int:
        return derive_seed(self.study.seed, "bootstrap")


def _patients(own: Measured) -> Ints:
    """Return the number of the patient of each case."""
    return Cases.of(own.cases, own.patients).patient_index


def _cost(row: Mapping[str, str] | None) -> tuple[Cell, ...]:
    """Return the cells of what a size costs, empty for what is no network."""
    if row is None:
        return ("",) * 6
    peak = float(row["peak_bytes"]) / MIB
    return row["parameters"], row["multiply_adds"], peak, row["latency_ms"], row["device"], row["shape"]
