# Expectation: what a network makes one expect of a channel, how well z is calibrated, and what it gains over brightness.
# Bound to the studies of `expectation_unet`. Needs models/, freeze.json, prepared/, predictions/ and the opening.
# Makes expectations/, calibration and baseline in evaluation/, and their figures.


rule expect:
    """Say what the frozen network expects of every case of a part, and with which deviation."""
    input:
        freeze="results/{study}/{scale}/freeze.json",
        model="results/{study}/{scale}/models/{model}.pt",
        prepared=batches("results/{study}/{scale}/prepared/{part}-{batch}"),
    output:
        expected=directory("results/{study}/{scale}/expectations/{part}/{model}"),
    log:
        "results/{study}/{scale}/logs/expect/{part}-{model}.log",
    benchmark:
        "results/{study}/{scale}/benchmarks/expect/{part}-{model}.tsv"
    wildcard_constraints:
        study=of_network("expectation_unet"),
    threads: 1
    resources:
        gpu=1,
        mem_mb=8000,
        runtime=60,
    params:
        study=study("cohort", "channels", "reference", "preparation", "inference"),
        code=code("expect"),
    script:
        "../scripts/expect.py"


rule calibrate:
    """Measure whether z is standard normal on the cases of a part that have no lesion."""
    input:
        expected="results/{study}/{scale}/expectations/{part}/{model}",
        prepared=batches("results/{study}/{scale}/prepared/{part}-{batch}"),
    output:
        calibration="results/{study}/{scale}/evaluation/{part}/{model}.calibration.json",
    log:
        "results/{study}/{scale}/logs/calibrate/{part}-{model}.log",
    benchmark:
        "results/{study}/{scale}/benchmarks/calibrate/{part}-{model}.tsv"
    wildcard_constraints:
        study=of_network("expectation_unet"),
    threads: 1
    resources:
        mem_mb=2000,
        runtime=30,
    params:
        study=study("cohort", "channels", "reference", "preparation", "evaluation"),
        code=code("calibrate"),
    script:
        "../scripts/calibrate.py"


rule baseline:
    """Measure the brightest components of the target channel beside the selected network on test."""
    input:
        validation=batches("results/{study}/{scale}/prepared/{part}-{batch}", "validation"),
        prepared=batches("results/{study}/{scale}/prepared/{part}-{batch}", "test"),
        candidates="results/{study}/{scale}/predictions/test/selected.csv",
    output:
        baseline="results/{study}/{scale}/evaluation/test/baseline.json",
        table="results/{study}/{scale}/predictions/test/baseline.csv",
    log:
        "results/{study}/{scale}/logs/baseline/baseline.log",
    benchmark:
        "results/{study}/{scale}/benchmarks/baseline/baseline.tsv"
    wildcard_constraints:
        study=of_network("expectation_unet"),
    threads: 1
    resources:
        mem_mb=4000,
        runtime=60,
    params:
        study=study("cohort", "channels", "reference", "preparation", "inference", "evaluation"),
        code=code("baseline"),
    script:
        "../scripts/baseline.py"


rule figure_calibration:
    """Draw z of cases without lesions against the standard normal distribution."""
    input:
        validation="results/{study}/{scale}/evaluation/validation/selected.calibration.json",
        test="results/{study}/{scale}/evaluation/test/selected.calibration.json",
        table=table,
        opening="results/{study}/{scale}/test/opening.json",
    output:
        "results/{study}/{scale}/figures/calibration.pdf",
        report(
            "results/{study}/{scale}/figures/calibration.svg",
            caption="../report/calibration.rst",
            category="{study} ({scale})",
            subcategory="Figures",
            labels={"figure": "calibration"},
        ),
        "results/{study}/{scale}/figures/calibration.png",
        "results/{study}/{scale}/figures/calibration.json",
    log:
        "results/{study}/{scale}/logs/figure_calibration/calibration.log",
    benchmark:
        "results/{study}/{scale}/benchmarks/figure_calibration/calibration.tsv"
    wildcard_constraints:
        study=of_network("expectation_unet"),
    threads: 1
    resources:
        mem_mb=2000,
        runtime=20,
    params:
        study=whole_study,
        openings="results/{study}/{scale}/openings.jsonl",
        code=code("figure_calibration"),
    script:
        "../scripts/figure_calibration.py"


rule figure_expectations:
    """Draw test lesions with what was expected there."""
    input:
        expected="results/{study}/{scale}/expectations/test/selected",
        prepared=batches("results/{study}/{scale}/prepared/{part}-{batch}", "test"),
        candidates="results/{study}/{scale}/predictions/test/selected.csv",
        lesions="results/{study}/{scale}/evaluation/test/selected.lesions.csv",
        evaluation="results/{study}/{scale}/evaluation/test/selected.json",
        table=table,
        opening="results/{study}/{scale}/test/opening.json",
    output:
        "results/{study}/{scale}/figures/expectations.pdf",
        "results/{study}/{scale}/figures/expectations.svg",
        report(
            "results/{study}/{scale}/figures/expectations.png",
            caption="../report/expectations.rst",
            category="{study} ({scale})",
            subcategory="Figures",
            labels={"figure": "expectations"},
        ),
        "results/{study}/{scale}/figures/expectations.json",
    log:
        "results/{study}/{scale}/logs/figure_expectations/expectations.log",
    benchmark:
        "results/{study}/{scale}/benchmarks/figure_expectations/expectations.tsv"
    wildcard_constraints:
        study=of_network("expectation_unet"),
    threads: 1
    resources:
        mem_mb=2000,
        runtime=20,
    params:
        study=whole_study,
        openings="results/{study}/{scale}/openings.jsonl",
        code=code("figure_expectations"),
    script:
        "../scripts/figure_expectations.py"


rule figure_baseline:
    """Draw the FROC curves of the selected network and of the brightest components."""
    input:
        baseline="results/{study}/{scale}/evaluation/test/baseline.json",
        table=table,
        opening="results/{study}/{scale}/test/opening.json",
    output:
        "results/{study}/{scale}/figures/baseline.pdf",
        report(
            "results/{study}/{scale}/figures/baseline.svg",
            caption="../report/baseline.rst",
            category="{study} ({scale})",
            subcategory="Figures",
            labels={"figure": "baseline"},
        ),
        "results/{study}/{scale}/figures/baseline.png",
        "results/{study}/{scale}/figures/baseline.json",
    log:
        "results/{study}/{scale}/logs/figure_baseline/baseline.log",
    benchmark:
        "results/{study}/{scale}/benchmarks/figure_baseline/baseline.tsv"
    wildcard_constraints:
        study=of_network("expectation_unet"),
    threads: 1
    resources:
        mem_mb=2000,
        runtime=20,
    params:
        study=whole_study,
        openings="results/{study}/{scale}/openings.jsonl",
        code=code("figure_baseline"),
    script:
        "../scripts/figure_baseline.py"
