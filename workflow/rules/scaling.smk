# Strong scaling: the untuned default trained with several numbers of processes, the work being the same.
# Needs patches/ and the prepared validation cases, and no test case. Made only when it is asked for:
# `snakemake scaling`. Makes figures/scaling and its table sweeps/scaling.csv.


rule figure_scaling:
    """Draw score over time and speed for each number of processes, beside the published speeds."""
    input:
        trials=scaling_trials,
        table=table,
    output:
        "results/{study}/{scale}/figures/scaling.pdf",
        report(
            "results/{study}/{scale}/figures/scaling.svg",
            caption="../report/scaling.rst",
            category="{study} ({scale})",
            subcategory="Figures",
            labels={"figure": "scaling"},
        ),
        "results/{study}/{scale}/figures/scaling.png",
        "results/{study}/{scale}/figures/scaling.json",
        scaling="results/{study}/{scale}/sweeps/scaling.csv",
    log:
        "results/{study}/{scale}/logs/figure_scaling/scaling.log",
    benchmark:
        "results/{study}/{scale}/benchmarks/figure_scaling/scaling.tsv"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=20,
    params:
        study=whole_study,
        openings="results/{study}/{scale}/openings.jsonl",
        code=code("figure_scaling"),
    script:
        "../scripts/figure_scaling.py"
