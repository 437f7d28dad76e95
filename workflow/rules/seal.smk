# The seal: once the models and their operating points are written down with the hashes of all that led to them, the test
# set may be opened. Needs models/ and their measurements on validation, and then the checked test cases. Makes freeze.json,
# test/opening.json and a file in the ledger of all openings of these cases, which stands outside the results. Where each case
# is predicted by a model of the other folds, the plan is frozen and everything else waits for the opening.


rule freeze:
    """Write down the models, their operating points and the hashes of all that led to them."""
    input:
        models=of(inputs.frozen_models),
        records=of(inputs.frozen_records),
        measurements=of(inputs.frozen_measurements),
        data=of(inputs.frozen_data),
        separated=of(inputs.frozen_cases),
        table=of(inputs.table),
    output:
        output="results/{study}/{scale}/freeze.json",
    log:
        "results/{study}/{scale}/logs/freeze/freeze.log",
    benchmark:
        "results/{study}/{scale}/benchmarks/freeze/freeze.tsv"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=60,
    params:
        stage="freeze",
        study=of(jobs.sealed_study),
        codes=of(jobs.frozen_codes),
        code=code("freeze"),
    script:
        "../scripts/stage.py"


rule unseal:
    """Open the test set: add one file to the ledger of openings."""
    input:
        of(inputs.all_separated),
        freeze="results/{study}/{scale}/freeze.json",
        models=of(inputs.frozen_models),
        checked=of(inputs.sealed_checks),
        table=of(inputs.table),
    output:
        output="results/{study}/{scale}/test/opening.json",
    log:
        "results/{study}/{scale}/logs/unseal/opening.log",
    benchmark:
        "results/{study}/{scale}/benchmarks/unseal/opening.tsv"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        stage="unseal",
        study=study("cohort"),
        ledger=unseen(jobs.ledger),
    script:
        "../scripts/stage.py"
