# hakken: from a case table to every figure of the paper. The rules are in workflow/rules, in the order of the chain.
from snakemake.utils import min_version

min_version("9.20")


configfile: "config/config.yaml"


# Used with `--software-deployment-method apptainer` alone; envs/hakken.def is its recipe.
container: "envs/hakken.sif"


include: "workflow/rules/common.smk"
include: "workflow/rules/cohort.smk"
include: "workflow/rules/images.smk"
include: "workflow/rules/samples.smk"
include: "workflow/rules/trials.smk"
include: "workflow/rules/rungs.smk"
include: "workflow/rules/seal.smk"
include: "workflow/rules/predict.smk"
include: "workflow/rules/measure.smk"
include: "workflow/rules/figures.smk"
include: "workflow/rules/report.smk"


# Rules of single systems; in workflow/rules as well, for a `script:` is looked up from the folder of its rules.
for path in jobs.further_rules(workflow.basedir):

    include: path


rule all:
    default_target: True
    input:
        all_figures(PLANS),
        jobs.every_sweep(PLANS),
        each("results/{study}/{scale}/report.html"),
        each("results/{study}/{scale}/summary.txt"),


rule figures:
    input:
        all_figures(PLANS),


rule sweeps:
    input:
        jobs.every_sweep(PLANS),


# Not part of `all`: some hundred trainings for each study with `search.comparison`. It opens no test case.
rule comparison:
    input:
        lambda wildcards: on_demand("comparison"),


# Not part of `all`: one training with several numbers of processes (`scaling`). It opens no test case.
rule scaling:
    input:
        lambda wildcards: on_demand("scaling"),


onstart:
    begin()


onsuccess:
    print(finished_summaries(PLANS))
