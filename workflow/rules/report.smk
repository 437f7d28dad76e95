# The report: one page, a few lines of text, and the numbers as tables. Needs figures/, measurements/ and the seal.
# Makes report.html, summary.txt and, where it is asked for (`snakemake --cores 2 results/overview.md`), results/overview.


rule summary:
    """Say in a few lines what was found, and where."""
    input:
        of(inputs.measured),
    output:
        output="results/{study}/{scale}/summary.txt",
        table="results/{study}/{scale}/measured.csv",
        latex="results/{study}/{scale}/measured.tex",
    log:
        "results/{study}/{scale}/logs/summary/summary.log",
    benchmark:
        "results/{study}/{scale}/benchmarks/summary/summary.tsv"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        stage="summary",
        study=of(jobs.whole_study),
        folder=of(jobs.root),
        code=code("summary"),
    script:
        "../scripts/stage.py"


rule report:
    """Put every figure, number and origin of a study on one page."""
    input:
        "results/{study}/{scale}/summary.txt",
        figures=of(inputs.figures_of),
    output:
        output=report(
            "results/{study}/{scale}/report.html",
            caption="../report/report.rst",
            category="{study} ({scale})",
            subcategory="Report",
        ),
    log:
        "results/{study}/{scale}/logs/report/report.log",
    benchmark:
        "results/{study}/{scale}/benchmarks/report/report.tsv"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        stage="report",
        study=of(jobs.whole_study),
        folder=of(jobs.root),
        tokens_per_gpu_hour=tokens("gpu"),
        tokens_per_node_hour=tokens("node"),
        code=code("report"),
    script:
        "../scripts/stage.py"


rule overview:
    """Put what was published beside what was measured, and all figures on one contact sheet."""
    input:
        all_figures(PLANS),
        each("results/{study}/{scale}/summary.txt"),
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
        stage="overview",
        studies=jobs.plain_studies(PLANS),
        folders=each("results/{study}/{scale}"),
        code=code("overview"),
    script:
        "../scripts/stage.py"
