# Predictions: what models say of cases. Needs models/, the cases of a part and, for the test set, the freeze and its opening.
# Makes predictions/, the models of the baselines and, on validation, averages of the best trials in sweeps/<run>/averages.


rule baseline:
    """Choose on validation what has learnt nothing and is measured beside the models."""
    input:
        of(inputs.ready),
        cases=of(inputs.baseline_cases),
        training=of(inputs.baseline_training),
    output:
        output="results/{study}/{scale}/models/{model}.pt",
    log:
        "results/{study}/{scale}/logs/baseline/{model}.log",
    benchmark:
        "results/{study}/{scale}/benchmarks/baseline/{model}.tsv"
    wildcard_constraints:
        model=jobs.baselines(PLANS),
    threads: 1
    resources:
        mem_mb=4000,
        runtime=60,
    params:
        stage="baseline",
        study=study("preparation", "parameters", "inference", "outcomes"),
        name=of(jobs.baseline_name),
        code=code("baseline"),
    script:
        "../scripts/stage.py"


rule average:
    """Average the best trials of a search on validation: two of them, three, and so on."""
    input:
        trials=of(inputs.trials),
        confirmations=of(inputs.confirmations),
        cases=of(inputs.validation_cases),
    output:
        output=directory("results/{study}/{scale}/sweeps/{sweep}/averages"),
    log:
        "results/{study}/{scale}/logs/average/{sweep}.log",
    benchmark:
        "results/{study}/{scale}/benchmarks/average/{sweep}.tsv"
    threads: 1
    resources:
        gpu=1,
        mem_mb=8000,
        runtime=240,
    params:
        stage="average",
        study=study("preparation", "parameters", "inference", "outcomes", "evaluation"),
        confirm=of(jobs.confirm),
        up_to=of(jobs.ensemble),
        code=code("average"),
    script:
        "../scripts/stage.py"


rule predict:
    """Say of the cases of a part what a model makes of them."""
    input:
        of(inputs.ready),
        freeze=of(inputs.freeze),
        opening=of(inputs.opening),
        models=of(inputs.model_files),
        cases=of(inputs.part_cases),
    output:
        output=directory("results/{study}/{scale}/predictions/{part}/{model}"),
    log:
        "results/{study}/{scale}/logs/predict/{part}-{model}.log",
    benchmark:
        "results/{study}/{scale}/benchmarks/predict/{part}-{model}.tsv"
    threads: 1
    resources:
        gpu=1,
        mem_mb=8000,
        runtime=120,
    params:
        stage="predict",
        study=study("preparation", "parameters", "inference", "outcomes"),
        whose=of(jobs.whose),
        ledger=unseen(jobs.ledger),
        code=code("predict"),
    script:
        "../scripts/stage.py"
