# The sweep: independent trainings, each of which asks for its parameters when it starts.
# Needs patches/ and the prepared validation cases. Makes sweeps/<sweep>/trials/; the ledger, the checkpoints and the
# models stand beside them in sweeps/<sweep>/ledger and sweeps/<sweep>/trainings, outside the declared outputs, because
# Snakemake deletes those when a job fails.


rule trial:
    """Train one network: of the search, or with the study's untuned default."""
    input:
        store="results/{study}/{scale}/patches/train",
        prepared=batches("results/{study}/{scale}/prepared/{part}-{batch}", "validation"),
    output:
        trial="results/{study}/{scale}/sweeps/{sweep}/trials/{trial}.json",
    log:
        "results/{study}/{scale}/logs/trial/{sweep}-{trial}.log",
    benchmark:
        "results/{study}/{scale}/benchmarks/trial/{sweep}-{trial}.tsv"
    priority: 10
    retries: 2
    threads: 1
    resources:
        **{f"slots_{name}": lambda wildcards, name=name: int(wildcards.study == name) for name in PLANS},
        gpu=1,
        mem_mb=8000,
        runtime=720,
    params:
        study=science,
        sweep="{sweep}",
        number="{trial}",
        ledger="results/{study}/{scale}/sweeps/{sweep}/ledger",
        work="results/{study}/{scale}/sweeps/{sweep}/trainings/{trial}",
        code=code("trial"),
    script:
        "../scripts/trial.py"


rule select_trial:
    """Take the trial that is best on validation, and gather its network and the default's."""
    input:
        trials=trials,
        default="results/{study}/{scale}/sweeps/default/trials/0000.json",
    output:
        selected="results/{study}/{scale}/selected.json",
        models=expand("results/{{study}}/{{scale}}/models/{model}.pt", model=MODELS),
        candidates=expand("results/{{study}}/{{scale}}/candidates/validation/{model}.csv", model=MODELS),
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
