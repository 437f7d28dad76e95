# The cohort: who is in the study and whether the images can be trusted.
# Needs the case table (the study's own, or the phantom's, which is drawn here). Makes checked/.


rule phantom_table:
    """Write the case table of a phantom cohort."""
    output:
        table="results/{study}/{scale}/cohort/cases.csv",
    log:
        "results/{study}/{scale}/logs/phantom_table/cases.log",
    benchmark:
        "results/{study}/{scale}/benchmarks/phantom_table/cases.tsv"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        study=study("cohort"),
        cases_per_job=cases_per_job,
        code=code("phantom_table"),
    script:
        "../scripts/phantom_table.py"


rule phantom:
    """Draw the phantom cases of one batch."""
    input:
        seal,
    output:
        images=directory("results/{study}/{scale}/cohort/{part}-{batch}"),
    log:
        "results/{study}/{scale}/logs/phantom/{part}-{batch}.log",
    benchmark:
        "results/{study}/{scale}/benchmarks/phantom/{part}-{batch}.tsv"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=60,
    params:
        study=study("cohort"),
        cases=cases,
        code=code("phantom"),
    script:
        "../scripts/phantom.py"


rule check:
    """Read the images of one batch and stop at the first batch with problems, naming all of them."""
    input:
        images,
        seal,
        table=table,
    output:
        digests="results/{study}/{scale}/checked/{part}-{batch}.json",
    log:
        "results/{study}/{scale}/logs/check/{part}-{batch}.log",
    benchmark:
        "results/{study}/{scale}/benchmarks/check/{part}-{batch}.tsv"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=60,
    params:
        study=study("cohort"),
        cases=cases,
        code=code("check"),
    script:
        "../scripts/check.py"


rule separate:
    """Make sure that no image stands in two parts: of the development cases, and once the test set is open, of all."""
    input:
        digests=digests,
        table=table,
    output:
        separated="results/{study}/{scale}/checked/{scope}.json",
    log:
        "results/{study}/{scale}/logs/separate/{scope}.log",
    benchmark:
        "results/{study}/{scale}/benchmarks/separate/{scope}.tsv"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        study=study("cohort"),
        code=code("separate"),
    script:
        "../scripts/separate.py"
