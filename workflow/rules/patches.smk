# Patches: positives, easy and hard negatives of the training cases, in a few memory-mapped shards.
# Needs prepared training and validation cases that share no image. Makes patches/.


rule patches:
    """Cut the patches of the training cases into shards."""
    input:
        prepared=batches("results/{study}/{scale}/prepared/{part}-{batch}", "train"),
        separated="results/{study}/{scale}/checked/development.json",
    output:
        store=directory("results/{study}/{scale}/patches/train"),
    log:
        "results/{study}/{scale}/logs/patches/train.log",
    benchmark:
        "results/{study}/{scale}/benchmarks/patches/train.tsv"
    threads: 1
    resources:
        mem_mb=4000,
        runtime=240,
    params:
        study=study(
            "cohort",
            "channels",
            "reference",
            "preparation",
            "patches",
            "training.network",
            "inference.least_inside",
        ),
        part="train",
        code=code("patches"),
    script:
        "../scripts/patches.py"
