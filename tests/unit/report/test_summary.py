"""The last words of a run."""

from __future__ import annotations

from pathlib import Path

from hakken.report.result import gather
from hakken.report.summary import summarise
from hakken.study import Study


def test_the_whole_summary(study: Study, results: Path) -> None:
    text = summarise(gather(study, results))
    heads = (
        "95 % intervals, patients resampled  validation                test (opening 1)          test, untuned default"
    )
    assert text.splitlines() == [
        "",
        "Lesions & <others>",
        "study example at scale tiny, data: phantom; research use only",
        "",
        heads,
        "sensitivity at 1 FPs/case           0.70 [0.60, 0.80]         0.60 [0.50, 0.70]         0.40 [0.30, 0.50]",
        "sensitivity at 3 FPs/case           0.80 [0.70, 0.90]         0.70 [0.60, 0.80]         0.50 [0.40, 0.60]",
        "sensitivity at 8.4 FPs/case         undefined                 undefined                 undefined",
        "partial AUC to 10 FPs/case          0.750 [0.650, 0.850]      0.650 [0.550, 0.750]      0.450 [0.350, 0.550]",
        "",
        "selected: trial 7 of 12 (11 complete, 1 failed)",
        "  validation objective 0.612, corrected for the choice of the best 0.562 [0.450, 0.650], untuned default "
        "0.400",
        "  learning_rate 0.01235",
        "",
        "cost: 2 jobs, 2.00 CPU-hours, 2.00 GPU-hours, at most 1024 MB in one job",
        "",
        f"FROC figure:   {results}/figures/froc.pdf (.svg, .png)",
        f"search figure: {results}/figures/search.pdf (.svg, .png)",
        f"report:        {results}/report.html",
    ]
    assert text.endswith("\n")


def test_a_study_without_title_goes_by_its_name(study: Study, results: Path) -> None:
    text = summarise(gather(study.model_copy(update={"title": ""}), results))
    assert text.splitlines()[1] == "example"


def test_figures_that_are_not_drawn_are_not_promised(study: Study, results: Path) -> None:
    text = summarise(gather(study.model_copy(update={"figures": ("strata",)}), results))
    assert "figure:" not in text
    assert "report.html" in text


def test_every_opening_of_the_test_set_shows(study: Study, results: Path) -> None:
    import json

    from hakken.report.seal import append_opening

    opening = append_opening(results / "openings.jsonl", "g", {"selected": "bb"})
    (results / "test" / "opening.json").write_text(json.dumps(opening))
    assert "test (opening 2)" in summarise(gather(study, results))
