# Figures: drawn from tables alone, in three formats, the same bytes each time.
# Needs evaluation/, the trials and the opening. Makes figures/, each with a JSON that says what it was made from.


rule figure_froc:
    """Draw the FROC curves of validation and test with their bands and the operating point."""
    input:
        validation="results/{study}/{scale}/evaluation/validation/selected.json",
        test="results/{study}/{scale}/evaluation/test/selected.json",
        default="results/{study}/{scale}/evaluation/test/default.json",
        validation_curve="results/{study}/{scale}/evaluation/validation/selected.curve.csv",
        test_curve="results/{study}/{scale}/evaluation/test/selected.curve.csv",
        default_curve="results/{study}/{scale}/evaluation/test/default.curve.csv",
        selected="results/{study}/{scale}/selected.json",
        table=table,
        opening="results/{study}/{scale}/test/opening.json",
    output:
        "results/{study}/{scale}/figures/froc.pdf",
        report(
            "results/{study}/{scale}/figures/froc.svg",
            caption="../report/froc.rst",
            category="{study} ({scale})",
            subcategory="Figures",
            labels={"figure": "froc"},
        ),
        "results/{study}/{scale}/figures/froc.png",
        "results/{study}/{scale}/figures/froc.json",
    log:
        "results/{study}/{scale}/logs/figure_froc/froc.log",
    benchmark:
        "results/{study}/{scale}/benchmarks/figure_froc/froc.tsv"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=20,
    params:
        study=whole_study,
        openings="results/{study}/{scale}/openings.jsonl",
        code=code("figure_froc"),
    script:
        "../scripts/figure_froc.py"


rule figure_roc:
    """Draw the ROC curves of the cases of validation and test with their bands and the operating point."""
    input:
        validation="results/{study}/{scale}/evaluation/validation/selected.json",
        test="results/{study}/{scale}/evaluation/test/selected.json",
        default="results/{study}/{scale}/evaluation/test/default.json",
        selected="results/{study}/{scale}/selected.json",
        table=table,
        opening="results/{study}/{scale}/test/opening.json",
    output:
        "results/{study}/{scale}/figures/roc.pdf",
        report(
            "results/{study}/{scale}/figures/roc.svg",
            caption="../report/roc.rst",
            category="{study} ({scale})",
            subcategory="Figures",
            labels={"figure": "roc"},
        ),
        "results/{study}/{scale}/figures/roc.png",
        "results/{study}/{scale}/figures/roc.json",
    log:
        "results/{study}/{scale}/logs/figure_roc/roc.log",
    benchmark:
        "results/{study}/{scale}/benchmarks/figure_roc/roc.tsv"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=20,
    params:
        study=whole_study,
        openings="results/{study}/{scale}/openings.jsonl",
        code=code("figure_roc"),
    script:
        "../scripts/figure_roc.py"


rule figure_search:
    """Draw every trial, the best so far, and how the slots were used."""
    input:
        trials=trials,
        default="results/{study}/{scale}/sweeps/default/trials/0000.json",
        table=table,
        opening="results/{study}/{scale}/test/opening.json",
    output:
        "results/{study}/{scale}/figures/search.pdf",
        report(
            "results/{study}/{scale}/figures/search.svg",
            caption="../report/search.rst",
            category="{study} ({scale})",
            subcategory="Figures",
            labels={"figure": "search"},
        ),
        "results/{study}/{scale}/figures/search.png",
        "results/{study}/{scale}/figures/search.json",
    log:
        "results/{study}/{scale}/logs/figure_search/search.log",
    benchmark:
        "results/{study}/{scale}/benchmarks/figure_search/search.tsv"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=20,
    params:
        study=whole_study,
        openings="results/{study}/{scale}/openings.jsonl",
        code=code("figure_search"),
    script:
        "../scripts/figure_search.py"


rule figure_learnt:
    """Draw what the search learnt: the importance of each parameter and the objective against it."""
    input:
        trials=trials,
        table=table,
        opening="results/{study}/{scale}/test/opening.json",
    output:
        "results/{study}/{scale}/figures/learnt.pdf",
        report(
            "results/{study}/{scale}/figures/learnt.svg",
            caption="../report/learnt.rst",
            category="{study} ({scale})",
            subcategory="Figures",
            labels={"figure": "learnt"},
        ),
        "results/{study}/{scale}/figures/learnt.png",
        "results/{study}/{scale}/figures/learnt.json",
    log:
        "results/{study}/{scale}/logs/figure_learnt/learnt.log",
    benchmark:
        "results/{study}/{scale}/benchmarks/figure_learnt/learnt.tsv"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=20,
    params:
        study=whole_study,
        openings="results/{study}/{scale}/openings.jsonl",
        code=code("figure_learnt"),
    script:
        "../scripts/figure_learnt.py"


rule figure_strata:
    """Draw the sensitivity by lesion diameter and by group of cases."""
    input:
        evaluation="results/{study}/{scale}/evaluation/test/selected.json",
        strata="results/{study}/{scale}/evaluation/test/selected.strata.csv",
        table=table,
        opening="results/{study}/{scale}/test/opening.json",
    output:
        "results/{study}/{scale}/figures/strata.pdf",
        report(
            "results/{study}/{scale}/figures/strata.svg",
            caption="../report/strata.rst",
            category="{study} ({scale})",
            subcategory="Figures",
            labels={"figure": "strata"},
        ),
        "results/{study}/{scale}/figures/strata.png",
        "results/{study}/{scale}/figures/strata.json",
    log:
        "results/{study}/{scale}/logs/figure_strata/strata.log",
    benchmark:
        "results/{study}/{scale}/benchmarks/figure_strata/strata.tsv"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=20,
    params:
        study=whole_study,
        openings="results/{study}/{scale}/openings.jsonl",
        code=code("figure_strata"),
    script:
        "../scripts/figure_strata.py"
