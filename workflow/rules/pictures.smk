# Pictures: figures that show images. Need prepared/, registered/, predictions/, errors/ and the opening.
# Makes figures/overlays, figures/anomalies and figures/registration.


rule figure_overlays:
    """Draw found, false and missed lesions of the test set on their images."""
    input:
        candidates="results/{study}/{scale}/predictions/test/selected.csv",
        prepared=batches("results/{study}/{scale}/prepared/{part}-{batch}", "test"),
        evaluation="results/{study}/{scale}/evaluation/test/selected.json",
        table=table,
        opening="results/{study}/{scale}/test/opening.json",
    output:
        "results/{study}/{scale}/figures/overlays.pdf",
        "results/{study}/{scale}/figures/overlays.svg",
        report(
            "results/{study}/{scale}/figures/overlays.png",
            caption="../report/overlays.rst",
            category="{study} ({scale})",
            subcategory="Figures",
            labels={"figure": "overlays"},
        ),
        "results/{study}/{scale}/figures/overlays.json",
    log:
        "results/{study}/{scale}/logs/figure_overlays/overlays.log",
    benchmark:
        "results/{study}/{scale}/benchmarks/figure_overlays/overlays.tsv"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=20,
    params:
        study=whole_study,
        openings="results/{study}/{scale}/openings.jsonl",
        code=code("figure_overlays"),
    script:
        "../scripts/figure_overlays.py"


rule figure_anomalies:
    """Draw the most anomalous test cases and where the autoencoder errs in them."""
    input:
        errors="results/{study}/{scale}/errors/test/selected",
        prepared=batches("results/{study}/{scale}/prepared/{part}-{batch}", "test"),
        evaluation="results/{study}/{scale}/evaluation/test/selected.json",
        table=table,
        opening="results/{study}/{scale}/test/opening.json",
    output:
        "results/{study}/{scale}/figures/anomalies.pdf",
        "results/{study}/{scale}/figures/anomalies.svg",
        report(
            "results/{study}/{scale}/figures/anomalies.png",
            caption="../report/anomalies.rst",
            category="{study} ({scale})",
            subcategory="Figures",
            labels={"figure": "anomalies"},
        ),
        "results/{study}/{scale}/figures/anomalies.json",
    log:
        "results/{study}/{scale}/logs/figure_anomalies/anomalies.log",
    benchmark:
        "results/{study}/{scale}/benchmarks/figure_anomalies/anomalies.tsv"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=20,
    params:
        study=whole_study,
        openings="results/{study}/{scale}/openings.jsonl",
        code=code("figure_anomalies"),
    script:
        "../scripts/figure_anomalies.py"


rule figure_registration:
    """Draw channels before and after registration."""
    input:
        registered=batches("results/{study}/{scale}/registered/{part}-{batch}", *PARTS),
        table=table,
        opening="results/{study}/{scale}/test/opening.json",
    output:
        "results/{study}/{scale}/figures/registration.pdf",
        "results/{study}/{scale}/figures/registration.svg",
        report(
            "results/{study}/{scale}/figures/registration.png",
            caption="../report/registration.rst",
            category="{study} ({scale})",
            subcategory="Figures",
            labels={"figure": "registration"},
        ),
        "results/{study}/{scale}/figures/registration.json",
    log:
        "results/{study}/{scale}/logs/figure_registration/registration.log",
    benchmark:
        "results/{study}/{scale}/benchmarks/figure_registration/registration.tsv"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=20,
    params:
        study=whole_study,
        openings="results/{study}/{scale}/openings.jsonl",
        code=code("figure_registration"),
    script:
        "../scripts/figure_registration.py"
