# The seal: once the models and the operating point are written down with the hashes of all that led to them, the test
# set may be opened. Needs selected.json and its measurement on validation. Makes freeze.json and test/opening.json,
# and appends to openings.jsonl, the hash-chained ledger of all openings.


rule freeze:
    """Write down the models, the operating point and the hashes of all that led to them."""
    input:
        selected="results/{study}/{scale}/selected.json",
        models=frozen_models,
        evaluations=frozen_evaluations,
        apart=apart_trials,
        baselines=baselines,
        separated="results/{study}/{scale}/checked/development.json",
        table=table,
    output:
        freeze="results/{study}/{scale}/freeze.json",
    log:
        "results/{study}/{scale}/logs/freeze/freeze.log",
    benchmark:
        "results/{study}/{scale}/benchmarks/freeze/freeze.tsv"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        study=sealed,
        codes=frozen_codes,
        code=code("freeze"),
    script:
        "../scripts/freeze.py"


rule unseal:
    """Open the test set: append one line to the ledger of openings."""
    input:
        freeze="results/{study}/{scale}/freeze.json",
    output:
        opening="results/{study}/{scale}/test/opening.json",
    log:
        "results/{study}/{scale}/logs/unseal/opening.log",
    benchmark:
        "results/{study}/{scale}/benchmarks/unseal/opening.tsv"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        ledger="results/{study}/{scale}/openings.jsonl",
    script:
        "../scripts/unseal.py"
