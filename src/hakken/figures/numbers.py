"""Figure `numbers`: error and bias of each quantity on test, of the selected model and the baselines."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from hakken.core.names import spoken
from hakken.core.tables import Cell
from hakken.figures import Drawing, Files, Table
from hakken.figures._strata_of_numbers import FIFTHS, OUTCOME, Strata, panels
from hakken.outcomes.numbers import STRATA, Settings
from hakken.plots.levels import RowInput, draw_levels
from hakken.runs.table import SELECTED
from hakken.study import Study

INPUTS = {
    "test": "measurements/test/selected",
    "default": "measurements/test/default",
    "baselines": "measurements/test/{baseline}",
}
NEEDED = ("test",)
CAPTION = (
    "RMSE and bias of the selected model, the untuned default and the baselines on the test set, in shares of the SD "
    "of the truth, with 95 % intervals from resampled patients; bias by fifths of the true value shows whether answers "
    "shrink towards the mean."
)
NOTES = (
    "In shares of the SD of the truth; 95 % intervals, patients resampled. An RMSE of 1 is that of one who always",
    "answers with the mean. Lines that leave a panel are in the table beside the figure.",
)


def draw(study: Study, files: Files) -> Drawing:
    """Draw RMSE and bias by level, and bias by fifths of the truth."""
    models = list(_models(files))
    settings = study.outcomes[OUTCOME]
    assert isinstance(settings, Settings)
    rows = [*_by_level(models, study, settings.label(settings.by or "")), _by_fifth(models, study)]
    table = Table(("model", *STRATA), tuple(_cells(models)))
    return Drawing(
        draw_levels(rows, NOTES, files.origin), table, f"{len(models)} models, {len(settings.quantities)} quantities"
    )


def _models(files: Files) -> Iterator[Strata]:
    yield Strata.of(SELECTED, files.one("test"))
    for folder in (*files.all("default"), *files.all("baselines")):
        yield Strata.of(spoken(folder.name), folder)


def _by_level(models: Sequence[Strata], study: Study, by: str) -> Iterator[RowInput]:
    levels = models[0].levels
    places = [(level, "0") for level in levels]
    if not levels:
        return
    for measure, words, straight in (("rmse", "RMSE / SD", None), ("bias", "Bias / SD", 0.0)):
        shown = panels(models, study, measure, places, SELECTED)
        yield RowInput(f"{words.split(' / ')[0]} by {by} of the test", words, by, levels, shown, straight)


def _by_fifth(models: Sequence[Strata], study: Study) -> RowInput:
    shown = panels(models, study, "bias", [("", fifth) for fifth in FIFTHS], SELECTED)
    return RowInput("Bias by fifths of the truth", "Bias / SD", "fifth of the true values", FIFTHS, shown, 0.0)


def _cells(models: Sequence[Strata]) -> Iterator[tuple[Cell, ...]]:
    for model in models:
        rows: Any = zip(*(model.table.cells[column] for column in STRATA), strict=True)
        yield from ((model.label, *row) for row in rows)
