"""The strata of numbers, as figures take them: from measured folders to lines over levels or over fifths."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from hakken.core.tables import Table
from hakken.outcomes.numbers import STRATA, Settings
from hakken.plots.levels import LineInput, PanelInput
from hakken.runs.measurement import read_measurement, table_of
from hakken.study import Study

OUTCOME = "numbers"
FIFTHS = ("1", "2", "3", "4", "5")
MARGIN = 0.08


@dataclass(frozen=True, eq=False)
class Strata:
    """What was measured of one model: its table of strata, and the SD of the truth of each quantity."""

    label: str
    table: Table
    spread: Mapping[str, float]

    @classmethod
    def of(cls, label: str, folder: Path) -> Strata:
        """Return the strata of a folder of measurements."""
        details = read_measurement(folder).outcomes[OUTCOME].details
        spread = {name: float(one["sd_of_truth"]) for name, one in details.items()}
        return cls(label, table_of(folder, OUTCOME, "strata", STRATA), spread)

    @property
    def levels(self) -> tuple[str, ...]:
        """The levels that numbers are grouped by; none where they are not."""
        return tuple(dict.fromkeys(level for level in self.table.cells["level"] if level))

    def line(self, quantity: str, measure: str, places: Sequence[tuple[str, str]]) -> LineInput:
        """Return a measure of a quantity, in shares of the SD of its truth, at each place (level, fifth)."""
        cells = self.table.cells
        keys = list(zip(cells["quantity"], cells["level"], cells["fifth"], strict=True))
        ends = []
        for end in ("", "_low", "_high"):
            column = self.table.numbers(f"{measure}{end}", empty=True).tolist()
            known = dict(zip(keys, column, strict=True))
            ends.append(tuple(self._share(known.get((quantity, *place)), quantity) for place in places))
        return LineInput(self.label, *ends)

    def _share(self, value: float | None, quantity: str) -> float | None:
        return None if value is None or math.isnan(value) else value / self.spread[quantity]


def panels(
    models: Sequence[Strata], study: Study, measure: str, places: Sequence[tuple[str, str]], main: str | None = None
) -> tuple[PanelInput, ...]:
    """Return a panel for each quantity with a line for each model.

    Where there is a ``main`` model the axis shows all of it, and of the others what is not far beyond.
    """
    settings = study.outcomes[OUTCOME]
    assert isinstance(settings, Settings)
    found = []
    for quantity in settings.quantities:
        lines = tuple(model.line(quantity, measure, places) for model in models)
        shown = [line for line in lines if main is None or line.label == main]
        found.append(PanelInput(settings.label(quantity), lines, None if main is None else _within(shown, measure)))
    return tuple(found)


def _within(lines: Sequence[LineInput], measure: str) -> tuple[float, float]:
    values = [
        value for line in lines for ends in (line.values, line.low, line.high) for value in ends if value is not None
    ]
    low, high = (min(0.0, *values), max(1.2, *values)) if measure == "rmse" else (min(-1.6, *values), max(1.6, *values))
    return low - MARGIN, high + MARGIN
