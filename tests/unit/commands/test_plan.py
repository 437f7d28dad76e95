"""The plan of a study, with and without earlier timings."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from hakken.cli import main
from hakken.commands.configured import check_config, named_studies
from hakken.core.errors import HakkenError

ROW = re.compile(r"^(\S+) +(\d+) +(\S+) +(\S+)$", re.MULTILINE)


def plan(capsys: pytest.CaptureFixture[str], *options: str) -> tuple[dict[str, tuple[str, ...]], str]:
    assert main(["plan", *options]) == 0
    shown = capsys.readouterr().out
    return {stage: cells for stage, *cells in ROW.findall(shown)}, shown


def earlier(project: Path, scale: str) -> None:
    """An earlier run of two trials: 3600 CPU-seconds and 1800 GPU-seconds each."""
    folder = project / "results" / "brain_metastasis" / scale
    for number in range(2):
        cost = folder / "logs" / "trial" / f"search-{number:04d}.cost.json"
        cost.parent.mkdir(parents=True, exist_ok=True)
        cost.write_text(json.dumps({"seconds": 1800, "cpu_seconds": 3600, "peak_mb": 100}))
        trial = folder / "sweeps" / "search" / "trials" / f"{number:04d}.json"
        trial.parent.mkdir(parents=True, exist_ok=True)
        trial.write_text(json.dumps({"gpu_seconds": 1800}))


def test_before_any_run(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows, shown = plan(capsys)
    assert shown.startswith("brain_metastasis at scale tiny: ")
    assert rows["trial"] == ["13", "?", "?"]
    assert rows["all"][1:] == ["?", "?"]
    assert int(rows["all"][0]) == sum(int(cells[0]) for stage, cells in rows.items() if stage != "all")
    assert shown.endswith("no earlier run here to take timings from; run a study at scale `tiny` first\n")


def test_the_published_size(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows, shown = plan(capsys, "--study", "brain_metastasis", "--scale", "paper")
    assert shown.startswith("brain_metastasis at scale paper: 348 cases\nsearch: 50 trials, 8 trainings at once, ")
    assert rows["trial"][0] == "51"
    assert rows["register"][0] == str(27 + 9 + 9)


def test_with_timings_of_the_same_run(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    earlier(project, "tiny")
    rows, shown = plan(capsys)
    assert rows["trial"] == ["13", "13.000", "6.500"]
    assert rows["check"][1:] == ["?", "?"]
    assert rows["all"][1:] == ["13.000", "6.500"]
    assert shown.endswith("timings of results/brain_metastasis/tiny\n")


def test_with_timings_of_another_scale(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    earlier(project, "tiny")
    rows, shown = plan(capsys, "--scale", "paper")
    assert rows["trial"] == ["51", "51.000", "25.500"]
    assert "timings of results/brain_metastasis/tiny, another study or scale: an order of magnitude at best" in shown


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (["--study", "brain_metastases"], "config/studies/brain_metastases.yaml: no such file; there are "),
        (["--scale", "tinny"], "no scale `tinny`; there are tiny, small, paper; did you mean `tiny`?"),
    ],
)
def test_unknown_studies_and_scales(
    options: list[str], reason: str, project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["plan", *options]) == 2
    assert reason in capsys.readouterr().err


def test_outside_a_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["plan"]) == 2
    assert capsys.readouterr().err == (
        "hakken plan: config/config.yaml: no such file; run this command in the project's folder\n"
    )


@pytest.mark.parametrize("text", ["cases_per_job: 8\n", "studies: brain_metastasis\ncases_per_job: 8\n"])
def test_a_configuration_without_studies(text: str, project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (project / "config/config.yaml").write_text(text)
    assert main(["plan"]) == 2
    assert capsys.readouterr().err == (
        "hakken plan: config/config.yaml: `studies` must name at least one study and its scale, as `name: scale`\n"
    )


@pytest.mark.parametrize("value", ["", "0", "eight", "true"])
def test_a_configuration_without_cases_per_job(value: str, project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (project / "config/config.yaml").write_text(f"studies: {{brain_metastasis: tiny}}\ncases_per_job: {value}\n")
    assert main(["plan"]) == 2
    assert capsys.readouterr().err == (
        "hakken plan: config/config.yaml: `cases_per_job` must be a number of cases, 1 or more\n"
    )


def test_a_study_whose_scale_is_null_is_left_out() -> None:
    content = {"studies": {"one": "tiny", "two": None}, "cases_per_job": 8}
    check_config(content)
    assert named_studies(content) == {"one": "tiny"}
    with pytest.raises(HakkenError, match="must name at least one study"):
        check_config(content | {"studies": {"two": None}})
