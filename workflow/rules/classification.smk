# Classification: which class a lesion is of, and the grid of networks under deliberate misregistration.
# Needs predictions/, the trials, and for the grid the prepared development cases: it opens no test case.
# Makes evaluation/, grid/ and the figures confusion and grid.


rule evaluate_classes:
    """Measure how well one model tells the classes of the lesions of one part apart."""
    input:
        predictions="results/{study}/{scale}/predictions/{part}/{model}.csv",
        threshold=threshold,
    output:
        evaluation="results/{study}/{scale}/evaluation/{part}/{model}.json",
    log:
        "results/{study}/{scale}/logs/evaluate_classes/{part}-{model}.log",
    benchmark:
        "results/{study}/{scale}/benchmarks/evaluate_classes/{part}-{model}.tsv"
    wildcard_constraints:
        study=of_task("classification"),
    threads: 1
    resources:
        mem_mb=1000,
        runtime=20,
    params:
        study=study("evaluation"),
        model="{model}",
        part="{part}",
        code=code("evaluate_classes"),
    script:
        "../scripts/evaluate_classes.py"


rule grid_crops:
    """Cut the crops of all lesions of the development cases, and assign their patients to folds."""
    input:
        prepared=batches("results/{study}/{scale}/prepared/{part}-{batch}", "train", "validation"),
        separated="results/{study}/{scale}/checked/development.json",
    output:
        crops="results/{study}/{scale}/grid/crops.npz",
    log:
        "results/{study}/{scale}/logs/grid_crops/crops.log",
    benchmark:
        "results/{study}/{scale}/benchmarks/grid_crops/crops.tsv"
    threads: 1
    resources:
        mem_mb=4000,
        runtime=60,
    params:
        study=study("cohort", "channels", "reference", "patches", "grid.folds", "grid.networks"),
        code=code("grid_crops"),
    script:
        "../scripts/grid_crops.py"


rule grid_cell:
    """Train one network under one condition of misregistration on all folds but one, and predict that one."""
    input:
        crops="results/{study}/{scale}/grid/crops.npz",
    output:
        record="results/{study}/{scale}/grid/cells/{cell}.json",
    log:
        "results/{study}/{scale}/logs/grid_cell/{cell}.log",
    benchmark:
        "results/{study}/{scale}/benchmarks/grid_cell/{cell}.tsv"
    retries: RETRIES
    threads: 1
    resources:
        gpu=1,
        mem_mb=8000,
        runtime=240,
    params:
        study=study("cohort", "channels", "reference", "preparation", "patches", "parameters", "training", "grid"),
        cell="{cell}",
        minutes=time_limit,
        work="results/{study}/{scale}/grid/trainings/{cell}",
        code=code("grid_cell"),
    script:
        "../scripts/grid_cell.py"


rule grid_table:
    """Put the cells of the grid into tables, and test which of network and misregistration matter."""
    input:
        cells=grid_cells,
        crops="results/{study}/{scale}/grid/crops.npz",
    output:
        table="results/{study}/{scale}/grid/cells.csv",
        grid="results/{study}/{scale}/grid/grid.json",
    log:
        "results/{study}/{scale}/logs/grid_table/grid.log",
    benchmark:
        "results/{study}/{scale}/benchmarks/grid_table/grid.tsv"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=30,
    params:
        study=study("evaluation", "training.weights", "grid"),
        folder=lambda wildcards: f"{folder(wildcards)}/grid",
        code=code("grid_table"),
    script:
        "../scripts/grid_table.py"


rule figure_grid:
    """Draw the accuracy of every network under every condition beside the baseline and published readers."""
    input:
        grid="results/{study}/{scale}/grid/grid.json",
        table=table,
        opening="results/{study}/{scale}/test/opening.json",
    output:
        "results/{study}/{scale}/figures/grid.pdf",
        report(
            "results/{study}/{scale}/figures/grid.svg",
            caption="../report/grid.rst",
            category="{study} ({scale})",
            subcategory="Figures",
            labels={"figure": "grid"},
        ),
        "results/{study}/{scale}/figures/grid.png",
        "results/{study}/{scale}/figures/grid.json",
    log:
        "results/{study}/{scale}/logs/figure_grid/grid.log",
    benchmark:
        "results/{study}/{scale}/benchmarks/figure_grid/grid.tsv"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=20,
    params:
        study=whole_study,
        openings="results/{study}/{scale}/openings.jsonl",
        code=code("figure_grid"),
    script:
        "../scripts/figure_grid.py"


rule figure_confusion:
    """Draw which classes of lesions are taken for which, on validation and test."""
    input:
        validation="results/{study}/{scale}/evaluation/validation/selected.json",
        test="results/{study}/{scale}/evaluation/test/selected.json",
        selected="results/{study}/{scale}/selected.json",
        table=table,
        opening="results/{study}/{scale}/test/opening.json",
    output:
        "results/{study}/{scale}/figures/confusion.pdf",
        report(
            "results/{study}/{scale}/figures/confusion.svg",
            caption="../report/confusion.rst",
            category="{study} ({scale})",
            subcategory="Figures",
            labels={"figure": "confusion"},
        ),
        "results/{study}/{scale}/figures/confusion.png",
        "results/{study}/{scale}/figures/confusion.json",
    log:
        "results/{study}/{scale}/logs/figure_confusion/confusion.log",
    benchmark:
        "results/{study}/{scale}/benchmarks/figure_confusion/confusion.tsv"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=20,
    params:
        study=whole_study,
        openings="results/{study}/{scale}/openings.jsonl",
        code=code("figure_confusion"),
    script:
        "../scripts/figure_confusion.py"
