# Images: every channel onto the reference channel, every case onto the common grid. Cases that are no images pass by.
# Needs checked images. Makes registered/ (transforms, metric, pictures) and prepared/ (arrays, mask, labels, geometry).


rule register:
    """Register every channel of one batch to its reference channel."""
    input:
        of(inputs.images),
        of(inputs.opening),
        table=of(inputs.table),
        checked="results/{study}/{scale}/checked/{part}-{batch}.json",
    output:
        output=directory("results/{study}/{scale}/registered/{part}-{batch}"),
    log:
        "results/{study}/{scale}/logs/register/{part}-{batch}.log",
    benchmark:
        "results/{study}/{scale}/benchmarks/register/{part}-{batch}.tsv"
    threads: 1
    resources:
        mem_mb=4000,
        runtime=120,
    params:
        stage="register",
        study=study("registration", "preparation.mask"),
        cases=of(jobs.batch),
        code=code("register"),
    script:
        "../scripts/stage.py"


rule prepare:
    """Resample one batch onto the common grid, mask it and normalise its intensities."""
    input:
        of(inputs.images),
        table=of(inputs.table),
        checked="results/{study}/{scale}/checked/{part}-{batch}.json",
        registered="results/{study}/{scale}/registered/{part}-{batch}",
    output:
        output=directory("results/{study}/{scale}/prepared/{part}-{batch}"),
    log:
        "results/{study}/{scale}/logs/prepare/{part}-{batch}.log",
    benchmark:
        "results/{study}/{scale}/benchmarks/prepare/{part}-{batch}.tsv"
    threads: 1
    resources:
        mem_mb=4000,
        runtime=60,
    params:
        stage="prepare",
        study=study("preparation"),
        cases=of(jobs.batch),
        code=code("prepare"),
    script:
        "../scripts/stage.py"
