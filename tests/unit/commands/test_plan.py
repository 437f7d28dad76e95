"""The plan of a study, with and without earlier timings; the workflow engine is not asked."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from hakken.cli import main
from hakken.cluster import requests
from hakken.cluster.requests import Request
from hakken.commands import rehearsal
from hakken.commands.plan import describe_search
from hakken.commands.rehearsal import Rehearsal
from hakken.core.errors import HakkenError
from hakken.study.reading import load_study

from ..miniature import study

STUDY = Path(__file__).resolve().parents[3] / "config" / "studies" / "brain_metastasis.yaml"
ROW = re.compile(r"^(\S+) +(\d+) +(\S+) +(\S+)$", re.MULTILINE)
QUEUES = (("cpu_queue", "short"), ("gpu_queue", "share"))
TRAINING = load_study(STUDY, "tiny").training
STEPS, TIMES = TRAINING.steps, TRAINING.steps // TRAINING.validate_every
CHECK = Request("check", 1, None, 2000, 0, 1, QUEUES)
ONE = Request("trial", 2, None, 4000, 1, 1, QUEUES)
FOUR = Request("trial", 2, None, 4000, 4, 1, QUEUES)
REPORT = Request("report", 1, None, 1000, 0, 1, QUEUES)
SITE = """\
default-resources: {tokens_per_gpu_hour: 3, tokens_per_node_hour: 1}
cluster-generic-submit-cmd: submit {rule}
"""


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str | None, str, str]]:
    """What was asked of the workflow engine, whose answer is always the same: 12 trainings and one on four GPUs."""
    seen: list[tuple[str | None, str, str]] = []

    def ask(profile: str | None, name: str, scale: str) -> dict[Request, int]:
        seen.append((profile, name, scale))
        return {CHECK: 5, ONE: 12, FOUR: 1, REPORT: 1}

    monkeypatch.setattr(requests, "ask", ask)
    monkeypatch.setattr(rehearsal, "rehearse", lambda plan, threads, seconds: TIMED)
    return seen


TIMED = Rehearsal(
    {
        "start": (1.0, 2.0),
        "start with torch": (3.0, 4.0),
        "step": (0.5, 0.25),
        "objective": (0.2, 0.1),
        "check": (0.5, 1.0),
    },
    {"prediction": "ValueError: no"},
    ended=True,
)
"""What was timed: seconds of CPU and on the clock."""


def plan(capsys: pytest.CaptureFixture[str], *options: str) -> tuple[dict[str, tuple[str, ...]], str]:
    assert main(["plan", *options]) == 0
    shown = capsys.readouterr().out
    return {stage: cells for stage, *cells in ROW.findall(shown)}, shown


def earlier(project: Path, scale: str) -> None:
    """An earlier run of two trials: 3600 CPU-seconds and 1800 GPU-seconds each, 1800 and 2700 seconds."""
    folder = project / "results" / "brain_metastasis" / scale
    for number in range(2):
        cost = folder / "logs" / "trial" / f"search-{number:04d}.cost.json"
        cost.parent.mkdir(parents=True, exist_ok=True)
        cost.write_text(json.dumps({"seconds": 1800, "cpu_seconds": 3600, "peak_mb": 100}))
        trial = folder / "sweeps" / "search" / "trials" / f"{number:04d}.json"
        trial.parent.mkdir(parents=True, exist_ok=True)
        trial.write_text(json.dumps({"gpu_seconds": 1800, "seconds": 1800 + 900 * number}))


def test_before_any_run(project: Path, asked: list[Any], capsys: pytest.CaptureFixture[str]) -> None:
    rows, shown = plan(capsys, "--seconds", "0")
    assert asked == [(None, "brain_metastasis", "tiny")]
    assert shown.startswith("brain_metastasis at scale tiny: ")
    assert rows == {
        "check": ["5", "?", "0.000"],
        "trial": ["13", "?", "?"],
        "report": ["1", "?", "0.000"],
        "all": ["19", "?", "?"],
    }
    assert shown.endswith("not known: this study has not run here at this scale, and nothing was timed (--seconds 0)\n")


def test_the_published_size(project: Path, asked: list[Any], capsys: pytest.CaptureFixture[str]) -> None:
    _, shown = plan(capsys, "--study", "brain_metastasis", "--scale", "paper", "--seconds", "0")
    assert asked == [(None, "brain_metastasis", "paper")]
    assert shown.startswith("brain_metastasis at scale paper: 348 cases\nsearch: 50 trials, 8 trainings at once, ")


def test_with_timings_of_the_same_run(project: Path, asked: list[Any], capsys: pytest.CaptureFixture[str]) -> None:
    earlier(project, "tiny")
    rows, shown = plan(capsys)
    assert rows["trial"] == ["13", "13.000", "6.500"]
    assert rows["check"][1:] == ["?", "0.000"]
    assert rows["all"][1:] == [">13.000", "6.500"]  # what the others take is not known
    assert "timed here" not in shown
    assert shown.endswith("timings of results/brain_metastasis/tiny\n")


def test_timings_of_another_scale_are_not_taken(
    project: Path, asked: list[Any], capsys: pytest.CaptureFixture[str]
) -> None:
    earlier(project, "small")
    rows, shown = plan(capsys)
    # a training: 3 s of start, steps of 0.5 s, and as often as they are measured 12 validation cases of 0.2 s
    assert rows["trial"] == ["13", f"{13 * (3 + STEPS * 0.5 + TIMES * 12 * 0.2) / 3600:.3f}", "?"]
    assert rows["check"] == ["5", f"{(5 * 1 + 42 * 0.5) / 3600:.3f}", "0.000"]
    assert rows["report"] == ["1", "0.000", "0.000"]
    assert "timed here on the CPU, 2 threads: start-up, 2 cases, and 3 steps each at the study's own" in shown
    assert shown.endswith("not known: prediction (ValueError: no)\n")


def test_a_gpu_here_tells_gpu_hours(
    project: Path, asked: list[Any], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rehearsal, "rehearse", lambda *_: replace(TIMED, on_gpu=True, ended=False))
    rows, shown = plan(capsys)
    assert rows["trial"][2] == f"{13 * (4 + STEPS * 0.25 + TIMES * 12 * 0.1) / 3600:.3f}"
    assert "timed here on a GPU: " in shown
    assert "not all could be timed in 120 s; `?` is not known, --seconds gives more time" in shown


def test_with_a_profile_by_queue(project: Path, asked: list[Any], capsys: pytest.CaptureFixture[str]) -> None:
    earlier(project, "tiny")
    profile = project / "profiles" / "site" / "profile.yaml"
    profile.parent.mkdir(parents=True)
    profile.write_text(SITE)
    _, shown = plan(capsys, "--profile", "profiles/site")
    assert asked == [("profiles/site", "brain_metastasis", "tiny")]
    lines = [line.split() for line in shown.splitlines()[3:]]
    head = next(number for number, line in enumerate(lines) if line[:2] == ["stage", "queue"])
    assert lines[head - 1] == ["with", profile.relative_to(project).as_posix()]
    assert lines[head] == ["stage", "queue", "jobs", "GPUs", "minutes", "CPU-hours", "GPU-hours", "tokens"]
    assert lines[head + 1 : head + 6] == [
        ["check", "short", "5", "0", "-", "?", "0.000", "?"],
        ["trial", "share", "12", "1", "-", "12.000", "6.000", "18.0"],
        ["trial", "share", "1", "4", "-", "1.000", "0.500", "1.5"],
        ["report", "short", "1", "0", "-", "?", "0.000", "?"],
        ["all", "19", ">13.000", "6.500", ">19.5"],
    ]
    assert shown.splitlines()[-2:] == [
        "a training has no limit of time",
        "timings of results/brain_metastasis/tiny",
    ]


def test_a_dry_run_that_fails(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def ask(*_: Any) -> dict[Request, int]:
        raise HakkenError("the dry run of brain_metastasis at scale tiny fails; it said:\nno")

    monkeypatch.setattr(requests, "ask", ask)
    assert main(["plan"]) == 2
    assert capsys.readouterr().err == (
        "hakken plan: the dry run of brain_metastasis at scale tiny fails; it said:\nno\n"
    )


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


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("cases_per_job: 8\n", "`studies` must name at least one study and its scale, as `name: scale`"),
        (
            "studies: {brain_metastasis: tiny}\ncases_per_job: 0\n",
            "`cases_per_job` must be a number of cases, 1 or more",
        ),
    ],
)
def test_a_configuration_that_cannot_be(
    text: str, reason: str, project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (project / "config/config.yaml").write_text(text)
    assert main(["plan"]) == 2
    assert capsys.readouterr().err == f"hakken plan: config/config.yaml: {reason}\n"


def searched(**search: Any) -> list[str]:
    return list(describe_search(study(search={"trials": 4} | search)))


def test_how_the_search_goes() -> None:
    assert searched() == [
        "search: 4 trials, 8 trainings at once, proposed by `bayesian`",
        "  begins with the study's own parameters; stops after 10 failures in a row",
    ]
    assert searched(default_first=False, sampler="sobol", stopping="median", stop_after_failures=3) == [
        "search: 4 trials, 8 trainings at once, proposed by `sobol`",
        "  stops after 3 failures in a row, ends trainings below the median of the others",
    ]


def test_what_the_search_starts_from_and_what_is_not_counted() -> None:
    assert searched(warm_start={"study": "small", "scale": "tiny", "top": 5}, comparison={"repeats": 2})[1:] == [
        "  begins with the study's own parameters and the 5 best of small at scale tiny; "
        "stops after 10 failures in a row",
        "target `comparison`, not counted here: 500 trials in 10 sweeps",
    ]
    assert (
        "all trials, as a prior, of small at scale paper" in searched(warm_start={"study": "small", "mode": "prior"})[1]
    )


def test_own_parameters_outside_the_space_do_not_begin_the_search() -> None:
    space = {"learning_rate": {"type": "real", "low": 0.5, "high": 0.9}}
    assert searched(space=space)[1] == "  stops after 10 failures in a row"


def test_folds_and_variants_are_told() -> None:
    steps = {"key": "training.steps", "values": [3, 6, 9]}
    sets = {"sizes": {"factors": {"width": {"key": "parameters.base_features", "values": [2, 4]}, "steps": steps}}}
    chosen = study(variants=sets, evaluation={"design": "cross_validation", "folds": 3})
    assert list(describe_search(chosen))[2:] == [
        "cross-validation: all of it in each of 3 folds",
        "variants: 18 trainings in 1 set",
    ]
    more = study(variants=sets | {"steps": {"factors": {"steps": steps}}})
    assert list(describe_search(more))[-1] == "variants: 9 trainings in 2 sets"


def test_variants_that_are_trained_as_the_study_is_are_no_trainings() -> None:
    uses = {"lower": {"inference.suppression_mm": 9.0}, "itself": {}, "longer": {"training.steps": 7}}
    chosen = study(variants={"used": {"factors": {"use": uses}}})
    assert list(describe_search(chosen))[-1] == (
        "variants: 1 training in 1 set; 2 more with the model of the study itself"
    )


def test_a_study_without_search_has_none_to_describe() -> None:
    assert list(describe_search(study(search={"space": {}}))) == []


def test_what_is_done_before_the_choice_is_told() -> None:
    assert searched(confirm=2, ensemble=2)[2:] == [
        "  trains the best 2 of them again with 2 more seeds each: 4 trainings",
        "  tries the averages of the best 2 of them on validation",
    ]
    assert searched(ensemble=4)[2:] == ["  tries the averages of the best 2 to 4 of them on validation"]
