"""The report as a file, with the figures that stand beside it and what the site counts."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from hakken.report.page import render
from hakken.report.result import gather
from hakken.report.tokens import Rates
from hakken.stages.report import report

from ..report.finished import finish, finished_study


def test_the_page_is_written(tmp_path: Path) -> None:
    study = finished_study(tmp_path / "openings")
    folder = finish(study, tmp_path / "results")
    facts = folder / "figures" / "froc.json"
    facts.parent.mkdir()
    facts.write_text(json.dumps({"figure": "froc"}))
    for kind in ("svg", "png"):
        facts.with_suffix(f".{kind}").write_bytes(b"<svg/>")
    output = folder / "report.html"
    report(study=study, folder=folder, figures=[facts], output=output)
    assert output.read_text() == render(gather(study, folder), [facts])
    rates = {"tokens_per_gpu_hour": "3", "tokens_per_node_hour": 0.5}
    report(study=study, folder=folder, figures=[facts], output=output, **rates)
    assert output.read_text() == render(gather(study, folder), [facts], Rates(3.0, 0.5))


def test_a_rate_that_is_no_number_ends_with_status_2(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    study = finished_study(tmp_path / "openings")
    folder = finish(study, tmp_path / "results")
    with pytest.raises(SystemExit) as stopped:
        report(study=study, folder=folder, figures=[], output=folder / "report.html", tokens_per_gpu_hour="many")
    assert stopped.value.code == 2
    assert "`tokens_per_gpu_hour` is 'many', not a number of 0 or more" in capsys.readouterr().err
    assert not (folder / "report.html").exists()
