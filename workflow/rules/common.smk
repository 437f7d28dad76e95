# What all rules share: the studies of this run, as plans that say which files their jobs need (hakken.runs.plan).
# A function of a plan and a job's wildcards becomes a function of the wildcards, as the engine calls it, by `of`.
import sys
from pathlib import Path

from snakemake.exceptions import WorkflowError

from hakken.core.errors import HakkenError
from hakken.runs import inputs, jobs
from hakken.runs.configured import configured_plans
from hakken.runs.overview import all_figures, finished_summaries, wanted_figures


def of_site(key):
    """What `default-resources` of the profile says, as it stands there; None where it says nothing.

    It reaches the jobs of a cluster too. A profile's `config:` does not: `--config` on the command line replaces it.
    """
    resources = workflow.resource_settings.default_resources
    return resources.get(key).raw if resources is not None else None


try:
    said = None if "cases_per_job" in workflow.config_settings.config else of_site("cases_per_job")
    PLANS = configured_plans(config, Path(workflow.basedir), said, sys.stderr if workflow.is_main_process else None)
except HakkenError as error:
    raise WorkflowError(str(error))


def of(function, *more):
    """A function of the plan of a job's study, its wildcards and what is given besides, as the engine calls it."""
    return lambda wildcards: function(PLANS[wildcards.study], dict(wildcards.items()), *more)


def unseen(function):
    """The same for a parameter that is not compared with the last run's: that is what the argument `output` does."""
    return lambda wildcards, output: of(function)(wildcards)


def study(*sections):
    """The study as plain values, reduced to what a stage depends on: a change elsewhere re-runs nothing."""
    return of(jobs.study_part, *sections)


def code(stage):
    """Digest of the code that a stage runs, so that an edited module re-runs what used it.

    A function: those of all stages take a second, and each job of a cluster, which starts Snakemake anew, needs one.
    """
    return lambda wildcards: jobs.code(PLANS, dict(wildcards.items()), stage)


def tokens(kind):
    """What the site counts for an hour of a GPU, or of a node without; another profile redoes no report."""
    return lambda wildcards, output: of_site(f"tokens_per_{kind}_hour")


def each(pattern):
    """One path for each study of this run."""
    return [pattern.format(study=name, scale=plan.study.scale) for name, plan in PLANS.items()]


def on_demand(figure):
    """The files of a figure that is made only when it is asked for."""
    try:
        return wanted_figures(PLANS, figure)
    except HakkenError as error:
        raise WorkflowError(str(error))


def begin():
    """Write down what runs; ask before results that came from elsewhere are made anew."""
    made = [str(path) for job in workflow.persistence.dag.needrun_jobs() for path in job.output]
    try:
        jobs.begin(PLANS, made, bool(config.get("overwrite")))
    except HakkenError as error:
        raise WorkflowError(str(error))


def attempt(wildcards, attempt):
    """Which attempt at a job this is: 1, and one more with each retry."""
    return attempt


def which_attempt(wildcards, resources):
    """The same for the script; an argument `resources` makes a parameter that is not compared with the last run's."""
    return resources.attempt


def time_limit(wildcards, resources):
    """The minutes after which a scheduler ends the job; on one machine nothing does."""
    return resources.runtime if workflow.remote_exec else None


def across(wildcards, resources):
    """Whether a scheduler has given a training all its machines; otherwise this one does their work."""
    return workflow.remote_exec


# Where a training ends before its time, a next job goes on with it. A job that a scheduler runs does not try again by
# itself: little is left of its time, and its resources are those of this attempt.
RETRIES = 0 if workflow.remote_exec else 2

# N trainings at once by construction: each run has as many slots as its study says, whatever `--jobs` says.
SLOTS = {name: count for plan in PLANS.values() for name, count in plan.all_slots().items()}
for resource, count in SLOTS.items():
    workflow.register_resource(resource, count)


wildcard_constraints:
    **jobs.constraints(PLANS),
