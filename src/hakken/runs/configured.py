"""The plans of the studies that a configuration names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TextIO

from hakken.cohort.batches import kept_batches, plan_cohort
from hakken.core.errors import HakkenError
from hakken.core.files import require_writable
from hakken.core.names import nearest
from hakken.runs import drawn_from
from hakken.runs.beside import require_results_of_this_version
from hakken.runs.guard import require_source, require_unchanged
from hakken.runs.plan import Plan
from hakken.runs.sealed import require_sealed
from hakken.study import Study
from hakken.study.reading import load_study

CONFIG = Path("config/config.yaml")
STUDIES = Path("config/studies")
KEYS = ("studies", "study", "scale", "cases_per_job", "overwrite")
"""What a configuration may say."""


def configured_plans(
    config: Mapping[str, Any], project: Path, cases_of_site: Any, terminal: TextIO | None
) -> dict[str, Plan]:
    """Read every configured study at its scale, and its case table.

    ``project`` is the folder of the Snakefile, ``cases_of_site`` what the profile of a site says of the cases a job.
    What is worth saying goes to the ``terminal``; without one (in the jobs of a run) nothing is checked that the run
    itself has checked before. Raises HakkenError.
    """
    check_config(config)
    chosen = {config["study"]: config["scale"]} if "study" in config else named_studies(config)
    folder = project / STUDIES
    studies = {name: load_study(folder / f"{name}.yaml", scale) for name, scale in chosen.items()}
    if terminal is not None:
        require_writable(Path("results"))
        known = [path.stem for path in folder.glob("*.yaml")]
        for study in studies.values():
            _require_fit(study, chosen, known)
    wanted = cases_of_a_job(config, cases_of_site)
    plans = {name: plan_of(study, wanted) for name, study in studies.items()}
    if terminal is not None:
        for plan in plans.values():
            _look_over(plan, wanted, terminal)
    return plans


def plan_of(study: Study, cases_per_job: int) -> Plan:
    """Return the plan of a study whose batches hold ``cases_per_job`` cases, or as many as they were begun with."""
    return Plan(study, None if study.cohort.kind == "none" else plan_cohort(study, cases_per_job))


def _require_fit(study: Study, chosen: Mapping[str, str], known: Sequence[str]) -> None:
    """Raise HakkenError where a study does not fit the results that there are."""
    results = Path("results") / study.name / study.scale
    require_results_of_this_version(results)
    require_unchanged(study, results)
    require_source(study, chosen, known)


def _look_over(plan: Plan, wanted: int, terminal: TextIO) -> None:
    """Raise HakkenError where a variant or a figure cannot be; say where batches are kept as they were."""
    _require_folds(plan)
    for run in plan.runs.values():
        run.study(plan.study, whole=True)
    for figure in plan.study.drawn:
        drawn_from.require_figure(plan, figure)
    if plan.cohort is not None:
        require_sealed(plan)
    line = kept_batches(plan.cohort, wanted) if plan.cohort else None
    if line:
        terminal.write(f"{line}\n")


def _require_folds(plan: Plan) -> None:
    """Raise HakkenError where a set of variants has more folds than there are patients to hold out."""
    if plan.cohort is None:
        return
    patients = {case.patient for case in plan.cohort.cohort.cases if case.split in plan.development}
    for name, chosen in plan.study.variants.items():
        if chosen.folds is not None and chosen.folds > len(patients):
            raise HakkenError(
                f"study `{plan.study.name}`: variants.{name}.folds is {chosen.folds}, train and validation have "
                f"{len(patients)} patients; lower it to {max(len(patients), 2)} or less"
            )


def check_config(content: Mapping[str, Any]) -> None:
    """Raise HakkenError where the configuration names no study, or a study without its scale, or no size of a job."""
    for key in content:
        if key not in KEYS:
            raise HakkenError(f"--config {key}: there is no such key, there are {', '.join(KEYS)}{nearest(key, KEYS)}")
    if ("study" in content) != ("scale" in content):
        raise HakkenError("--config takes the study and its scale together: --config study=NAME scale=SCALE")
    studies = content.get("studies")
    sound = isinstance(studies, dict) and all(isinstance(scale, str | None) for scale in studies.values())
    if not sound or not named_studies(content):
        raise HakkenError(f"{CONFIG}: `studies` must name at least one study and its scale, as `name: scale`")
    cases = content.get("cases_per_job")
    if type(cases) is not int or cases < 1:
        raise HakkenError(f"{CONFIG}: `cases_per_job` must be a number of cases, 1 or more")


def cases_of_a_job(content: Mapping[str, Any], of_site: int | str | None) -> int:
    """Return how many cases a job handles: what the profile of a site says, else what the configuration says.

    Raises HakkenError where the profile says something else than a number of cases.
    """
    if of_site is None:
        return int(content["cases_per_job"])
    if type(of_site) is not int or of_site < 1:
        raise HakkenError(
            f"the profile's `default-resources`: `cases_per_job` is {of_site!r}, not a number of cases, 1 or more"
        )
    return of_site


def named_studies(content: Mapping[str, Any]) -> dict[str, str]:
    """Return the studies of a configuration with their scales; one whose scale is null is left out.

    A second configuration file can thus take away a study that the first one names.
    """
    return {name: scale for name, scale in content["studies"].items() if scale is not None}
