# Samples: the patches that networks learn from, in a few memory-mapped shards.
# Needs prepared cases that share no image between parts. Makes patches/: of the training cases, of all development cases
# where variants hold out folds of them, of all cases where each is predicted by a model of the other folds.


rule patches:
    """Cut positives, easy and hard negatives into shards."""
    input:
        of(inputs.ready),
        prepared=of(inputs.cut_from),
    output:
        output=directory("results/{study}/{scale}/patches/{data}"),
    log:
        "results/{study}/{scale}/logs/patches/{data}.log",
    benchmark:
        "results/{study}/{scale}/benchmarks/patches/{data}.tsv"
    threads: 1
    resources:
        mem_mb=4000,
        runtime=240,
    params:
        stage="patches",
        study=of(
            jobs.sampled_study,
            "preparation",
            "patches",
            "method",
            "inference.least_inside",
            "evaluation.accept_outside",
        ),
        code=code("patches"),
    script:
        "../scripts/stage.py"
