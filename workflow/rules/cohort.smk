# The cohort: who is in the study and whether the files can be trusted.
# Needs the case table (the study's own, or the phantom's, which is drawn here). Makes checked/.


rule phantom_table:
    """Write the case table of a phantom cohort."""
    output:
        output="results/{study}/{scale}/cohort/cases.csv",
    log:
        "results/{study}/{scale}/logs/phantom_table/cases.log",
    benchmark:
        "results/{study}/{scale}/benchmarks/phantom_table/cases.tsv"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        stage="phantom_table",
        study=study("cohort"),
        cases_per_job=of(jobs.cases_per_job),
        code=code("phantom_table"),
    script:
        "../scripts/stage.py"


rule phantom:
    """Draw the phantom cases of one batch."""
    input:
        of(inputs.freeze_first),
    output:
        output=directory("results/{study}/{scale}/cohort/{part}-{batch}"),
    log:
        "results/{study}/{scale}/logs/phantom/{part}-{batch}.log",
    benchmark:
        "results/{study}/{scale}/benchmarks/phantom/{part}-{batch}.tsv"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=60,
    params:
        stage="phantom",
        study=study("cohort"),
        cases=of(jobs.batch),
        code=code("phantom"),
    script:
        "../scripts/stage.py"


rule check:
    """Read the files of one batch and stop at the first batch with problems, naming all of them."""
    input:
        of(inputs.images),
        of(inputs.freeze_first),
        table=of(inputs.table),
    output:
        output="results/{study}/{scale}/checked/{part}-{batch}.json",
    log:
        "results/{study}/{scale}/logs/check/{part}-{batch}.log",
    benchmark:
        "results/{study}/{scale}/benchmarks/check/{part}-{batch}.tsv"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=60,
    params:
        stage="check",
        study=study("cohort", "cohort.accept"),
        cases=of(jobs.batch),
        code=code("check"),
    script:
        "../scripts/stage.py"


rule separate:
    """Make sure that no image stands in two parts: of the development cases, and once the models are frozen, of all."""
    input:
        digests=of(inputs.digests),
        table=of(inputs.table),
    output:
        output="results/{study}/{scale}/checked/{scope}.json",
    log:
        "results/{study}/{scale}/logs/separate/{scope}.log",
    benchmark:
        "results/{study}/{scale}/benchmarks/separate/{scope}.tsv"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        stage="separate",
        study=unseen(jobs.separated_study),
        ledger=unseen(jobs.ledger),
        code=code("separate"),
    script:
        "../scripts/stage.py"
