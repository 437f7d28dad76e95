"""Outcome `records`: named numbers of a study that has no cases, such as what a simulation or a timing comes to.

A method predicts numbers by name. They are kept in `records.csv`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path

from pydantic import Field

from hakken.core.errors import HakkenError
from hakken.core.tables import read_table, write_table
from hakken.outcomes import Measured, Part, Row
from hakken.study import Section

FILE = "records.csv"
COLUMNS = ("name", "value")
FIGURES = ()
MEASURED_ON = ()

Predictions = Mapping[str, Mapping[str, float]]


class Settings(Section):
    """Which of the numbers is maximised."""

    objective: str | None = Field(default=None, description="The number that trainings maximise; the first by default.")
    minimise: bool = Field(default=False, description="Whether it is to be small and not large.")


def words(settings: Section) -> str:
    """Return the objective in a few words."""
    own = _own(settings)
    return f"{'minus ' if own.minimise else ''}{own.objective or 'the first record'}"


def write(folder: Path, found: Predictions, part: Part) -> None:
    """Write the numbers."""
    write_table(folder / FILE, COLUMNS, list(_only(found, part).items()))


def read(folder: Path, part: Part) -> Predictions:
    """Return the numbers; raises HakkenError naming the row of one that is none."""
    table = read_table(folder / FILE, COLUMNS)
    return {part.case_ids[0]: dict(zip(table.text("name"), table.numbers("value").tolist(), strict=True))}


def objective(found: Predictions, part: Part) -> float:
    """Return the number that is maximised; raises HakkenError where there is none such."""
    _, value = _main(_only(found, part), _own(part.settings))
    return -value if _own(part.settings).minimise else value


def measure(found: Predictions, part: Part) -> Measured:
    """Return the numbers as rows; nothing is resampled, for there are no cases."""
    numbers = _only(found, part)
    name, value = _main(numbers, _own(part.settings))
    rows = tuple(Row(name, value, digits=4) for name, value in numbers.items())
    return Measured(Row(name, value, digits=4), rows, intervals="no intervals: there are no cases to resample")


def _own(settings: Section) -> Settings:
    assert isinstance(settings, Settings)
    return settings


def _only(found: Predictions, part: Part) -> Mapping[str, float]:
    """Return the numbers of the one case that there is; raises HakkenError where one of them is not finite."""
    numbers = found[part.case_ids[0]]
    for name, value in numbers.items():
        if not math.isfinite(value):
            raise HakkenError(f"the record `{name}` is {value} and no finite number")
    return numbers


def _main(numbers: Mapping[str, float], settings: Settings) -> tuple[str, float]:
    if not numbers:
        raise HakkenError("the method has recorded nothing")
    name = settings.objective or next(iter(numbers))
    if name not in numbers:
        raise HakkenError(f"outcomes.records.objective: there is no record `{name}`, only {', '.join(numbers)}")
    return name, numbers[name]
