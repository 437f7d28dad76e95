# The jobs of a search whose trainings pause at rungs (`search.rungs`): each begins trainings and lets paused ones of any job go
# on, until it has spent the steps of one full training. Needs what a trial needs. Makes sweeps/<run>/jobs/, which stand for the
# trials of the run wherever those are read; ledger and trainings stand beside them as those of trials do.


rule job:
    """Spend the steps of one full training on trainings that pause at rungs."""
    input:
        ancient(of(inputs.earlier)),
        of(inputs.ready),
        patches=of(inputs.store),
        train=of(inputs.train_cases),
        validation=of(inputs.validation_cases),
        source=ancient(of(inputs.source_made_here, PLANS)),
    output:
        output="results/{study}/{scale}/sweeps/{sweep}/jobs/{job}.json",
    log:
        "results/{study}/{scale}/logs/job/{sweep}-{job}.log",
    benchmark:
        "results/{study}/{scale}/benchmarks/job/{sweep}-{job}.tsv"
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
        stage="job",
        study=of(jobs.science_of_study),
        run=of(jobs.run),
        trials=unseen(jobs.planned_trials),
        slots=unseen(jobs.planned_slots),
        stop_after_failures=unseen(jobs.allowed_failures),
        minutes=time_limit,
        attempt=which_attempt,
        across=across,
        number="{job}",
        source=of(jobs.source),
        logs="results/{study}/{scale}/logs/job",
        ledger="results/{study}/{scale}/sweeps/{sweep}/ledger",
        work="results/{study}/{scale}/sweeps/{sweep}/trainings",
        code=code("job"),
        code_of_trial=code("trial"),
    script:
        "../scripts/stage.py"
