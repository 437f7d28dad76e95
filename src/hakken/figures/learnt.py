"""Figure `learnt`: what the search learnt about its parameters."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from hakken.core.names import spoken
from hakken.core.seeds import derive_seed
from hakken.figures import Drawing, Files, Table, cells
from hakken.figures._courses import numbers_of, sweeps_of
from hakken.plots.learnt import TILES, DependenceInput, LearntInput, ParameterInput, draw_learnt
from hakken.report.figure import cost
from hakken.report.learnt import Learnt, border, comparable, learn, reading
from hakken.search import Dimension, Space, Trial
from hakken.search.effects import Curve
from hakken.search.trial import Value
from hakken.study import Study

INPUTS = {"trials": "trials/search"}
CAPTION = (
    "How much each searched parameter matters, and the validation objective against the most important ones. Best "
    "values at the border of their range are marked."
)
MOVED = "paused at the last rung, moved by the median step from there to the end"
COLUMNS = ("parameter", "what", "value", "objective", "low", "high")


def draw(study: Study, files: Files) -> Drawing:
    """Draw the importance of every searched parameter and the objective of the trials against the first of them."""
    sweeps = sweeps_of(files.all("trials"))
    records = [record for sweep in sweeps.values() for record in sweep]
    space = Space.from_mapping(study.search.space)
    finished = [trial for sweep in sweeps.values() for trial in comparable(study.search.rungs, sweep)]
    measured = [trial for trial in finished if trial.measured]
    learnt = learn(space, finished, curves=TILES, seed=derive_seed(study.seed, "learnt"))
    best = _best(measured)
    shown = learnt if learnt is not None and learnt.useful else None
    drawn = [_parameter(dimension, measured, best, shown) for dimension in space.dimensions]
    drawn.sort(key=lambda parameter: (-(parameter.total or 0.0), parameter.border is None))
    given = LearntInput(
        parameters=tuple(drawn),
        reading=reading(len(measured), len(drawn), learnt),
        best=None if best is None else best.value,
        objective="Validation objective",
        origin=files.origin,
        **({"hollow": MOVED} if any(trial.state == "paused" for trial in measured) else {}),
    )
    ends = [parameter.words for parameter in drawn if parameter.border]
    words = f"best value at the border of: {', '.join(ends)}" if ends else "best values inside their ranges"
    table = Table(COLUMNS, cells([row for parameter in drawn for row in _rows(parameter)]))
    return Drawing(draw_learnt(given), table, words, numbers_of(sweeps), cost(records))


def _best(trials: Sequence[Trial]) -> Trial | None:
    """Return the complete trial with the highest objective, the first of equals."""
    complete = (trial for trial in trials if trial.state == "complete")
    return max(complete, key=lambda trial: trial.value or 0.0, default=None)


def _parameter(
    dimension: Dimension, trials: Sequence[Trial], best: Trial | None, learnt: Learnt | None
) -> ParameterInput:
    """Gather what is drawn of one parameter; trials in which it was not active do not count."""
    name = dimension.name
    known = [trial for trial in trials if name in trial.parameters]
    value = None if best is None else best.parameters.get(name)
    curve = learnt.curves.get(name) if learnt else None
    return ParameterInput(
        name=name,
        values=tuple(_number(dimension, trial.parameters[name]) for trial in known),
        objectives=tuple(trial.value for trial in known if trial.value is not None),
        complete=tuple(trial.state == "complete" for trial in known),
        best=None if value is None else _number(dimension, value),
        bounds=None if dimension.kind == "categorical" else (dimension.low, dimension.high),
        choices=tuple(str(choice).lower() if isinstance(choice, bool) else str(choice) for choice in dimension.choices),
        log=dimension.log,
        integer=dimension.kind == "integer",
        condition=_condition(dimension.when),
        border=None if value is None else border(dimension, value),
        alone=learnt.shares.first[name] if learnt else None,
        total=learnt.shares.total[name] if learnt else None,
        curve=_curve(curve) if curve is not None and len(curve.numbers) else None,
    )


def _number(dimension: Dimension, value: Value) -> float:
    """Return a value as a place on its axis: the number itself, or the place among the choices."""
    place = dimension.index(value)
    return float(value) if place is None else float(place)


def _condition(when: Mapping[str, tuple[Value, ...]]) -> str:
    """Return in words when a parameter is active; nothing where it always is."""
    parts = [f"{spoken(parent)} {' or '.join(map(str, values))}" for parent, values in when.items()]
    return f"only with {' and '.join(parts)}" if parts else ""


def _curve(curve: Curve) -> DependenceInput:
    """Return a curve with its band."""
    columns = (curve.numbers, curve.mean, curve.mean - curve.deviation, curve.mean + curve.deviation)
    return DependenceInput(*(tuple(np.asarray(column).tolist()) for column in columns))


def _rows(drawn: ParameterInput) -> Iterator[tuple[Any, ...]]:
    """Yield the shares of the variance, the trials and the model's curve of one parameter."""

    def said(value: float) -> float | str:
        return drawn.choices[int(value)] if drawn.choices else value

    for what, share in (("share alone", drawn.alone), ("share with others", drawn.total)):
        if share is not None:
            yield drawn.name, what, share, None, None, None
    for value, objective in zip(drawn.values, drawn.objectives, strict=True):
        yield drawn.name, "trial", said(value), objective, None, None
    if drawn.curve is not None:
        columns = (drawn.curve.values, drawn.curve.mean, drawn.curve.low, drawn.curve.high)
        for value, *ends in zip(*columns, strict=True):
            yield drawn.name, "model", said(value), *ends
