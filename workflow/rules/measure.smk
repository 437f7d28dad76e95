# Measurements: predictions against the truth, with intervals. Needs predictions/, the cases and the trials.
# Makes measurements/, optimism.json and variants/.


rule measure:
    """Measure all outcomes of one model on one part."""
    input:
        predictions="results/{study}/{scale}/predictions/{part}/{model}",
        cases=of(inputs.part_cases),
        points=of(inputs.points),
        table=of(inputs.table),
        freeze=of(inputs.freeze),
        opening=of(inputs.opening),
    output:
        output=directory("results/{study}/{scale}/measurements/{part}/{model}"),
    log:
        "results/{study}/{scale}/logs/measure/{part}-{model}.log",
    benchmark:
        "results/{study}/{scale}/benchmarks/measure/{part}-{model}.tsv"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=60,
    params:
        stage="measure",
        study=study("preparation", "parameters", "inference", "outcomes", "evaluation"),
        model="{model}",
        part="{part}",
        folds=of(jobs.folds),
        ledger=unseen(jobs.ledger),
        code=code("measure"),
    script:
        "../scripts/stage.py"


rule optimism:
    """Estimate by how much the best of many trials looks better on validation than it is."""
    input:
        trials=of(inputs.searched_trials),
        confirmations=of(inputs.confirmations),
        averages=of(inputs.averages),
        cases=of(inputs.validation_part),
    output:
        output="results/{study}/{scale}/optimism.json",
    log:
        "results/{study}/{scale}/logs/optimism/optimism.log",
    benchmark:
        "results/{study}/{scale}/benchmarks/optimism/optimism.tsv"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=60,
    params:
        stage="optimism",
        confirm=of(jobs.confirm),
        study=study("preparation", "parameters", "inference", "outcomes", "evaluation"),
        code=code("optimism"),
    script:
        "../scripts/stage.py"


rule variants:
    """Put the variants of a set beside each other, and test which of their factors matter."""
    input:
        trials=of(inputs.set_trials),
        predictions=of(inputs.set_predictions),
        cases=of(inputs.set_cases),
    output:
        output="results/{study}/{scale}/variants/{set}.json",
        table="results/{study}/{scale}/variants/{set}.csv",
    log:
        "results/{study}/{scale}/logs/variants/{set}.log",
    benchmark:
        "results/{study}/{scale}/benchmarks/variants/{set}.tsv"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=60,
    params:
        stage="variants",
        study=study("preparation", "parameters", "inference", "outcomes", "evaluation"),
        name="{set}",
        runs=of(jobs.set_runs),
        code=code("variants"),
    script:
        "../scripts/stage.py"
