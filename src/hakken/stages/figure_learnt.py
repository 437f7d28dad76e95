"""Stage `figure_learnt`: what the search learnt about its parameters."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from hakken.core.console import progress
from hakken.plots.learnt import TILES, DependenceInput, LearntInput, ParameterInput, draw_learnt
from hakken.plots.publish import publish
from hakken.plots.style import Origin
from hakken.report.figure import cost, provenance, read_trials
from hakken.report.learnt import Learnt, border, learn, reading
from hakken.report.seal import read_openings
from hakken.search import Dimension, Space, Trial
from hakken.search.effects import Curve
from hakken.search.trial import Value
from hakken.core.seeds import derive_seed
from hakken.stages import stage
from hakken.study import Study


@stage
def figure_learnt(
    *, study: Study, trials: list[Path], table: Path, openings: Path, code: str, output: list[Path]
) -> None:
    """Draw the importance of every searched parameter and the objective of the ``trials`` against the first of them."""
    records, opened = read_trials(trials), len(read_openings(openings))
    space = Space.from_mapping(study.search.space)
    finished = [record.trial for record in records]
    measured = [trial for trial in finished if trial.measured]
    learnt = learn(space, finished, curves=TILES, seed=derive_seed(study.seed, "learnt"))
    best = max(
        (trial for trial in measured if trial.state == "complete"), key=lambda trial: trial.value or 0.0, default=None
    )
    shown = learnt if learnt is not None and learnt.useful else None
    drawn = [parameter_input(dimension, measured, best, shown) for dimension in space.dimensions]
    drawn.sort(key=lambda parameter: (-(parameter.total or 0.0), parameter.border is None))
    given = LearntInput(
        parameters=tuple(drawn),
        reading=reading(len(measured), len(drawn), learnt),
        best=None if best is None else best.value,
        objective="Validation objective",
        origin=Origin(study.title or study.name, study.scale, study.data, opened),
    )
    facts = provenance(
        study,
        figure="learnt",
        inputs=[*trials, table],
        code=code,
        openings=opened,
        trials=[trial.number for trial in measured],
        spent=cost(records),
    )
    publish(draw_learnt(given), output, facts)
    ends = [parameter.words for parameter in drawn if parameter.border]
    progress("best values inside their ranges" if not ends else f"best value at the border of: {', '.join(ends)}")


def parameter_input(
    dimension: Dimension, trials: list[Trial], best: Trial | None, learnt: Learnt | None
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
    parts = [f"{parent.replace('_', ' ')} {' or '.join(map(str, values))}" for parent, values in when.items()]
    return f"only with {' and '.join(parts)}" if parts else ""


def _curve(curve: Curve) -> DependenceInput:
    """Return a curve with its band."""
    columns = (curve.numbers, curve.mean, curve.mean - curve.deviation, curve.mean + curve.deviation)
    return DependenceInput(*(tuple(np.asarray(column).tolist()) for column in columns))
