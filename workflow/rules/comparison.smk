# The comparison: how far and how fast the search gets with 1, 2, 4 or 8 trainings at once, beside random search.
# Needs the trials of all sweeps of `search.comparison` and of the default, and no test case. Made only when it is asked
# for: `snakemake --cores 8 comparison`. Makes figures/comparison and its table sweeps/comparison.csv.


rule figure_comparison:
    """Draw the best objective so far against trials and time for each number of trainings at once."""
    input:
        trials=comparison_trials,
        default="results/{study}/{scale}/sweeps/default/trials/0000.json",
        table=table,
    output:
        "results/{study}/{scale}/figures/comparison.pdf",
        report(
            "results/{study}/{scale}/figures/comparison.svg",
            caption="../report/comparison.rst",
            category="{study} ({scale})",
            subcategory="Figures",
            labels={"figure": "comparison"},
        ),
        "results/{study}/{scale}/figures/comparison.png",
        "results/{study}/{scale}/figures/comparison.json",
        comparison="results/{study}/{scale}/sweeps/comparison.csv",
    log:
        "results/{study}/{scale}/logs/figure_comparison/comparison.log",
    benchmark:
        "results/{study}/{scale}/benchmarks/figure_comparison/comparison.tsv"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=20,
    params:
        study=whole_study,
        openings="results/{study}/{scale}/openings.jsonl",
        code=code("figure_comparison"),
    script:
        "../scripts/figure_comparison.py"
