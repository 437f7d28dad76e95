"""What the rules of the workflow ask: parameters and resources, as functions of a study's plan and a job's wildcards.

They compute nothing; `hakken.runs.inputs` names the files. ``wildcards`` maps the names of a rule's wildcards to their
values.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar

from hakken import plugins
from hakken.cohort.parts import openings_folder, record_parts
from hakken.core.errors import HakkenError
from hakken.runs import drawn_from
from hakken.runs.beside import overwritten, record_study
from hakken.runs.guard import SCIENCE, science, source_table
from hakken.runs.identity import code_digest
from hakken.runs.plan import Plan, folds_param
from hakken.runs.required import needs_of
from hakken.runs.table import SEARCH, SELECTED, name_of
from hakken.study import Study
from hakken.study.slices import EVERYTHING, study_slice

Wildcards = Mapping[str, str]
Plans = Mapping[str, Plan]
Value = TypeVar("Value")

CHAIN = ("common", "cohort", "images", "samples", "trials", "seal", "predict", "measure", "figures", "report")
"""Files of rules that the Snakefile includes by name, in the order of the chain."""

OF_OBJECTIVE = ("trial", "average", "optimism", "variants")
"""Stages that ask of the outcomes for the one that is maximised alone."""

OF_BASELINES = ("baseline", "predict")
"""Stages that use baselines; the others know them as models like any."""

FROZEN = ("register", "prepare", "patches", "trial", "predict", "measure")
"""Stages whose code leads from images to measurements."""

OF_THE_SEAL = ("cohort.openings", "cohort.reuse_opened", "cohort.distinct")
"""Keys of the cohort that say what may be opened and used, and change no result."""

RULE_OF_CHOICE = ("search.confirm", "search.ensemble")
"""How one of the trials is chosen; no training depends on it."""

NOT_DRAWN = ("description", "figures")
"""Keys that no figure shows."""


# ---- the workflow as a whole ---------------------------------------------------------------------------------------


def constraints(plans: Plans) -> dict[str, str]:
    """Return which values the wildcards can have, as regular expressions."""
    studies = [plan.study for plan in plans.values()]
    return {
        "study": _any_of(plans),
        "scale": _any_of(study.scale for study in studies),
        "part": _any_of(part for plan in plans.values() for part in (*plan.parts, *plan.measured)),
        "batch": r"\d+",
        "sweep": r"[A-Za-z0-9][\w.-]*",  # an unknown one is answered with the nearest name
        "trial": r"\d+",
        "model": "|".join((models(plans), baselines(plans))),
        "scope": "development|test",
        "data": "train|development|all",
        "set": _any_of(name for study in studies for name in study.variants),
        "figure": _any_of(plugins.names("figures")),
    }


def models(plans: Plans) -> str:
    """Return the names of all trained models as a regular expression; with folds each has a file for each."""
    return _any_of(name for plan in plans.values() for model in plan.trained for name in (model, *plan.stems(model)))


def baselines(plans: Plans) -> str:
    """Return the names of all baselines as a regular expression."""
    found = {plan: plan.study.baselines for plan in plans.values()}
    return _any_of(name for plan, names in found.items() for model in names for name in (model, *plan.stems(model)))


def _any_of(values: Iterable[str]) -> str:
    """Return a pattern that fits each value; one that fits nothing where there is none."""
    return "|".join(re.escape(value) for value in dict.fromkeys(values)) or "(?!)"


def further_rules(folder: str | Path) -> list[str]:
    """Return the files of the rules of single systems, of those in `rules` below the workflow's ``folder``."""
    found = sorted(Path(folder).glob("workflow/rules/*.smk"))
    return [str(path) for path in found if path.stem not in CHAIN]


def begin(plans: Plans, made: Iterable[str], agreed: bool) -> None:
    """Write down, beside the results, the studies as they run, with which versions, and what their batches hold.

    ``made`` are the files that this run makes. Where some of them would replace results that were finished elsewhere,
    whoever sits at the terminal is asked, unless he ``agreed`` before. Raises HakkenError where he does not agree.
    """
    made = list(made)
    for plan in plans.values():
        question = None if agreed else overwritten(plan, made)
        if question and not (sys.stdin.isatty() and input(f"{question}\nGo on? [y/N] ").strip().lower() == "y"):
            raise HakkenError(f"{question}. To go on all the same: --config overwrite=true")
        record_study(plan)
        if plan.cohort is not None and not plan.study.of_phantom:
            record_parts(plan.cohort.cohort, plan.study)


def every_sweep(plans: Plans) -> list[str]:
    """Return the tables and the models of all searches."""
    return [
        path
        for plan in plans.values()
        for run in plan.runs.values()
        if run.kind == SEARCH
        for path in (f"{plan.root}/sweeps/{run.name}/trials.csv", f"{plan.root}/models/{_selected(run.fold)}.json")
    ]


def _selected(fold: int | None) -> str:
    return name_of(SELECTED, fold)


# ---- identity ------------------------------------------------------------------------------------------------------


def study_part(plan: Plan, wildcards: Wildcards, *sections: str) -> dict[str, Any]:
    """Return the sections of the study that a stage depends on; of a model, of the study as it was trained."""
    study = plan.study if "model" not in wildcards else _study_of_model(plan, wildcards["model"])
    return study_slice(study, sections)


def sampled_study(plan: Plan, wildcards: Wildcards, *sections: str) -> dict[str, Any]:
    """Return the same of the study, or of its first variant, that learns from stored patches."""
    takers = (run for run in plan.runs.values() if plan.takes_patches(run))
    run = next(takers, None)
    return study_slice(plan.study if run is None else plan.study_of(run), sections)


def root(plan: Plan, wildcards: Wildcards) -> str:
    """Return the folder of all results of a study."""
    return plan.root


def whole_study(plan: Plan, wildcards: Wildcards) -> dict[str, Any]:
    """Return the whole study."""
    return study_slice(plan.study, (*EVERYTHING, *OF_THE_SEAL))


def separated_study(plan: Plan, wildcards: Wildcards) -> dict[str, Any]:
    """Return what decides which cases may stand in which part."""
    return study_slice(plan.study, OF_THE_SEAL)


def drawn_study(plan: Plan, wildcards: Wildcards) -> dict[str, Any]:
    """Return all of the study that a figure may show."""
    return study_slice(plan.study, tuple(key for key in EVERYTHING if key not in NOT_DRAWN))


def science_of_study(plan: Plan, wildcards: Wildcards) -> dict[str, Any]:
    """Return all of the study that a training depends on, and what lets it go on."""
    return study_slice(plan.study, (*SCIENCE, "evaluation.accept_outside"))


def sealed_study(plan: Plan, wildcards: Wildcards) -> dict[str, Any]:
    """Return what the freeze writes down of the study: all that its results depend on, and nothing of the hardware."""
    rule = study_slice(plan.study, RULE_OF_CHOICE).get("search")
    found = {"name": plan.study.name, "scale": plan.study.scale, **science(plan.study)}
    return found | ({"choice": rule} if rule else {})


def code(plans: Plans, wildcards: Wildcards, stage: str) -> str:
    """Return the digest of the code of a stage, with the plug-ins that the job uses; a job may be of no study."""
    plan = plans[wildcards["study"]] if "study" in wildcards else None
    return code_digest(stage, {} if plan is None else _named(plan, wildcards, stage))


def frozen_codes(plan: Plan, wildcards: Wildcards) -> dict[str, str]:
    """Return the digests of the code that leads from images to measurements."""
    return {stage: code_digest(stage, _named(plan, {}, stage)) for stage in FROZEN}


def _named(plan: Plan, wildcards: Wildcards, stage: str) -> dict[plugins.Kind, tuple[str, ...]]:
    """Return the plug-ins that a job may use."""
    study = plan.study
    if "sweep" in wildcards:
        study = plan.study_of(plan.asks_in(plan.run(wildcards["sweep"])))
    if "model" in wildcards:
        study = _study_of_model(plan, wildcards["model"])
    named = study.named()
    if stage in OF_OBJECTIVE:
        named |= {"outcomes": (study.objective,)}
    if stage not in OF_BASELINES:
        named |= {"baselines": ()}
    elif "model" in wildcards:
        named |= {
            "baselines": tuple(name for name in study.baselines if wildcards["model"] in (name, *plan.stems(name)))
        }
    if "figure" in wildcards:
        named |= {"figures": (wildcards["figure"],)}
    if "data" in wildcards:
        named |= {"methods": tuple({str(plan.study_of(run).method) for run in _learning_from(plan, wildcards["data"])})}
    return named


def _learning_from(plan: Plan, data: str) -> list[Any]:
    return [run for run in plan.runs.values() if plan.takes_patches(run) and plan.data(run) == data]


def _study_of_model(plan: Plan, model: str) -> Study:
    """Return the study as a model was trained, in any of its folds; the study itself for a baseline."""
    name = plan.run_of(model)
    run = plan.runs.get(name) or next((run for run in plan.runs.values() if run.kind == name), None)
    return plan.study if run is None else plan.study_of(run)


# ---- cohort and images ---------------------------------------------------------------------------------------------


def cases_per_job(plan: Plan, wildcards: Wildcards) -> int:
    """Return how many cases a batch holds."""
    assert plan.cohort is not None
    return plan.cohort.cases_per_job


def batch(plan: Plan, wildcards: Wildcards) -> list[str]:
    """Return the case ids of a batch."""
    return plan.batch(wildcards["part"], wildcards["batch"])


# ---- trainings -----------------------------------------------------------------------------------------------------


def run(plan: Plan, wildcards: Wildcards) -> dict[str, Any]:
    """Return what the trainings of a run depend on."""
    return plan.asks_in(plan.run(wildcards["sweep"])).as_dict()


def takes_over(plan: Plan, wildcards: Wildcards) -> bool | None:
    """Return whether a training is the first of another run, whoever asks for it; None of one that asks for itself."""
    run = plan.run(wildcards["sweep"])
    return plan.asks_in(run) != run or None


def used_study(plan: Plan, wildcards: Wildcards) -> dict[str, Any] | None:
    """Return how a variant uses a model that it takes over, where that is not how the study itself does; else None."""
    run = plan.run(sweep_of(plan, wildcards))
    otherwise = plan.asks_in(run) != run and plan.study_of(run) != plan.study
    return study_part(plan, wildcards, "parameters", "inference", "outcomes") if otherwise else None


def sweep_ledger(plan: Plan, wildcards: Wildcards) -> str:
    """Return the folder of the ledger that a training asks in."""
    return f"{plan.root}/sweeps/{plan.asks_in(plan.run(wildcards['sweep'])).name}/ledger"


def training_folder(plan: Plan, wildcards: Wildcards) -> str:
    """Return the folder of the files of a training, beside that ledger."""
    return f"{plan.root}/sweeps/{plan.asks_in(plan.run(wildcards['sweep'])).name}/trainings/{wildcards['trial']}"


def planned_trials(plan: Plan, wildcards: Wildcards) -> int:
    """Return how many trials a run has."""
    return plan.asks_in(plan.run(wildcards["sweep"])).trials


def planned_slots(plan: Plan, wildcards: Wildcards) -> int:
    """Return how many trials of a run go on at once."""
    return plan.asks_in(plan.run(wildcards["sweep"])).slots


def allowed_failures(plan: Plan, wildcards: Wildcards) -> int:
    """Return after how many failures in a row a run gives up."""
    return plan.asks_in(plan.run(wildcards["sweep"])).stop_after_failures


def takes(plan: Plan, wildcards: Wildcards, resource: str) -> int | None:
    """Return 1 for a training that takes one of the slots ``resource``, None for any other."""
    return 1 if plan.slots(plan.run(wildcards["sweep"])) == resource else None


def layout(plan: Plan, wildcards: Wildcards) -> tuple[int, int]:
    """Return over how many machines a training goes, and how many GPUs or processes of each it takes."""
    training = plan.study_of(plan.run(wildcards["sweep"])).training
    return training.nodes, training.gpus_per_node


def nodes(plan: Plan, wildcards: Wildcards) -> int:
    """Return the machines of a training."""
    return layout(plan, wildcards)[0]


def processes(plan: Plan, wildcards: Wildcards) -> int:
    """Return the processes of a training on each machine: a CPU thread for each at least."""
    return layout(plan, wildcards)[1]


def gpus(plan: Plan, wildcards: Wildcards) -> int:
    """Return all GPUs of a training; none of a method that has no gradient."""
    machines, each = layout(plan, wildcards)
    return machines * each if needs_of(plan.study_of(plan.run(wildcards["sweep"]))).gradient else 0


def _of_many_machines(value: Callable[[int, int], Value]) -> Callable[[Plan, Wildcards], Value | None]:
    """Return ``value`` of a training on several machines, None of any other: Slurm refuses it there."""

    def found(plan: Plan, wildcards: Wildcards) -> Value | None:
        machines, each = layout(plan, wildcards)
        return value(machines, each) if machines > 1 else None

    return found


# One task a machine, which starts the processes there; `mpi` has the job itself call srun.
tasks = _of_many_machines(lambda machines, each: machines)
tasks_per_gpu = _of_many_machines(lambda machines, each: 0)
launcher = _of_many_machines(lambda machines, each: "srun")
gpus_of_each = _of_many_machines(lambda machines, each: f"gpu:{each}")  # else Slurm deals them unevenly


def source(plan: Plan, wildcards: Wildcards) -> str | None:
    """Return the table of the search that this one starts from; no other run starts from one."""
    start, asked = plan.study.source, plan.asks_in(plan.run(wildcards["sweep"]))
    return source_table(*start).as_posix() if start and asked.kind == SEARCH else None


def confirm(plan: Plan, wildcards: Wildcards) -> int | None:
    """Return how many of the best trials of the search a model is chosen from were trained again; None: none were."""
    return plan.study.search.confirm if plan.confirming(sweep_of(plan, wildcards)) else None


def ensemble(plan: Plan, wildcards: Wildcards) -> int:
    """Return how many of the best trials are averaged at most."""
    return plan.study.search.ensemble


def sweep_of(plan: Plan, wildcards: Wildcards) -> str:
    """Return the run that a job is about, or that its model comes from; the search where neither is named."""
    return wildcards["sweep"] if "sweep" in wildcards else plan.run_of(wildcards.get("model", SELECTED))


def searched(plan: Plan, wildcards: Wildcards) -> list[str]:
    """Return the names of the searched parameters."""
    return list(plan.study.search.space)


# ---- the seal, predictions, measurements ---------------------------------------------------------------------------


def baseline_name(plan: Plan, wildcards: Wildcards) -> str:
    """Return the name of a baseline without its fold."""
    model = wildcards["model"]
    return next(name for name in plan.study.baselines if model in (name, *plan.stems(name)))


def whose(plan: Plan, wildcards: Wildcards) -> list[list[str]] | None:
    """Return the cases that each file of a model predicts; None where one predicts all."""
    return plan.whose(wildcards["part"])


def folds(plan: Plan, wildcards: Wildcards) -> dict[str, int] | None:
    """Return the fold of each case of a part; None where there are none."""
    return folds_param(plan, wildcards["part"])


def set_runs(plan: Plan, wildcards: Wildcards) -> list[dict[str, Any]]:
    """Return the runs of a set of variants."""
    return [one.as_dict() for one in plan.set_runs(wildcards["set"])]


# ---- figures and report --------------------------------------------------------------------------------------------


def figure_inputs(plan: Plan, wildcards: Wildcards) -> dict[str, list[str]]:
    """Return the same by name."""
    return drawn_from.figure_inputs(plan, wildcards["figure"])


def ledger(plan: Plan, wildcards: Wildcards) -> str:
    """Return the folder of the ledger of openings."""
    return openings_folder(plan.study).as_posix()


def reused(plan: Plan, wildcards: Wildcards) -> str:
    """Return why cases that were once opened train here; nothing where they do not."""
    return plan.study.cohort.reuse_opened


def caption(plan: Plan, wildcards: Wildcards) -> str:
    """Return the words below a figure."""
    return str(plugins.literals("figures", wildcards["figure"])["CAPTION"])


def plain_studies(plans: Plans) -> list[dict[str, Any]]:
    """Return all studies as plain values."""
    return [study_slice(plan.study, (*EVERYTHING, *OF_THE_SEAL)) for plan in plans.values()]
