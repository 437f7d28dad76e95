"""Figure `sizes`: mean Dice against multiply-adds, one U-Net for all sizes beside one for each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from hakken.core.errors import HakkenError
from hakken.core.names import spoken
from hakken.core.seeds import derive_seed
from hakken.core.tables import read_table
from hakken.evaluation.findings import Cases, Floats, Ints
from hakken.evaluation.segmentation import Mean, paired_difference
from hakken.figures import Drawing, Files, Table, by_model, cells
from hakken.figures._words import published
from hakken.methods.unet.sizes import Size
from hakken.plots.sizes import Baseline, Family, SizePoint, SizesInput, draw_sizes, short_number
from hakken.plots.style import interval_text
from hakken.runs.measurement import read_measurement, table_of
from hakken.runs.table import DEFAULT, SELECTED, runs_of_set
from hakken.study import Study

INPUTS = {"measurements": "measurements/test/{model}", "costs": "unet/costs.csv"}
CAPTION = (
    "Mean Dice on the test set against multiply-adds: one network for all sizes, networks trained at one size alone, "
    "and the baselines."
)
VARIED = "parameters.sizes"
"""Variants that change a key of this section are trained at other sizes, of which each is drawn beside them all."""

COST = ("parameters", "multiply_adds", "peak_bytes", "latency_ms", "device", "shape")
COLUMNS = (
    *("model", "size", "dice", "low", "high", "cases", "undefined"),
    *("above_baseline", "above_baseline_low", "above_baseline_high"),
    *("above_apart", "above_apart_low", "above_apart_high"),
    *COST,
)
MIB = 2**20
IN_A_LINE = 3
"""Differences that fit into one line below the figure."""

Costs = Mapping[tuple[str, str], Mapping[str, str]]


@dataclass(frozen=True, eq=False)
class _Model:
    """The Dice (n,) of each case by mask of one model, NaN where undefined, and the ids and patients of the cases.

    ``means`` are those over the cases, as they were measured.
    """

    name: str
    case_ids: tuple[str, ...]
    patients: tuple[str, ...]
    dice: Mapping[str, Floats]
    means: Mapping[str, Mean]

    @classmethod
    def read(cls, folder: Path) -> _Model:
        """Return what was measured of a model."""
        table = table_of(folder, "masks", "cases", ("case_id", "patient", "mask", "dice"))
        names, values = np.array(table.cells["mask"]), table.numbers("dice", empty=True)
        first = names == names[0]
        case_ids, patients = (np.array(table.cells[column])[first].tolist() for column in ("case_id", "patient"))
        masks = dict.fromkeys(names.tolist())
        measured = read_measurement(folder).outcomes["masks"].details["masks"]
        means = {name: Mean(**measured[name]["dice"]) for name in masks}
        return cls(
            folder.name, tuple(case_ids), tuple(patients), {name: values[names == name] for name in masks}, means
        )

    @cached_property
    def patient(self) -> Ints:
        """The number of each case's patient (n,)."""
        named = [patient or case_id for patient, case_id in zip(self.patients, self.case_ids, strict=True)]
        return Cases.of(list(self.case_ids), named).patient_index


@dataclass(frozen=True, eq=False)
class _Comparison:
    """The models of a study by name, those trained at sizes of their own, its baselines, and what sizes cost."""

    study: Study
    models: Mapping[str, _Model]
    costs: Costs

    @property
    def once(self) -> str:
        """The untuned model of all sizes: the default, or the selected one where there was no search."""
        return DEFAULT if DEFAULT in self.models else SELECTED

    @cached_property
    def apart(self) -> list[str]:
        """The models that were trained at sizes of their own, the costliest first."""
        runs = {run.kind: run for name in self.study.variants for run in runs_of_set(self.study, name)}
        found = [name for name, run in runs.items() if any(key.startswith(VARIED) for key in run.overrides)]
        found = [name for name in found if name in self.models]
        return sorted(found, key=lambda name: -max(self.multiply_adds(name, size) for size in self.models[name].dice))

    @property
    def baselines(self) -> list[str]:
        """The baselines that give masks."""
        return [name for name in self.study.baselines if name in self.models]

    def cost(self, model: str, size: str) -> Mapping[str, str]:
        """Return what a size costs; raises HakkenError where it was not measured."""
        if (model, size) not in self.costs:
            raise HakkenError(
                f"unet/costs.csv: holds no size `{size}` of the model `{model}`; delete it to measure again"
            )
        return self.costs[model, size]

    def multiply_adds(self, model: str, size: str) -> float:
        """Return the multiply-adds of a size."""
        return float(self.cost(model, size)["multiply_adds"])

    def mean(self, model: str, size: str) -> Mean:
        """Return the mean Dice of a model's masks of one size."""
        return self.models[model].means[size]

    def above_baseline(self, model: str, size: str) -> Mean | None:
        """Return by how much a size is above the first baseline; None where there is none."""
        names = [name for name in self.baselines if name != model]
        return self._above(model, size, self.models[names[0]], None) if names and model not in self.baselines else None

    def above_apart(self, model: str, size: str) -> Mean | None:
        """Return by how much a size of the untuned model is above the one trained at it alone; None without one."""
        rivals = [name for name in self.apart if list(self.models[name].dice) == [size]]
        return self._above(model, size, self.models[rivals[0]], size) if rivals and model == self.once else None

    def _above(self, model: str, size: str, other: _Model, mask: str | None) -> Mean:
        """Return the mean difference to a mask, the first by default, of another model of the same cases."""
        own = self.models[model]
        if own.case_ids != other.case_ids:
            raise HakkenError(f"{model} and {other.name} were measured on different cases; delete their measurements")
        rival = next(iter(other.dice.values())) if mask is None else other.dice[mask]
        return paired_difference(own.dice[size], rival, own.patient, *self._resampling)

    @property
    def _resampling(self) -> tuple[int, int]:
        return self.study.evaluation.bootstrap, derive_seed(self.study.seed, "bootstrap")


def draw(study: Study, files: Files) -> Drawing:
    """Draw each size of the untuned and the selected model, of those trained at one size, and the baselines."""
    folders = by_model(files.all("measurements"))
    models = {name: _Model.read(folder) for name, folder in folders.items() if (folder / "masks.cases.csv").is_file()}
    one = _Comparison(study, models, _costs(files.one("costs")))
    families = [
        ("once", "trained once, at all sizes", [one.once]),
        ("tuned", "trained once, tuned", [SELECTED] if one.once != SELECTED else []),
        ("apart", "trained apart, equal budgets", one.apart),
    ]
    given = SizesInput(
        families=tuple(Family(role, label, tuple(_points(one, names))) for role, label, names in families if names),
        baselines=tuple(_baseline(one, name) for name in one.baselines),
        notes=tuple(_notes(study, one)),
        origin=files.origin,
    )
    shown = [name for _, _, names in families for name in names]
    rows = [_row(one, name, size) for name in (*shown, *one.baselines) for size in models[name].dice]
    words = f"{sum(len(family.points) for family in given.families)} sizes"
    return Drawing(draw_sizes(given), Table(COLUMNS, cells(rows)), words)


def _costs(path: Path) -> Costs:
    """Return what each size costs, by model and by the words of the size, which its mask is named by."""
    rows = read_table(path, ("model", "levels", "features", *COST)).records()
    return {(row["model"], Size(int(row["levels"]), float(row["features"])).words): row for row in rows}


def _points(one: _Comparison, names: Sequence[str]) -> Iterator[SizePoint]:
    for name in names:
        for size in one.models[name].dice:
            mean, cost = one.mean(name, size), one.cost(name, size)
            yield SizePoint(
                label=size,
                multiply_adds=one.multiply_adds(name, size),
                dice=mean.value,
                low=mean.low,
                high=mean.high,
                cells=(
                    _cell(one.above_baseline(name, size)),
                    short_number(float(cost["parameters"])),
                    short_number(float(cost["multiply_adds"])),
                    f"{float(cost['peak_bytes']) / MIB:.2g} MB",
                    f"{float(cost['latency_ms']):.2g} ms",
                ),
            )


def _baseline(one: _Comparison, name: str) -> Baseline:
    mean = one.mean(name, next(iter(one.models[name].dice)))
    return Baseline(spoken(name), mean.value, mean.low, mean.high)


def _cell(mean: Mean | None) -> str:
    return "" if mean is None else interval_text(mean.value, mean.low, mean.high)


def _row(one: _Comparison, name: str, size: str) -> tuple[Any, ...]:
    """Return a size as the table has it; what has learnt nothing has no cost."""
    mean = one.mean(name, size)
    cost = {} if name in one.baselines else one.cost(name, size)
    differences = [one.above_baseline(name, size), one.above_apart(name, size)]
    return (
        *(name, size, mean.value, mean.low, mean.high, mean.cases, mean.undefined),
        *(end for gain in differences for end in ((gain.value, gain.low, gain.high) if gain else (None,) * 3)),
        *(cost.get(column) for column in COST),
    )


def _notes(study: Study, one: _Comparison) -> Iterator[str]:
    """Yield the lines on intervals, the comparison with networks trained apart, and the publication."""
    shown = next(iter(one.costs.values()), None)
    where = (
        ""
        if shown is None
        else f" Memory and latency: one image of {shown['shape']} on {shown['device']}, weights included."
    )
    yield f"Brackets and bars: 95 %, patients resampled; differences are paired by case.{where}"
    gains = {size: one.above_apart(one.once, size) for size in one.models[one.once].dice}
    known = [f"{size} {_cell(gain)}" for size, gain in gains.items() if gain is not None]
    yield from _compared(known)
    yield from published(study)


def _compared(known: Sequence[str]) -> Iterator[str]:
    """Yield the differences between one network and those trained apart, a few in a line.

    >>> list(_compared(["5 levels 0.10", "4 levels 0.20", "3 levels 0.00", "2 levels -0.10"]))[1]
    'And: 2 levels -0.10.'
    """
    for number in range(0, len(known), IN_A_LINE):
        said = "And" if number else "Trained once less trained apart"
        yield f"{said}: {'; '.join(known[number : number + IN_A_LINE])}."
