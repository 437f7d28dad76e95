# The sweeps: independent trainings, each of which asks for its parameters when it starts.
# Needs patches/ and the prepared validation cases. Makes sweeps/<sweep>/trials/ and, of each sweep, one table; the
# ledger, the checkpoints and the models stand beside them in sweeps/<sweep>/ledger and sweeps/<sweep>/trainings, outside
# the declared outputs, because Snakemake deletes those when a job fails.


rule trial:
    """Train one network: of a search, or with the study's untuned default."""
    input:
        earlier=ancient(earlier_sweep),
        store="results/{study}/{scale}/patches/train",
        prepared=batches("results/{study}/{scale}/prepared/{part}-{batch}", "validation"),
        source=ancient(source_made_here),
    output:
        trial="results/{study}/{scale}/sweeps/{sweep}/trials/{trial}.json",
    log:
        "results/{study}/{scale}/logs/trial/{sweep}-{trial}.log",
    benchmark:
        "results/{study}/{scale}/benchmarks/trial/{sweep}-{trial}.tsv"
    priority: 10
    retries: RETRIES
    threads: processes
    resources:
        **{resource: takes(resource) for resource in SLOTS},
        gpu=gpus,
        gres=gpus_of_each,
        nodes=nodes,
        tasks=tasks,
        tasks_per_gpu=tasks_per_gpu,
        mpi=launcher,
        attempt=attempt,
        mem_mb=8000,
        runtime=720,
    params:
        study=science,
        sweep=sweep,
        minutes=time_limit,
        attempt=which_attempt,
        across=across,
        number="{trial}",
        source=source,
        logs="results/{study}/{scale}/logs/trial",
        ledger="results/{study}/{scale}/sweeps/{sweep}/ledger",
        work="results/{study}/{scale}/sweeps/{sweep}/trainings/{trial}",
        code=code("trial"),
    script:
        "../scripts/trial.py"


rule sweep_table:
    """Put the trials of a sweep into one table."""
    input:
        trials=trials,
    output:
        table="results/{study}/{scale}/sweeps/{sweep}/trials.csv",
    log:
        "results/{study}/{scale}/logs/sweep_table/{sweep}.log",
    benchmark:
        "results/{study}/{scale}/benchmarks/sweep_table/{sweep}.tsv"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        parameters=searched,
        code=code("sweep_table"),
    script:
        "../scripts/sweep_table.py"


rule select_trial:
    """Take the trial that is best on validation, and gather its network and the default's."""
    input:
        trials=trials,
        default="results/{study}/{scale}/sweeps/default/trials/0000.json",
    output:
        selected="results/{study}/{scale}/selected.json",
        models=expand("results/{{study}}/{{scale}}/models/{model}.pt", model=MODELS),
        predictions=expand("results/{{study}}/{{scale}}/predictions/validation/{model}.csv", model=MODELS),
    log:
        "results/{study}/{scale}/logs/select_trial/selected.log",
    benchmark:
        "results/{study}/{scale}/benchmarks/select_trial/selected.tsv"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        code=code("select_trial"),
    script:
        "../scripts/select_trial.py"
