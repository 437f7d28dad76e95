"""The page of several studies: what was published beside what was measured."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from hakken.report.overview import overview_page
from hakken.report.result import gather
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
    assert first.startswith(
        f"| `example` | 94 % at 2.9 (Someone 2020) | {ours} | phantom, scale `tiny`; cases, lesions: "
    )
    assert first.endswith(" | which lesions \\| were counted |")
    assert second.startswith(f"| `example` | nothing | {ours} | own data, scale `tiny`; ")
    assert "Numbers of a phantom test the software and say nothing about patients." in "\n".join(lines)
    assert lines[-1] == "![Contact sheet of all figures](sheet.png)"
