# Imaging: every channel onto the reference channel, every case onto the common grid.
# Needs checked images. Makes registered/ (transforms, metric, pictures) and prepared/ (arrays, mask, labels, geometry).


rule register:
    """Register every channel of one batch to its reference channel."""
    input:
        images,
        table=table,
        checked="results/{study}/{scale}/checked/{part}-{batch}.json",
    output:
        registered=directory("results/{study}/{scale}/registered/{part}-{batch}"),
    log:
        "results/{study}/{scale}/logs/register/{part}-{batch}.log",
    benchmark:
        "results/{study}/{scale}/benchmarks/register/{part}-{batch}.tsv"
    threads: 1
    resources:
        mem_mb=4000,
        runtime=120,
    params:
        study=study("cohort", "channels", "reference", "registration", "preparation.mask"),
        cases=cases,
        code=code("register"),
    script:
        "../scripts/register.py"


rule prepare:
    """Resample one batch onto the common grid, mask it and normalise its intensities."""
    input:
        images,
        table=table,
        registered="results/{study}/{scale}/registered/{part}-{batch}",
    output:
        prepared=directory("results/{study}/{scale}/prepared/{part}-{batch}"),
    log:
        "results/{study}/{scale}/logs/prepare/{part}-{batch}.log",
    benchmark:
        "results/{study}/{scale}/benchmarks/prepare/{part}-{batch}.tsv"
    threads: 1
    resources:
        mem_mb=4000,
        runtime=60,
    params:
        study=study("cohort", "channels", "reference", "preparation"),
        cases=cases,
        code=code("prepare"),
    script:
        "../scripts/prepare.py"
