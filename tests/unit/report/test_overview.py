"""The page of several studies: what was published beside what was measured."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from hakken.outcomes import Measured, Row
from hakken.report.overview import overview_page
from hakken.report.result import gather
from hakken.runs.measurement import Measurement
from hakken.study import Published, Study

PUBLISHED = Published(
    citation="Someone 2020", system="a network", result="94 % at 2.9", unclear="which lesions | were counted"
)


def test_a_row_says_what_it_was_measured_on(study: Study, results: Path) -> None:
    result = gather(study, results)
    told = replace(result, study=study.model_copy(update={"published": PUBLISHED}))
    untold = replace(result, study=study.model_copy(update={"published": None, "data": "own data"}))
    lines = overview_page([told, untold], "sheet.png").splitlines()
    heads = next(number for number, line in enumerate(lines) if line.startswith("| study |"))
    ours = (
        "sensitivity at 1 FP/case 0.60 [0.50, 0.70]; sensitivity at 3 FP/case 0.70 [0.60, 0.80]; sensitivity at 8.4 "
        "FP/case undefined; partial AUC to 10 FP/case 0.650 [0.550, 0.750] (95 % intervals, patients resampled)"
    )
    assert lines[heads + 1] == "| --- | --- | --- | --- | --- |"
    first, second = lines[heads + 2 : heads + 4]
    counts = "10 cases, 23 lesions"
    assert first == (
        f"| `example` | 94 % at 2.9 (Someone 2020) | {ours} | phantom, scale `tiny`; {counts} "
        "| which lesions \\| were counted |"
    )
    assert second == f"| `example` | nothing | {ours} | own data, scale `tiny`; {counts} |  |"
    assert "Numbers of a phantom test the software and say nothing about patients." in "\n".join(lines)
    assert lines[-1] == "![Contact sheet of all figures](sheet.png)"


def test_a_study_without_cases_is_measured_on_its_records(study: Study, results: Path) -> None:
    measured = Measured(None, (Row("  value", 0.5),), intervals="20 repeats", counts={"records": 3})
    found = Measurement("example", "tiny", "selected", "records", "records", {"records": measured})
    result = replace(gather(study, results), measurements={("records", "selected"): found})
    row = overview_page([result], "sheet.png").splitlines()[6]
    assert "| value 0.500 (20 repeats) | phantom, scale `tiny`; 3 records |" in row
