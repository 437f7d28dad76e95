# Sizes: one network at several sizes beside networks that were trained at one size apart, for the task segmentation.
# Needs the trials, the freeze and evaluation/. Makes the models apart-N, their predictions of validation, costs.csv,
# sizes.csv and the figure of the sizes.


rule gather_apart:
    """Take the network that was trained at one depth alone, and its masks of validation."""
    input:
        trial="results/{study}/{scale}/sweeps/{model}/trials/0000.json",
    output:
        model="results/{study}/{scale}/models/{model}.pt",
        predictions="results/{study}/{scale}/predictions/validation/{model}.csv",
    log:
        "results/{study}/{scale}/logs/gather_apart/{model}.log",
    benchmark:
        "results/{study}/{scale}/benchmarks/gather_apart/{model}.tsv"
    wildcard_constraints:
        study=of_task("segmentation"),
        model=r"apart-\d+",
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        code=code("gather_apart"),
    script:
        "../scripts/gather_apart.py"


rule size_costs:
    """Count and measure what each size of each frozen network costs on one image."""
    input:
        freeze="results/{study}/{scale}/freeze.json",
        models=frozen_models,
        prepared=batches("results/{study}/{scale}/prepared/{part}-{batch}", "validation"),
    output:
        costs="results/{study}/{scale}/costs.csv",
    log:
        "results/{study}/{scale}/logs/size_costs/costs.log",
    benchmark:
        "results/{study}/{scale}/benchmarks/size_costs/costs.tsv"
    wildcard_constraints:
        study=of_task("segmentation"),
    threads: 1
    resources:
        gpu=1,
        mem_mb=4000,
        runtime=20,
    params:
        code=code("size_costs"),
    script:
        "../scripts/size_costs.py"


rule size_table:
    """Put how well and at what cost each size segments into one table."""
    input:
        tables=mask_tables,
        costs="results/{study}/{scale}/costs.csv",
    output:
        sizes="results/{study}/{scale}/sizes.csv",
    log:
        "results/{study}/{scale}/logs/size_table/sizes.log",
    benchmark:
        "results/{study}/{scale}/benchmarks/size_table/sizes.tsv"
    wildcard_constraints:
        study=of_task("segmentation"),
    threads: 1
    resources:
        mem_mb=2000,
        runtime=20,
    params:
        study=study("cohort", "channels", "reference", "preparation", "evaluation", "inference"),
        code=code("size_table"),
    script:
        "../scripts/size_table.py"


rule figure_sizes:
    """Draw mean Dice against multiply-adds, trained once for all sizes and apart for each."""
    input:
        sizes="results/{study}/{scale}/sizes.csv",
        rule="results/{study}/{scale}/threshold.json",
        table=table,
        opening="results/{study}/{scale}/test/opening.json",
    output:
        "results/{study}/{scale}/figures/sizes.pdf",
        "results/{study}/{scale}/figures/sizes.svg",
        report(
            "results/{study}/{scale}/figures/sizes.png",
            caption="../report/sizes.rst",
            category="{study} ({scale})",
            subcategory="Figures",
            labels={"figure": "sizes"},
        ),
        "results/{study}/{scale}/figures/sizes.json",
    log:
        "results/{study}/{scale}/logs/figure_sizes/sizes.log",
    benchmark:
        "results/{study}/{scale}/benchmarks/figure_sizes/sizes.tsv"
    wildcard_constraints:
        study=of_task("segmentation"),
    threads: 1
    resources:
        mem_mb=2000,
        runtime=20,
    params:
        study=whole_study,
        openings="results/{study}/{scale}/openings.jsonl",
        code=code("figure_sizes"),
    script:
        "../scripts/figure_sizes.py"
