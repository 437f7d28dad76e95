# Evaluation: candidates against lesions, with intervals. Needs predictions/, prepared/ and the trials. Makes evaluation/.


rule evaluate:
    """Measure the candidates of one model on one part of the cohort."""
    input:
        candidates="results/{study}/{scale}/predictions/{part}/{model}.csv",
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
    wildcard_constraints:
        study=of_task("detection", "anomaly"),
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


rule optimism:
    """Estimate by how much the best of many trials looks better on validation than it is."""
    input:
        trials=trials,
        prepared=batches("results/{study}/{scale}/prepared/{part}-{batch}", "validation"),
    output:
        optimism="results/{study}/{scale}/evaluation/validation/optimism.json",
    log:
        "results/{study}/{scale}/logs/optimism/optimism.log",
    benchmark:
        "results/{study}/{scale}/benchmarks/optimism/optimism.tsv"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=60,
    params:
        study=study("cohort", "channels", "reference", "preparation", "evaluation"),
        code=code("optimism"),
    script:
        "../scripts/optimism.py"


rule case_table:
    """Put the scores of the cases and their ROC curve into tables, for the task anomaly."""
    input:
        evaluation="results/{study}/{scale}/evaluation/{part}/{model}.json",
        candidates="results/{study}/{scale}/predictions/{part}/{model}.csv",
        prepared=batches("results/{study}/{scale}/prepared/{part}-{batch}"),
    output:
        roc="results/{study}/{scale}/evaluation/{part}/{model}.roc.csv",
        cases="results/{study}/{scale}/evaluation/{part}/{model}.cases.csv",
    log:
        "results/{study}/{scale}/logs/case_table/{part}-{model}.log",
    benchmark:
        "results/{study}/{scale}/benchmarks/case_table/{part}-{model}.tsv"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        code=code("case_table"),
    script:
        "../scripts/case_table.py"
