# The trainings: independent trials of all runs (search, default, variants, comparison, scaling), each of which asks for its
# parameters when it starts; those that confirm a search train its best again; what two runs would train alike, one of them
# takes over. Needs patches/ or cases, as the method wants. Makes sweeps/<run>/trials/ or sweeps/<run>/shared/, and models/;
# the ledger, the checkpoints and the trials' own models stand beside them in sweeps/<run>/ledger and sweeps/<run>/trainings,
# outside the declared outputs, because Snakemake deletes those when a job fails.


rule trial:
    """Train one model: of a search, with the study's untuned default, or of a variant."""
    input:
        ancient(of(inputs.earlier)),
        of(inputs.ready),
        patches=of(inputs.store),
        train=of(inputs.train_cases),
        validation=of(inputs.validation_cases),
        source=ancient(of(inputs.source_made_here, PLANS)),
        searched=of(inputs.confirmed),
    output:
        output="results/{study}/{scale}/sweeps/{sweep}/trials/{trial}.json",
    log:
        "results/{study}/{scale}/logs/trial/{sweep}-{trial}.log",
    benchmark:
        "results/{study}/{scale}/benchmarks/trial/{sweep}-{trial}.tsv"
    priority: 10
    retries: RETRIES
    threads: of(jobs.processes)
    resources:
        **{resource: of(jobs.takes, resource) for resource in SLOTS},
        gpu=of(jobs.gpus),
        gres=of(jobs.gpus_of_each),
        nodes=of(jobs.nodes),
        tasks=of(jobs.tasks),
        tasks_per_gpu=of(jobs.tasks_per_gpu),
        mpi=of(jobs.launcher),
        attempt=attempt,
        mem_mb=8000,
        runtime=720,
    params:
        stage="trial",
        study=of(jobs.science_of_study),
        run=of(jobs.run),
        trials=unseen(jobs.planned_trials),
        slots=unseen(jobs.planned_slots),
        stop_after_failures=unseen(jobs.allowed_failures),
        minutes=time_limit,
        attempt=which_attempt,
        across=across,
        number="{trial}",
        first=of(jobs.takes_over),
        source=of(jobs.source),
        logs="results/{study}/{scale}/logs/trial",
        ledger=of(jobs.sweep_ledger),
        work=of(jobs.training_folder),
        code=code("trial"),
    script:
        "../scripts/stage.py"


# Take a training over from another run. It trains only where no job of that run is at it any more.
use rule trial as shared with:
    output:
        output="results/{study}/{scale}/sweeps/{sweep}/shared/{trial}.json",
    log:
        "results/{study}/{scale}/logs/shared/{sweep}-{trial}.log",
    benchmark:
        "results/{study}/{scale}/benchmarks/shared/{sweep}-{trial}.tsv"


rule sweep_table:
    """Put the trials of a sweep into one table."""
    input:
        trials=of(inputs.trials),
        confirmations=of(inputs.confirmations),
    output:
        output="results/{study}/{scale}/sweeps/{sweep}/trials.csv",
    log:
        "results/{study}/{scale}/logs/sweep_table/{sweep}.log",
    benchmark:
        "results/{study}/{scale}/benchmarks/sweep_table/{sweep}.tsv"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        stage="sweep_table",
        parameters=of(jobs.searched),
        confirm=of(jobs.confirm),
        code=code("sweep_table"),
    script:
        "../scripts/stage.py"


rule select:
    """Take the trial of a run that is best on validation."""
    input:
        trials=of(inputs.trials),
        confirmations=of(inputs.confirmations),
        averages=of(inputs.averages),
    output:
        model="results/{study}/{scale}/models/{model}.pt",
        record="results/{study}/{scale}/models/{model}.json",
    log:
        "results/{study}/{scale}/logs/select/{model}.log",
    benchmark:
        "results/{study}/{scale}/benchmarks/select/{model}.tsv"
    wildcard_constraints:
        model=jobs.models(PLANS),
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        stage="select",
        study=of(jobs.used_study),
        confirm=of(jobs.confirm),
        code=code("select"),
    script:
        "../scripts/stage.py"
