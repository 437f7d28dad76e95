# The report: one page and a few lines of text. Needs figures/, evaluation/ and the seal. Makes report.html, summary.txt.


rule report:
    """Put every figure, number and origin of a study on one page."""
    input:
        figures=study_figures,
        measured="results/{study}/{scale}/summary.txt",
    output:
        page=report(
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
        study=whole_study,
        folder=folder,
        tokens_per_gpu_hour=tokens_per_gpu_hour,
        tokens_per_node_hour=tokens_per_node_hour,
        code=code("report"),
    script:
        "../scripts/report.py"


rule summary:
    """Say in a few lines what was found, and where."""
    input:
        selected="results/{study}/{scale}/selected.json",
        optimism="results/{study}/{scale}/evaluation/validation/optimism.json",
        freeze="results/{study}/{scale}/freeze.json",
        opening="results/{study}/{scale}/test/opening.json",
        evaluations=expand(
            "results/{{study}}/{{scale}}/evaluation/{part}/{model}.json", part=("validation", "test"), model=MODELS
        ),
        tables=case_tables,
    output:
        summary="results/{study}/{scale}/summary.txt",
    log:
        "results/{study}/{scale}/logs/summary/summary.log",
    benchmark:
        "results/{study}/{scale}/benchmarks/summary/summary.tsv"
    threads: 1
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        study=whole_study,
        folder=folder,
        code=code("summary"),
    script:
        "../scripts/summary.py"
