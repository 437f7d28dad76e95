"""Stage `figure_learnt`: what the search learnt about its parameters."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hakken.console import progress
from hakken.figures.learnt import LearntInput, ParameterInput, draw_learnt
from hakken.figures.publish import publish
from hakken.figures.style import Origin
from hakken.report.figure import TrialRecord, cost, provenance, read_trials
from hakken.report.learnt import FEWEST, FORESTS, Importance, border, importance
from hakken.report.seal import read_openings
from hakken.seeds import derive_seed
from hakken.stages import stage
from hakken.study import Parameter, Study


@stage
def figure_learnt(
    *, study: Study, trials: list[Path], table: Path, openings: Path, code: str, output: list[Path]
) -> None:
    """Draw the importance of every searched parameter and the objective of the ``trials`` against it."""
    records, opened = read_trials(trials), len(read_openings(openings))
    measured = [trial for trial in records if trial.objective is not None]
    space = study.search.space
    found = importance(
        space,
        [active(study, trial) for trial in measured],
        [trial.objective for trial in measured if trial.objective is not None],
        derive_seed(study.seed, "importance"),
    )
    drawn = [_parameter(study, name, parameter, measured, found) for name, parameter in space.items()]
    drawn.sort(key=lambda parameter: -(parameter.importance or 0))
    given = LearntInput(
        parameters=tuple(drawn),
        reading=_reading(len(measured), len(space), found),
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


def active(study: Study, trial: TrialRecord) -> dict[str, Any]:
    """Return the parameters of a trial whose conditions hold."""
    kept = {}
    for name, value in trial.parameters.items():
        parameter = study.search.space.get(name)
        if parameter is not None and all(
            trial.parameters.get(parent) in (wanted if isinstance(wanted, tuple) else (wanted,))
            for parent, wanted in parameter.when.items()
        ):
            kept[name] = value
    return kept


def _parameter(
    study: Study, name: str, parameter: Parameter, trials: Sequence[TrialRecord], found: Importance | None
) -> ParameterInput:
    """Gather what is drawn of one parameter."""
    pairs = [(active(study, trial).get(name), trial.objective) for trial in trials]
    known = [(value, objective) for value, objective in pairs if value is not None and objective is not None]
    winner = max(trials, key=lambda trial: trial.objective or 0.0, default=None)
    best = None if winner is None else active(study, winner).get(name)
    choices = parameter.choices
    return ParameterInput(
        name=name,
        values=tuple(_number(parameter, value) for value, _ in known),
        objectives=tuple(objective for _, objective in known),
        best=None if best is None else _number(parameter, best),
        bounds=None if choices is not None else (float(parameter.low or 0), float(parameter.high or 0)),
        choices=tuple(str(choice).lower() if isinstance(choice, bool) else str(choice) for choice in choices or ()),
        log=parameter.scale == "log",
        integer=parameter.type == "integer",
        border=border(parameter, best),
        importance=found.value[name] if found else None,
        importance_low=found.low[name] if found else None,
        importance_high=found.high[name] if found else None,
    )


def _number(parameter: Parameter, value: Any) -> float:
    """Return a value as a place on its axis: the number itself, or the place among the choices."""
    return float(parameter.choices.index(value)) if parameter.choices is not None else float(value)


def _reading(trials: int, parameters: int, found: Importance | None) -> str:
    """Return how far the importance can be trusted."""
    if found is None:
        return f"{trials} finished trials: at least {FEWEST} that differ are needed to model the objective."
    bars = (
        f"Bars: rise of a random forest's error on unseen trials when shuffled, in variances; lines: 68 % of {FORESTS}."
    )
    if found.r2 <= 0.05:
        return (
            f"Read no ranking into this: from {trials} trials a forest predicts others no better than their mean does."
        )
    few = f" {trials} trials for {parameters} parameters: uncertain." if trials < 5 * parameters else ""
    return f"{bars} It explains {100 * found.r2:.0f} % of the variance.{few}"
