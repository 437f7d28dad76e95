"""What a figure is drawn from: the patterns that its module names, as files of a study's results."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from hakken import plugins
from hakken.core.errors import HakkenError
from hakken.runs.plan import COMPARISON, SCALING, Plan
from hakken.runs.table import comparison_runs, scaling_runs


def is_of_test(plan: Plan, figure: str) -> bool:
    """Return whether a figure waits for the opening: those of the study do, others are asked for beside them."""
    return plan.cohort is not None and figure in plan.study.drawn


def figure_inputs(plan: Plan, figure: str) -> dict[str, list[str]]:
    """Return the files of a figure by name; what the study does not have is an empty list."""
    inputs = plugins.literals("figures", figure)["INPUTS"]
    return {name: list(expanded(plan, pattern)) for name, pattern in inputs.items()}


def expanded(plan: Plan, pattern: str) -> Iterator[str]:
    """Yield the paths that a figure's pattern stands for, below the folder of results.

    `cases/<part>` are the cases of a part, `trials/<run>` the trials of a run, `trials/comparison` and
    `trials/scaling` those of all such runs, `registered` all registered batches;
    {model}, {baseline}, {variants} and {run} stand for each of them, {variant} for each model of a set of variants
    that is measured on the test set; anything else is a path as it stands.
    """
    head, _, rest = pattern.partition("/")
    if head == "cases":
        yield from plan.cases(rest)
    elif head == "registered":
        yield from plan.each_batch("registered/{part}-{batch}", *plan.parts)
    elif head == "trials":
        yield from (path for sweep in _named(plan, "run", rest) for path in _trials_if_any(plan, sweep))
    elif head == "measurements":
        part, _, model = rest.partition("/")
        for name in _compared(plan, model):
            if name in plan.models and part in plan.measured_on(name):
                yield plan.measurement(part, name)
    elif head == "models":
        model, _, kind = rest.rpartition(".")
        if model in plan.trained:
            yield from (f"{plan.root}/models/{name}.{kind}" for name in plan.stems(model))
    elif head == "predictions":
        part, _, model = rest.partition("/")
        if model in plan.models and part in plan.measured_on(model):
            yield plan.predictions(part, model)
    elif head == "variants":
        name, _, kind = rest.rpartition(".")
        yield from (f"{plan.root}/variants/{one}.{kind}" for one in _named(plan, "variants", name))
    else:
        yield f"{plan.root}/{pattern}"


def _compared(plan: Plan, pattern: str) -> Sequence[str]:
    """Return the models that a pattern stands for; itself where it is no pattern."""
    of_test = [name for name in plan.study.variants if plan.study.variants[name].part == "test"]
    every: dict[str, Sequence[str]] = {
        "{model}": plan.models,
        "{baseline}": plan.study.baselines,
        "{variant}": [model for name in of_test for model in plan.models_of(name)],
    }
    return every.get(pattern, (pattern,))


def _named(plan: Plan, what: str, pattern: str) -> Sequence[str]:
    if pattern != f"{{{what}}}":
        return (pattern,)
    every: Mapping[str, Sequence[str]] = {
        "variants": tuple(plan.study.variants),
        "run": tuple(plan.runs),
    }
    return every[what]


def _trials_if_any(plan: Plan, sweep: str) -> list[str]:
    """Return the trials of a run, of the same run in all folds, or of all runs of a kind."""
    kinds = {COMPARISON: comparison_runs, SCALING: scaling_runs}
    if sweep in kinds:
        chosen = kinds[sweep](plan.study)
    else:
        chosen = tuple(run for run in plan.runs.values() if sweep == run.name or (run.crossed and sweep == run.kind))
    return [path for run in chosen for path in plan.trials(run.name)]


def require_figure(plan: Plan, figure: str) -> None:
    """Raise HakkenError where the study lacks what a figure cannot be drawn without."""
    found, said = figure_inputs(plan, figure), plugins.literals("figures", figure)
    for name in said.get("NEEDED", tuple(said["INPUTS"])):
        if not found[name]:
            raise HakkenError(
                f"study `{plan.study.name}`: the figure `{figure}` needs {said['INPUTS'][name]}, which this study "
                "does not have; remove it from `figures`"
            )
