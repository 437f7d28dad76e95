# Figures: drawn from files alone, in three formats, the same bytes each time. What a figure needs, and the words below it, its
# own module says. Makes figures/, each with the table that it draws and a JSON that says what it was made from.


rule figure:
    """Draw one figure."""
    input:
        of(inputs.figure_files),
        opening=of(inputs.figure_opening),
        table=of(inputs.table),
    output:
        pictures=[
            "results/{study}/{scale}/figures/{figure}.pdf",
            report(
                "results/{study}/{scale}/figures/{figure}.svg",
                caption="../report/figure.rst",
                category="{study} ({scale})",
                subcategory="Figures",
                labels={"figure": "{figure}"},
            ),
            "results/{study}/{scale}/figures/{figure}.png",
        ],
        numbers="results/{study}/{scale}/figures/{figure}.csv",
        facts="results/{study}/{scale}/figures/{figure}.json",
    log:
        "results/{study}/{scale}/logs/figure/{figure}.log",
    benchmark:
        "results/{study}/{scale}/benchmarks/figure/{figure}.tsv"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=20,
    params:
        stage="figure",
        study=of(jobs.drawn_study),
        name="{figure}",
        files=of(jobs.figure_inputs),
        ledger=unseen(jobs.ledger),
        reused=of(jobs.reused),
        caption=unseen(jobs.caption),
        code=code("figure"),
    script:
        "../scripts/stage.py"
