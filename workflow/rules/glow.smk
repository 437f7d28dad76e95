# Flows: what gradients cost in memory and time. Needs models/ and the freeze. Makes glow/memory.csv, for the figure `flow_memory`.


rule glow_memory:
    """Measure a step of training of flows of several depths, by each way to compute gradients."""
    input:
        "results/{study}/{scale}/freeze.json",
        models=of(inputs.frozen_models),
    output:
        output="results/{study}/{scale}/glow/memory.csv",
    log:
        "results/{study}/{scale}/logs/glow_memory/memory.log",
    benchmark:
        "results/{study}/{scale}/benchmarks/glow_memory/memory.tsv"
    threads: 1
    resources:
        gpu=1,
        mem_mb=8000,
        runtime=30,
    params:
        stage="glow_memory",
        code=code("glow_memory"),
    script:
        "../scripts/stage.py"
