"""Figure `training_effects`: what the training does to error and bias, a block for each set of variants."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from hakken.core.errors import HakkenError
from hakken.core.tables import Cell
from hakken.figures import Drawing, Files, Table, by_model
from hakken.figures._strata_of_numbers import FIFTHS, OUTCOME, Strata, panels
from hakken.figures._words import titled, varied
from hakken.outcomes.numbers import STRATA, Settings
from hakken.plots.levels import RowInput, draw_levels
from hakken.runs.table import runs_of_set
from hakken.study import Study

INPUTS = {"models": "measurements/test/{model}"}
CAPTION = (
    "RMSE and bias on the test set of models that were trained on other data or with other settings, in shares of the "
    "SD of the truth, with 95 % intervals from resampled patients."
)
NOTES = ("In shares of the SD of the truth; 95 % intervals, patients resampled; all else as in the untuned default.",)


def draw(study: Study, files: Files) -> Drawing:
    """Draw RMSE and bias of each variant by level of the test, or by fifths of the truth where there are no levels."""
    folders = by_model(files.all("models"))
    rows: list[RowInput] = []
    cells: list[tuple[Cell, ...]] = []
    for name in study.variants:
        models = _models(study, name, folders)
        rows += _rows(study, name, models)
        cells += _cells(name, models)
    if not rows:
        raise HakkenError("no set of `variants` is measured on the test set; give one `part: test`")
    table = Table(("set", "variant", *STRATA), tuple(cells))
    return Drawing(draw_levels(rows, NOTES, files.origin), table, f"{len(rows) // 2} sets of variants")


def _models(study: Study, name: str, folders: Mapping[str, Path]) -> list[Strata]:
    """Return what was measured of each variant of a set on test; none of a set that is not measured there."""
    runs = {run.kind: run for run in runs_of_set(study, name)}
    return [Strata.of(varied(run), folders[kind]) for kind, run in runs.items() if kind in folders]


def _rows(study: Study, name: str, models: Sequence[Strata]) -> Iterator[RowInput]:
    if not models:
        return
    settings = study.outcomes[OUTCOME]
    assert isinstance(settings, Settings)
    levels, axis = models[0].levels, f"{settings.label(settings.by or '')} of the test"
    places = [(level, "0") for level in levels] or [("", fifth) for fifth in FIFTHS]
    shown = levels or FIFTHS
    for measure, words, straight in (("rmse", "RMSE / SD", None), ("bias", "Bias / SD", 0.0)):
        heading = f"{titled(name)}: {words.split(' / ')[0]}"
        ticks = axis if levels else "fifth of the true values"
        yield RowInput(heading, words, ticks, shown, panels(models, study, measure, places), straight)


def _cells(name: str, models: Sequence[Strata]) -> Iterator[tuple[Cell, ...]]:
    for model in models:
        rows: Any = zip(*(model.table.cells[column] for column in STRATA), strict=True)
        yield from ((name, model.label, *row) for row in rows)
