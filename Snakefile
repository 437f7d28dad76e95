# hakken: from a case table to every figure of the paper. The stages are in workflow/rules, in the order of their names.
from snakemake.utils import min_version

min_version("9.20")


configfile: "config/config.yaml"


# Used with `--software-deployment-method apptainer` alone; envs/hakken.def is its recipe.
container: "envs/hakken.sif"


include: "workflow/rules/common.smk"
include: "workflow/rules/cohort.smk"
include: "workflow/rules/imaging.smk"
include: "workflow/rules/patches.smk"
include: "workflow/rules/sweep.smk"
include: "workflow/rules/freeze.smk"
include: "workflow/rules/test.smk"
include: "workflow/rules/evaluate.smk"
include: "workflow/rules/segmentation.smk"
include: "workflow/rules/sizes.smk"
include: "workflow/rules/classification.smk"
include: "workflow/rules/figures.smk"
include: "workflow/rules/expectation.smk"
include: "workflow/rules/comparison.smk"
include: "workflow/rules/scaling.smk"
include: "workflow/rules/pictures.smk"
include: "workflow/rules/report.smk"
include: "workflow/rules/overview.smk"


rule all:
    default_target: True
    input:
        all_figures,
        everything("results/{study}/{scale}/sweeps/search/trials.csv"),
        everything("results/{study}/{scale}/report.html"),
        everything("results/{study}/{scale}/summary.txt"),


rule figures:
    input:
        all_figures,


rule sweeps:
    input:
        everything("results/{study}/{scale}/sweeps/search/trials.csv"),
        everything("results/{study}/{scale}/selected.json"),


# Not part of `all`: some hundred trainings for each study with `search.comparison`. It opens no test case.
rule comparison:
    input:
        compared,


# Not part of `all`: one training with several numbers of processes (`scaling`). It opens no test case.
rule scaling:
    input:
        scaled,


onstart:
    begin()


onsuccess:
    print(finished_summaries())
