# What all stages share, and the only Python functions of the workflow: which studies run, which cases stand in which
# batch, which part of a study a stage depends on, and the digest of the code that it runs.
import sys
from dataclasses import asdict
from pathlib import Path

from snakemake.exceptions import WorkflowError

from hakken.commands.configured import cases_of_a_job, check_config, named_studies
from hakken.errors import HakkenError
from hakken.files import require_writable
from hakken.report.guard import SCIENCE, require_source, require_unchanged, source_table
from hakken.report.guard import science as what_results_depend_on
from hakken.report.provenance import code_digest
from hakken.cohort.batches import kept_batches, plan_cohort, record_batches
from hakken.studyfile import load_study, study_slice
from hakken.training.grid_plan import cells_of
from hakken.training.sweep import (
    PROCESSES,
    apart_sweeps,
    comparison_sweeps,
    laid_out,
    main_sweeps,
    scaling_sweeps,
    sweep_of,
)

PARTS = ("train", "validation", "test")
DEVELOPMENT = ("train", "validation")
MODELS = ("selected", "default")


def of_site(key):
    """What `default-resources` of the profile says, as it stands there; None where it says nothing.

    It reaches the jobs of a cluster too. A profile's `config:` does not: `--config` on the command line replaces it.
    """
    resources = workflow.resource_settings.default_resources
    return resources.get(key).raw if resources is not None else None


def tokens_per_gpu_hour(wildcards, output):
    """What the site counts for an hour of a GPU; with `output` as an argument, another profile redoes no report."""
    return of_site("tokens_per_gpu_hour")


def tokens_per_node_hour(wildcards, output):
    """What the site counts for an hour of a node in a job without a GPU."""
    return of_site("tokens_per_node_hour")


def load_plans():
    """Read every configured study at its scale, and its case table; `--config study=NAME scale=SCALE` picks one."""
    check_config(config)
    chosen = {config["study"]: config["scale"]} if "study" in config else named_studies(config)
    folder = Path(workflow.basedir) / "config" / "studies"
    require_writable(Path("results"))
    studies = {name: load_study(folder / f"{name}.yaml", scale) for name, scale in chosen.items()}
    for name, study in studies.items():
        require_unchanged(study, Path(f"results/{name}/{study.scale}"))
        require_source(study, chosen, [path.stem for path in folder.glob("*.yaml")])
    said = None if "cases_per_job" in workflow.config_settings.config else of_site("cases_per_job")
    wanted = cases_of_a_job(config, said)
    plans = {name: plan_cohort(study, wanted) for name, study in studies.items()}
    for line in filter(None, (kept_batches(plan, wanted) for plan in plans.values())):
        if workflow.is_main_process:
            print(line, file=sys.stderr)
    return plans


try:
    PLANS = load_plans()
except HakkenError as error:
    raise WorkflowError(str(error))


def study(*sections):
    """The study as plain values, reduced to what a stage depends on: a change elsewhere re-runs nothing."""
    return lambda wildcards: study_slice(PLANS[wildcards.study].study, sections)


def folder(wildcards):
    """The folder of all results of a study at its scale."""
    return f"results/{wildcards.study}/{wildcards.scale}"


def whole_study(wildcards):
    """The whole study as plain values."""
    return PLANS[wildcards.study].study.model_dump(mode="json")


def science(wildcards):
    """All of the study that its results depend on."""
    return study_slice(PLANS[wildcards.study].study, SCIENCE)


def sealed(wildcards):
    """What the freeze writes down of the study: all that its results depend on, and nothing of the hardware."""
    chosen = PLANS[wildcards.study].study
    return {"name": chosen.name, "scale": chosen.scale, **what_results_depend_on(chosen)}


def code(stage):
    """Digest of the code that a stage runs, so that an edited module re-runs what used it.

    A function: those of all stages take a second, and each job of a cluster, which starts Snakemake anew, needs one.
    """
    return lambda wildcards: code_digest(f"hakken.stages.{stage}")


def cases(wildcards):
    """The case ids of a batch."""
    return list(PLANS[wildcards.study].batches[wildcards.part][wildcards.batch])


def table(wildcards):
    """The case table: the user's own, or the phantom's."""
    return PLANS[wildcards.study].table.as_posix()


def images(wildcards):
    """The images of a batch: the folder of a phantom batch, which the workflow draws, or the user's own files."""
    plan = PLANS[wildcards.study]
    if plan.study.cohort.phantom is not None:
        return "results/{study}/{scale}/cohort/{part}-{batch}"
    return [path.as_posix() for path in plan.files(wildcards.part, wildcards.batch)]


def cases_per_job(wildcards):
    """How many cases a batch holds."""
    return PLANS[wildcards.study].cases_per_job


def begin():
    """Write down what the batches of every study hold; a later run, here or on a cluster, keeps to it."""
    for plan in PLANS.values():
        record_batches(plan)


def seal(wildcards):
    """Test cases wait for the opening of the test set, which waits for the freeze; others wait for nothing."""
    return "results/{study}/{scale}/test/opening.json" if wildcards.part == "test" else []


def digests(wildcards):
    """The pixel digests to compare: of the development cases, and once the test set is open, of all."""
    parts = PARTS if wildcards.scope == "test" else DEVELOPMENT
    return batches("results/{study}/{scale}/checked/{part}-{batch}.json", *parts)(wildcards)


def batches(pattern, *parts):
    """One path for each batch of the given parts (of the wildcard's part where none is given)."""

    def paths(wildcards):
        plan = PLANS[wildcards.study]
        chosen = parts or (wildcards.part,)
        return [
            pattern.format(study=wildcards.study, scale=wildcards.scale, part=part, batch=batch)
            for part in chosen
            for batch in plan.batches[part]
        ]

    return paths


def trials(wildcards):
    """The trial files of the wildcard's sweep; of the search where a rule has no such wildcard."""
    return trial_files(wildcards, sweep_of(PLANS[wildcards.study].study, wildcards.get("sweep", "search")))


def comparison_trials(wildcards):
    """The trial files of all sweeps that compare numbers of slots."""
    sweeps = comparison_sweeps(PLANS[wildcards.study].study)
    return [path for sweep in sweeps for path in trial_files(wildcards, sweep)]


def scaling_trials(wildcards):
    """The trial files that time one training with several numbers of processes."""
    sweeps = scaling_sweeps(PLANS[wildcards.study].study)
    return [path for sweep in sweeps for path in trial_files(wildcards, sweep)]


def scaled(wildcards):
    """The scaling figures of all studies that ask for one."""
    chosen = {name: plan.study for name, plan in PLANS.items() if plan.study.scaling}
    if not chosen:
        raise WorkflowError(f"nothing to scale: give one of {', '.join(PLANS)} a section scaling")
    return [f"results/{name}/{study.scale}/figures/scaling.json" for name, study in chosen.items()]


def compared(wildcards):
    """The comparison figures of all studies that ask for one."""
    chosen = {name: plan.study for name, plan in PLANS.items() if plan.study.search.comparison}
    if not chosen:
        raise WorkflowError(f"nothing to compare: give one of {', '.join(PLANS)} a section search.comparison")
    return [f"results/{name}/{study.scale}/figures/comparison.json" for name, study in chosen.items()]


def trial_files(wildcards, sweep):
    """The trial files of a sweep."""
    return expand(
        "results/{study}/{scale}/sweeps/{sweep}/trials/{trial:04d}.json",
        study=wildcards.study,
        scale=wildcards.scale,
        sweep=sweep.name,
        trial=range(sweep.trials),
    )


def earlier_sweep(wildcards):
    """The trials of the compared sweep before this one: one at a time, so that each has the machine to itself."""
    study = PLANS[wildcards.study].study
    names = [sweep.name for sweep in comparison_sweeps(study)]
    names.sort(key=lambda name: int(name.rpartition("r")[2]))  # all first repeats first
    place = names.index(wildcards.sweep) if wildcards.sweep in names else 0
    return trial_files(wildcards, sweep_of(study, names[place - 1])) if place else []


def slots_of(study, sweep):
    """The resource of which each training of a sweep takes one; all but those of comparison and scaling share theirs."""
    if sweep.startswith(PROCESSES):
        return f"slots_{study}_scaling"
    own = sweep.startswith(("n", "random-"))
    return f"slots_{study}_{sweep.replace('-', '_')}" if own else f"slots_{study}"


def takes(resource):
    """One of ``resource`` for the trainings of its sweep, none for any other."""
    return lambda wildcards: 1 if slots_of(wildcards.study, wildcards.sweep) == resource else None


def sweep(wildcards, output):
    """The sweep of a trial. With more trials, other slots or another limit of failures the finished trials stay."""
    # The argument `output` makes this a derived parameter, and those Snakemake does not compare with the last run's.
    return asdict(sweep_of(PLANS[wildcards.study].study, wildcards.sweep))


def layout(wildcards):
    """Over how many machines one training goes, and how many GPUs of each it takes."""
    chosen = PLANS[wildcards.study].study
    training = laid_out(chosen, sweep_of(chosen, wildcards.sweep)).training
    return training.nodes, training.gpus_per_node


def gpus(wildcards):
    """All GPUs of one training."""
    nodes, each = layout(wildcards)
    return nodes * each


def nodes(wildcards):
    """The machines of one training."""
    return layout(wildcards)[0]


def of_many_machines(value):
    """``value`` for a training on several machines, nothing for any other: Slurm refuses it there."""
    return lambda wildcards: value(wildcards) if nodes(wildcards) > 1 else None


def processes(wildcards):
    """The processes of one training on each machine: a CPU thread for each at least."""
    return layout(wildcards)[1]


# One task a machine, which starts the processes there; `mpi` has the job itself call srun.
tasks = of_many_machines(nodes)
tasks_per_gpu = of_many_machines(lambda wildcards: 0)
launcher = of_many_machines(lambda wildcards: "srun")
gpus_of_each = of_many_machines(lambda wildcards: f"gpu:{processes(wildcards)}")  # else Slurm deals them unevenly


def attempt(wildcards, attempt):
    """Which attempt at a job this is: 1, and one more with each retry."""
    return attempt


def which_attempt(wildcards, resources):
    """The same for the script; an argument `resources` makes a parameter that is not compared with the last run's."""
    return resources.attempt


# Where a training ends before its time, a next job goes on with it. A job that a scheduler runs does not try again by
# itself: little is left of its time, and its resources are those of this attempt.
RETRIES = 0 if workflow.remote_exec else 2


def time_limit(wildcards, resources):
    """The minutes after which a scheduler ends the job; on one machine nothing does."""
    return resources.runtime if workflow.remote_exec else None


def across(wildcards, resources):
    """Whether a scheduler has given a training all its machines; otherwise this one does their work."""
    return workflow.remote_exec


def source(wildcards):
    """The table of the search that this one starts from; no other sweep starts from one."""
    start = PLANS[wildcards.study].study.source
    return source_table(*start).as_posix() if start and wildcards.sweep == "search" else None


def source_made_here(wildcards):
    """The same table where this run makes it; otherwise it is there already, and nothing of this run may redo it."""
    start = PLANS[wildcards.study].study.source
    made = start in [(name, plan.study.scale) for name, plan in PLANS.items()]
    return (source(wildcards) if made else None) or []


def searched(wildcards):
    """The names of the searched parameters."""
    return list(PLANS[wildcards.study].study.search.space)


def threshold(wildcards):
    """The test set is measured at the frozen operating point; validation is what it is chosen on."""
    return "results/{study}/{scale}/freeze.json" if wildcards.part == "test" else []


def everything(pattern):
    """One path for each configured study."""
    return [pattern.format(study=name, scale=plan.study.scale) for name, plan in PLANS.items()]


def study_figures(wildcards):
    """The provenance files of the figures that a study asks for."""
    return expand(
        "results/{study}/{scale}/figures/{figure}.json",
        study=wildcards.study,
        scale=wildcards.scale,
        figure=PLANS[wildcards.study].study.figures,
    )


def of_task(*tasks):
    """The studies of some tasks, to bind rules to; where there is none, a pattern that nothing fits."""
    return "|".join(name for name, plan in PLANS.items() if plan.study.task in tasks) or "(?!)"


def of_network(*networks):
    """The studies of some networks, to bind rules to; where there is none, a pattern that nothing fits."""
    return "|".join(name for name, plan in PLANS.items() if plan.study.training.network in networks) or "(?!)"


def case_tables(wildcards):
    """The tables of the cases' scores, which a study of cases has."""
    if not PLANS[wildcards.study].study.of_cases:
        return []
    return expand(
        "results/{study}/{scale}/evaluation/{part}/{model}.{table}.csv",
        study=wildcards.study,
        scale=wildcards.scale,
        part=("validation", "test"),
        model=MODELS,
        table=("roc", "cases"),
    )


def models(wildcards):
    """The models of a study: the selected one, the untuned default, and those of one depth trained apart."""
    return (*MODELS, *(sweep.name for sweep in apart_sweeps(PLANS[wildcards.study].study)))


def frozen_models(wildcards):
    """The networks that the freeze names."""
    return [f"{folder(wildcards)}/models/{model}.pt" for model in models(wildcards)]


def frozen_evaluations(wildcards):
    """Their measurements on validation."""
    return [f"{folder(wildcards)}/evaluation/validation/{model}.json" for model in models(wildcards)]


def frozen_codes(wildcards):
    """The digests of the code that leads from images to measurements."""
    ending = {"segmentation": "_masks", "classification": "_classes"}.get(PLANS[wildcards.study].study.task, "")
    stages = ("register", "prepare", "patches", "trial", "predict", f"evaluate{ending}")
    return {stage: code(stage)(wildcards) for stage in stages}


def apart_trials(wildcards):
    """The trials that train one depth apart."""
    return [path for sweep in apart_sweeps(PLANS[wildcards.study].study) for path in trial_files(wildcards, sweep)]


def baselines(wildcards):
    """What is no network and is measured beside them."""
    return [f"{folder(wildcards)}/threshold.json"] if PLANS[wildcards.study].study.task == "segmentation" else []


def mask_tables(wildcards):
    """The measures of every test case by every model and by the threshold."""
    names = (*models(wildcards), "threshold")
    return [f"{folder(wildcards)}/evaluation/test/{model}.masks.csv" for model in names]


def grid_cells(wildcards):
    """The cells of a study's grid."""
    return expand(
        "results/{study}/{scale}/grid/cells/{cell}.json",
        study=wildcards.study,
        scale=wildcards.scale,
        cell=[cell.name for cell in cells_of(PLANS[wildcards.study].study)],
    )


def all_figures(wildcards):
    """Every file of every figure of every configured study, so that a deleted one is drawn again."""
    return [
        f"results/{name}/{plan.study.scale}/figures/{figure}.{ending}"
        for name, plan in PLANS.items()
        for figure in plan.study.figures
        for ending in ("pdf", "svg", "png", "json")
    ]


def finished_summaries():
    """What was found in every study that is finished."""
    paths = map(Path, everything("results/{study}/{scale}/summary.txt"))
    return "".join(path.read_text() for path in paths if path.exists())


wildcard_constraints:
    study="|".join(PLANS),
    scale="|".join({plan.study.scale for plan in PLANS.values()}),
    part="train|validation|test",
    batch=r"\d+",
    sweep=r"search|default|apart-\d+|processes-\d+|n\d+-r\d+|random-r\d+",
    trial=r"\d+",
    model=r"selected|default|apart-\d+",
    scope="development|test",
    cell=r"[a-z0-9_]+(-scratch)?-(none|shift|rotation|skew)\d+-f\d+",
    figure="froc|roc|search|learnt|strata|overlays|anomalies|registration|calibration|expectations|baseline|segmentations|sizes|confusion|grid",


# N trainings at once by construction: each sweep has as many slots as its study says, whatever `--jobs` says.
SLOTS = {
    slots_of(name, sweep.name): sweep.slots
    for name, plan in PLANS.items()
    for sweep in (*main_sweeps(plan.study), *comparison_sweeps(plan.study), *scaling_sweeps(plan.study))
}
for resource, count in SLOTS.items():
    workflow.register_resource(resource, count)
