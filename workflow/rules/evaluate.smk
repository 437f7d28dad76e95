# Evaluation: candidates against lesions, with intervals. Needs candidates/ and prepared/. Makes evaluation/.


rule evaluate:
    """Measure the candidates of one model on one part of the cohort."""
    input:
        candidates="results/{study}/{scale}/candidates/{part}/{model}.csv",
        prepared=batches("results/{study}/{scale}/prepared/{part}-{batch}"),
        threshold=threshold,
    output:
        evaluation="results/{study}/{scale}/evaluation/{part}/{model}.json",
        curve="results/{study}/{scale}/evaluation/{part}/{model}.curve.csv",
        strata="results/{study}/{scale}/evaluation/{part}/{model}.strata.csv",
        lesions="results/{study}/{scale}/evaluation/{part}/{model}.lesions.csv",
    log:
        "results/{study}/{scale}/logs/evaluate/{part}-{model}.log",
    benchmark:
        "results/{study}/{scale}/benchmarks/evaluate/{part}-{model}.tsv"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=60,
    params:
        study=study("cohort", "channels", "reference", "preparation", "evaluation"),
        model="{model}",
        part="{part}",
        code=code("evaluate"),
    script:
        "../scripts/evaluate.py"
