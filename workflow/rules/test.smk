# The test set: what the frozen models say of cases that nobody has looked at.
# Needs the opening, the frozen models and the prepared test cases. Makes predictions/test/ and errors/test/.


rule predict:
    """Find the candidates of the test cases with one frozen model."""
    input:
        freeze="results/{study}/{scale}/freeze.json",
        separated="results/{study}/{scale}/checked/test.json",
        model="results/{study}/{scale}/models/{model}.pt",
        prepared=batches("results/{study}/{scale}/prepared/{part}-{batch}", "test"),
    output:
        predictions="results/{study}/{scale}/predictions/test/{model}.csv",
    log:
        "results/{study}/{scale}/logs/predict/{model}.log",
    benchmark:
        "results/{study}/{scale}/benchmarks/predict/{model}.tsv"
    threads: 1
    resources:
        gpu=1,
        mem_mb=8000,
        runtime=120,
    params:
        study=study("cohort", "channels", "reference", "preparation", "inference"),
        code=code("predict"),
    script:
        "../scripts/predict.py"


rule reconstruct:
    """Say of the most anomalous test cases where the frozen autoencoder errs, for the task anomaly."""
    input:
        freeze="results/{study}/{scale}/freeze.json",
        model="results/{study}/{scale}/models/{model}.pt",
        candidates="results/{study}/{scale}/predictions/test/{model}.csv",
        prepared=batches("results/{study}/{scale}/prepared/{part}-{batch}", "test"),
    output:
        errors=directory("results/{study}/{scale}/errors/test/{model}"),
    log:
        "results/{study}/{scale}/logs/reconstruct/{model}.log",
    benchmark:
        "results/{study}/{scale}/benchmarks/reconstruct/{model}.tsv"
    threads: 1
    resources:
        gpu=1,
        mem_mb=8000,
        runtime=60,
    params:
        study=study("cohort", "channels", "reference", "preparation", "inference"),
        code=code("reconstruct"),
    script:
        "../scripts/reconstruct.py"
