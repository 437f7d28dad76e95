# Segmentation: masks against lesions, beside the trivial baseline.
# Needs prepared/, the trials, predictions/ and the freeze. Makes threshold.json, the predictions of the threshold,
# evaluation/ and the figure of the masks.


rule colour_threshold:
    """Choose the threshold on one colour that has the highest mean Dice on validation: the trivial baseline."""
    input:
        prepared=batches("results/{study}/{scale}/prepared/{part}-{batch}", "validation"),
        separated="results/{study}/{scale}/checked/development.json",
    output:
        rule="results/{study}/{scale}/threshold.json",
        predictions="results/{study}/{scale}/predictions/validation/threshold.csv",
    log:
        "results/{study}/{scale}/logs/colour_threshold/threshold.log",
    benchmark:
        "results/{study}/{scale}/benchmarks/colour_threshold/threshold.tsv"
    wildcard_constraints:
        study=of_task("segmentation"),
    threads: 1
    resources:
        mem_mb=2000,
        runtime=20,
    params:
        code=code("colour_threshold"),
    script:
        "../scripts/colour_threshold.py"


rule apply_threshold:
    """Apply the frozen threshold to the test cases."""
    input:
        rule="results/{study}/{scale}/threshold.json",
        freeze="results/{study}/{scale}/freeze.json",
        separated="results/{study}/{scale}/checked/test.json",
        prepared=batches("results/{study}/{scale}/prepared/{part}-{batch}", "test"),
    output:
        predictions="results/{study}/{scale}/predictions/test/threshold.csv",
    log:
        "results/{study}/{scale}/logs/apply_threshold/threshold.log",
    benchmark:
        "results/{study}/{scale}/benchmarks/apply_threshold/threshold.tsv"
    wildcard_constraints:
        study=of_task("segmentation"),
    threads: 1
    resources:
        mem_mb=2000,
        runtime=20,
    params:
        code=code("apply_threshold"),
    script:
        "../scripts/apply_threshold.py"


rule evaluate_masks:
    """Measure the masks of one model on one part of the cohort, at each of its sizes."""
    input:
        predictions="results/{study}/{scale}/predictions/{part}/{model}.csv",
        prepared=batches("results/{study}/{scale}/prepared/{part}-{batch}"),
        threshold=threshold,
    output:
        evaluation="results/{study}/{scale}/evaluation/{part}/{model}.json",
        cases="results/{study}/{scale}/evaluation/{part}/{model}.masks.csv",
    log:
        "results/{study}/{scale}/logs/evaluate_masks/{part}-{model}.log",
    benchmark:
        "results/{study}/{scale}/benchmarks/evaluate_masks/{part}-{model}.tsv"
    wildcard_constraints:
        study=of_task("segmentation"),
        model=r"selected|default|threshold|apart-\d+",
    threads: 1
    resources:
        mem_mb=2000,
        runtime=60,
    params:
        study=study("cohort", "channels", "reference", "preparation", "evaluation", "inference"),
        model="{model}",
        part="{part}",
        code=code("evaluate_masks"),
    script:
        "../scripts/evaluate_masks.py"


rule figure_segmentations:
    """Draw test cases with the outlines of truth and masks, from the worst to the best."""
    input:
        predictions="results/{study}/{scale}/predictions/test/selected.csv",
        prepared=batches("results/{study}/{scale}/prepared/{part}-{batch}", "test"),
        cases="results/{study}/{scale}/evaluation/test/selected.masks.csv",
        table=table,
        opening="results/{study}/{scale}/test/opening.json",
    output:
        "results/{study}/{scale}/figures/segmentations.pdf",
        "results/{study}/{scale}/figures/segmentations.svg",
        report(
            "results/{study}/{scale}/figures/segmentations.png",
            caption="../report/segmentations.rst",
            category="{study} ({scale})",
            subcategory="Figures",
            labels={"figure": "segmentations"},
        ),
        "results/{study}/{scale}/figures/segmentations.json",
    log:
        "results/{study}/{scale}/logs/figure_segmentations/segmentations.log",
    benchmark:
        "results/{study}/{scale}/benchmarks/figure_segmentations/segmentations.tsv"
    wildcard_constraints:
        study=of_task("segmentation"),
    threads: 1
    resources:
        mem_mb=2000,
        runtime=20,
    params:
        study=whole_study,
        openings="results/{study}/{scale}/openings.jsonl",
        code=code("figure_segmentations"),
    script:
        "../scripts/figure_segmentations.py"
