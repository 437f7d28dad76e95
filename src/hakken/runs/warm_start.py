"""What a search begins with: the study's own parameters, and what the search of a related study has found.

The related study may have searched another space. Its points are fitted into this one: parameters that are not searched
here are dropped, those that it did not search take the study's own value, numbers outside their range move to its
border, and only what is active stays.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hakken.core.console import log
from hakken.core.errors import HakkenError
from hakken.core.tables import read_table
from hakken.search import Dimension, Space, Trial
from hakken.search.table import AT_RUNGS, COLUMNS, CONFIRMED
from hakken.search.trial import FINISHED, State, Value
from hakken.study import Study

Point = dict[str, Value]


@dataclass(frozen=True)
class SourceTrial:
    """One finished trial of the related study, with its own parameters; ``objective`` is None where it failed.

    ``number`` is its place in the order in which that search asked.
    """

    number: int
    state: State
    objective: float | None
    parameters: Mapping[str, Value]


def read_source(table: Path) -> tuple[SourceTrial, ...]:
    """Read the trials of the table `trials.csv` of a sweep.

    Raises HakkenError naming the line that is none, or the table where no trial of it is complete.
    """
    found, trials = read_table(table, ("state", "number", "objective")), []
    for row, record in zip(found.rows, found.records(), strict=True):
        try:
            trials.append(_source_trial(record))
        except (KeyError, TypeError, ValueError):
            raise HakkenError(f"{table}: line {row} is no trial; delete the table to have it made again") from None
    if not any(trial.state == "complete" for trial in trials):
        raise HakkenError(f"{table}: no trial of it is complete; train more there, or remove search.warm_start here")
    return tuple(sorted(trials, key=lambda trial: trial.number))


def space_keys(study: Study) -> dict[str, dict[str, Any]]:
    """Return the space that a study searches as plain values, without keys at their defaults."""
    keys = study.search.space.items()
    return {name: parameter.model_dump(mode="json", exclude_defaults=True) for name, parameter in keys}


def tried_first(study: Study, say: Callable[[str], object] = log) -> Point | None:
    """Return the point of the study's own parameters, where its search tries that first; None where it does not."""
    if not (study.search.default_first and study.search.space):
        return None
    return own_point(Space.from_mapping(space_keys(study)), study.parameters.model_dump(mode="json"), say)


def own_point(space: Space, defaults: Mapping[str, Value], say: Callable[[str], object] = log) -> Point | None:
    """Return the active ones of the study's own parameters; None, and why is said, where they are no point."""
    point = _active(space, {name: defaults[name] for name in space.by_name})
    try:
        space.check(point)
    except HakkenError as error:
        say(f"the study's own parameters are not tried first, for they are no point of the space: {error}")
        return None
    return point


def best_points(source: Sequence[SourceTrial], space: Space, defaults: Mapping[str, Value], top: int) -> list[Point]:
    """Return the ``top`` best complete trials of a related study as different points of ``space``, the best first."""
    complete = [trial for trial in source if trial.state == "complete" and trial.objective is not None]
    points: dict[object, Point] = {}
    for trial in sorted(complete, key=lambda trial: (-(trial.objective or 0.0), trial.number)):
        point = _fitted(trial, space, defaults)
        if point is not None and len(points) < top:
            points.setdefault(space.key(point), point)
    return list(points.values())


def prior_trials(source: Sequence[SourceTrial], space: Space, defaults: Mapping[str, Value]) -> list[Trial]:
    """Return the finished trials of a related study as trials at points of ``space``; those that pause are none."""
    fitted = [(trial, _fitted(trial, space, defaults)) for trial in source if trial.state != "paused"]
    return [Trial(trial.number, point, trial.state, trial.objective) for trial, point in fitted if point is not None]


def _fitted(trial: SourceTrial, space: Space, defaults: Mapping[str, Value]) -> Point | None:
    """Return the point of ``space`` that is nearest to a trial, or None (and a line in the log) where there is none."""
    values = {name: _nearest(space[name], trial.parameters.get(name, defaults[name])) for name in space.by_name}
    point = _active(space, {name: value for name, value in values.items() if value is not None})
    try:
        space.check(point)
    except HakkenError as error:
        log(f"trial {trial.number} of the related study is left out: {error}")
        return None
    return point


def _active(space: Space, values: Mapping[str, Value]) -> Point:
    """Return those of ``values`` that are active, in the order of the study."""
    return space.sorted({name: values[name] for name in space.active(values) if name in values})


def _nearest(dimension: Dimension, value: Value) -> Value | None:
    """Return what the parameter can be that is nearest to ``value``; None for a choice that it does not have."""
    if dimension.kind == "categorical":
        place = dimension.index(value)
        return None if place is None else dimension.choices[place]
    if isinstance(value, bool | str):
        return None
    clipped = min(max(value, dimension.low), dimension.high)
    return round(clipped) if dimension.kind == "integer" else float(clipped)


def _source_trial(row: Mapping[str, str]) -> SourceTrial:
    state = row["state"]
    if state not in FINISHED:
        raise ValueError(state)
    objective = float(row["objective"]) if row["objective"] else None
    if objective is not None and not math.isfinite(objective):
        raise ValueError(objective)
    known = (*COLUMNS, *AT_RUNGS, *CONFIRMED)
    parameters = {name: _value(text) for name, text in row.items() if name not in known and text != ""}
    return SourceTrial(int(row.get("place") or row["number"]), state, objective, parameters)


def _value(text: str) -> Value:
    """Return a cell as `hakken.search.table` wrote it: true, false, a number, else a text."""
    if text in ("true", "false"):
        return text == "true"
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text
