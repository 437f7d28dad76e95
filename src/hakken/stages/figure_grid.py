"""Stage `figure_grid`: networks under misregistration, beside chance, the linear baseline and published readers."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from hakken.core.console import progress
from hakken.core.errors import HakkenError
from hakken.plots.grid import GridInput, LineInput, PanelInput, PointInput, draw_grid
from hakken.plots.publish import publish
from hakken.plots.style import Origin
from hakken.core.files import read_json
from hakken.report.figure import provenance
from hakken.report.seal import read_openings
from hakken.stages import stage
from hakken.study import Study
from hakken.training.grid_plan import NONE, SCRATCH

Entry = Mapping[str, Any]
WIDTH = 150


@stage
def figure_grid(*, study: Study, grid: Path, table: Path, openings: Path, code: str, output: list[Path]) -> None:
    """Draw the result of the grid (JSON). Raises HakkenError where no cell is complete."""
    found, opened = read_json(grid), len(read_openings(openings))
    if not found["conditions"]:
        raise HakkenError(f"{grid}: no cell of the grid is complete; see logs/grid_cell/")
    kinds = [name for name in found["anova"] if any(entry["kind"] == name for entry in found["conditions"])]
    given = GridInput(
        panels=tuple(_panel(found, kind) for kind in kinds or [NONE]),
        levels=tuple(_levels(found)),
        notes=tuple(textwrap.wrap(_note(study, found), WIDTH)),
        origin=Origin(study.title or study.name, study.scale, study.data, opened),
    )
    facts = provenance(study, figure="grid", inputs=[grid, table], code=code, openings=opened)
    publish(draw_grid(given), output, facts)
    progress("; ".join(f"{panel.kind}: {panel.words.splitlines()[0]}" for panel in given.panels))


def _panel(found: Entry, kind: str) -> PanelInput:
    chosen = [entry for entry in found["conditions"] if entry["kind"] in (NONE, kind)]
    networks = list(dict.fromkeys(entry["network"] for entry in chosen))
    lines = []
    for network in networks:
        own = sorted((entry for entry in chosen if entry["network"] == network), key=lambda entry: entry["amount"])
        start = "random" if own[0]["start"].startswith("random") else "ImageNet"
        lines.append(LineInput(network.removesuffix(SCRATCH), start, tuple(map(_point, own))))
    return PanelInput("registered" if kind == NONE else kind, tuple(lines), _words(found["anova"].get(kind)))


def _point(entry: Entry) -> PointInput:
    ends = entry["accuracy"]
    folds = tuple(fold["accuracy"] for fold in entry["folds"])
    return PointInput(float(entry["amount"]), ends["value"], ends["low"], ends["high"], folds)


def _words(test: Entry | None) -> str:
    """Return the p of each effect, one a line."""
    if test is None or test["type_ii"] is None:
        return "no analysis of variance"
    names = {"network": "network", "amount": "misregistration", "network:amount": "interaction"}
    rows = [f"{names.get(row['effect'], row['effect'])}: {_p(row['p'])}" for row in test["type_ii"]]
    return "\n".join(rows)


def _p(value: float | None) -> str:
    if value is None:
        return "p undefined"
    return "p < 0.001" if value < 0.001 else f"p = {value:.3f}"


def _levels(found: Entry) -> Sequence[tuple[str, float, bool]]:
    """Return the horizontal lines: what was measured here, and what was published."""
    chance, baseline = found["chance"]["accuracy"], found["baseline"]["accuracy"]["value"]
    here = [
        (f"most frequent class {100 * chance:.1f} %\nchance, {found['data']}", chance, True),
        (f"mean intensities, linear {100 * baseline:.1f} %\nbaseline, {found['data']}", baseline, True),
    ]
    readers = [
        (f"{name} {100 * value:.1f} %\npublished, clinical images", value, False)
        for name, value in found["readers"].items()
    ]
    return [*here, *readers]


def _note(study: Study, found: Entry) -> str:
    folds = study.grid.folds if study.grid else 0
    failed = sum(entry["failed"] for entry in found["conditions"])
    lacking = f" {failed} trainings failed and are left out." if failed else ""
    amounts = " Amounts are a reconstruction." if study.grid and study.grid.provenance == "reconstruction" else ""
    return (
        f"Points: {folds}-fold cross-validation by patient on the development cases, 95 % intervals over resampled "
        f"patients; dots: folds. p: two-way analysis of variance of the folds' accuracies, Type II.{amounts} The "
        f"readers saw clinical images: their lines are no comparison.{lacking}"
    )
