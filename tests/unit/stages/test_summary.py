"""The last words of a run: the text, the table of all that was measured, and the table that the report prints."""

from __future__ import annotations

from pathlib import Path

from hakken.report.result import gather, measured_table
from hakken.report.summary import summarise
from hakken.stages.summary import summary

from ..report.finished import finish, finished_study


def test_what_was_found_is_written_three_times(tmp_path: Path) -> None:
    study = finished_study(tmp_path / "openings")
    folder = finish(study, tmp_path / "results")
    text, table, latex = folder / "summary.txt", folder / "measured.csv", folder / "measured.tex"
    summary(study=study, folder=folder, output=text, table=table, latex=latex)
    result = gather(study, folder)
    assert text.read_text() == summarise(result)
    lines = table.read_text().splitlines()
    assert lines[0] == "part,model,outcome,measured,value,low,high,text,warning"
    assert lines[1].startswith("validation,selected,candidates,sensitivity at 1 FP/case,0.7,")
    assert lines[3] == "validation,selected,candidates,sensitivity at 8.4 FP/case,,,,,"
    assert len(lines) == 1 + 5 * 4
    heads, rows = measured_table(result)
    written = latex.read_text()
    assert all(head in written for head in heads)
    assert all(name in written for name, *_ in rows)
    assert written.count("0.60 [0.50, 0.70]") == 1
