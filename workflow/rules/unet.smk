# U-Nets of several sizes: what each size costs. Needs models/ and the freeze. Makes unet/costs.csv, for the figure `sizes`.


rule unet_costs:
    """Count and measure what each size of each frozen network costs on one image."""
    input:
        "results/{study}/{scale}/freeze.json",
        models=of(inputs.frozen_models),
        cases=of(inputs.validation_part),
    output:
        output="results/{study}/{scale}/unet/costs.csv",
    log:
        "results/{study}/{scale}/logs/unet_costs/costs.log",
    benchmark:
        "results/{study}/{scale}/benchmarks/unet_costs/costs.tsv"
    threads: 1
    resources:
        gpu=1,
        mem_mb=4000,
        runtime=20,
    params:
        stage="unet_costs",
        code=code("unet_costs"),
    script:
        "../scripts/stage.py"
