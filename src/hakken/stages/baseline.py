"""Stage `baseline`: what has learnt nothing, chosen on validation and kept as a model is."""

from __future__ import annotations

from pathlib import Path

from hakken import plugins
from hakken.core.console import progress
from hakken.runs.cases import read_cases_of
from hakken.runs.model_file import save_model
from hakken.stages import stage
from hakken.study import Study
from hakken.study.beside import takes_training


@stage
def baseline(
    *,
    study: Study,
    name: str,
    output: Path,
    cases: list[Path] = [],  # noqa: B006 - never changed
    training: list[Path] = [],  # noqa: B006
) -> None:
    """Choose the baseline ``name`` on the validation ``cases`` and write it to ``output``.

    ``training`` are the training cases, where it counts or averages those.
    """
    found = plugins.load("baselines", name)
    learnt = (read_cases_of(study, training),) if takes_training(name) else ()
    values = found.fit(read_cases_of(study, cases), study, *learnt)
    save_model(output, {}, values, study=study, metadata={"baseline": name}, baseline=name)
    progress(f"{name}: {found.words(values, study)}")
