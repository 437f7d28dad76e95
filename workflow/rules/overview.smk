# The overview: all configured studies beside each other. Needs their figures and summaries. Made only when it is asked
# for: `snakemake --cores 2 results/overview.md`. Makes results/overview.md and results/overview.png.


rule overview:
    """Put what was published beside what was measured, and all figures on one contact sheet."""
    input:
        all_figures,
        everything("results/{study}/{scale}/summary.txt"),
    output:
        page="results/overview.md",
        sheet="results/overview.png",
    log:
        "results/logs/overview/overview.log",
    benchmark:
        "results/benchmarks/overview/overview.tsv"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=10,
    params:
        studies=[plan.study.model_dump(mode="json") for plan in PLANS.values()],
        folders=everything("results/{study}/{scale}"),
        code=code("overview"),
    script:
        "../scripts/overview.py"
