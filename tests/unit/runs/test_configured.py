"""The plans of the studies that a configuration names, and what is asked before anything runs."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from hakken.core.errors import HakkenError
from hakken.runs import configured
from hakken.runs.beside import record_study
from hakken.runs.configured import cases_of_a_job, check_config, configured_plans, named_studies
from hakken.runs.guard import science
from hakken.runs.plan import Plan
from hakken.study.reading import load_study

from ..miniature import content_of

PHANTOM = {"generator": "brain_metastasis", "cases": {"train": 3, "validation": 1, "test": 1}}
CONFIG: dict[str, Any] = {"studies": {"balls": "tiny"}, "cases_per_job": 2}


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with one study."""
    monkeypatch.chdir(tmp_path)
    write_study(tmp_path)
    return tmp_path


def write_study(project: Path, name: str = "balls", **changes: Any) -> None:
    cohort = {"phantom": PHANTOM, "table": None}
    content = content_of(name=name, cohort=cohort, scales={"tiny": {"search": {"trials": 2}}}, **changes)
    path = project / "config" / "studies" / f"{name}.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump(content))


def plans(project: Path, config: dict[str, Any] = CONFIG, site: Any = None) -> tuple[dict[str, Plan], str]:
    terminal = io.StringIO()
    return configured_plans(config, project, site, terminal), terminal.getvalue()


def test_every_configured_study_is_planned_at_its_scale(project: Path) -> None:
    write_study(project, "others")
    found, said = plans(project, CONFIG | {"studies": {"balls": "tiny", "others": "tiny", "gone": None}})
    assert (list(found), said) == (["balls", "others"], "")
    assert (found["balls"].root, found["balls"].study.search.trials) == ("results/balls/tiny", 2)
    assert found["balls"].cohort.batches["train"] == {"000": ("P0001", "P0002"), "001": ("P0003",)}  # type: ignore[union-attr]


def test_a_study_of_the_command_line_stands_in_the_place_of_all(project: Path) -> None:
    write_study(project, "others")
    found, _ = plans(project, CONFIG | {"study": "others", "scale": "tiny"})
    assert list(found) == ["others"]


def test_an_unknown_study_or_scale_is_told(project: Path) -> None:
    with pytest.raises(HakkenError, match=r"ball\.yaml: no such file; there are balls; did you mean `balls`"):
        plans(project, CONFIG | {"studies": {"ball": "tiny"}})
    with pytest.raises(HakkenError, match="no scale `tinny`; there are tiny; did you mean `tiny`"):
        plans(project, CONFIG | {"studies": {"balls": "tinny"}})


def test_a_run_goes_on_with_the_batches_that_it_was_begun_with_and_says_so(project: Path) -> None:
    record_study(plans(project)[0]["balls"])
    found, said = plans(project, site=9)
    assert found["balls"].cohort.cases_per_job == 2  # type: ignore[union-attr]
    assert said.startswith("results/balls/tiny: begun with 2 cases a job, and goes on so, not with 9, ")
    assert configured_plans(CONFIG, project, 9, None)["balls"].cohort.cases_per_job == 2  # type: ignore[union-attr]


def test_results_of_another_version_of_the_study_are_never_mixed_with_these(project: Path) -> None:
    study = load_study(project / "config" / "studies" / "balls.yaml", "tiny")
    book = project / "results" / "balls" / "tiny" / "sweeps" / "search" / "ledger" / "0" / "sweep.json"
    book.parent.mkdir(parents=True)
    book.write_text(json.dumps({"details": science(study)}))
    assert plans(project)[0]
    write_study(project, seed=6)
    with pytest.raises(
        HakkenError, match="study `balls` has changed since the trainings in results/balls/tiny:\n  seed"
    ):
        plans(project)
    assert configured_plans(CONFIG, project, None, None), "the jobs of a run ask no more"


def test_results_of_hakken_0_1_are_told(project: Path) -> None:
    (project / "results" / "balls" / "tiny" / "evaluation").mkdir(parents=True)
    with pytest.raises(HakkenError, match=r"results/balls/tiny: holds results of hakken 0\.1"):
        plans(project)


def test_a_study_to_start_from_must_be_there(project: Path) -> None:
    write_study(project, search={"warm_start": {"study": "smaller"}})
    with pytest.raises(HakkenError, match=r"study `balls` starts from results/smaller/tiny/sweeps/search/trials\.csv"):
        plans(project)


def test_a_variant_that_cannot_be_is_told_before_anything_runs(project: Path) -> None:
    write_study(project, variants={"grid": {"factors": {"depth": {"one": {"parameters.depth": 1}}}}})
    with pytest.raises(HakkenError, match=r"study `balls`, variant `grid-one`: parameters\.depth: unknown key"):
        plans(project)


def test_more_folds_than_patients_are_told_before_anything_runs(project: Path) -> None:
    factors = {"depth": {"one": {}}}
    write_study(project, variants={"grid": {"factors": factors, "folds": 20}})
    with pytest.raises(
        HakkenError, match=r"variants\.grid\.folds is 20, train and validation have \d+ patients; lower it"
    ):
        plans(project)


def test_a_figure_that_cannot_be_is_told_before_anything_runs(project: Path) -> None:
    write_study(project, figures=["froc", "comparison"])
    with pytest.raises(HakkenError, match="study `balls`: the figure `comparison` needs trials/comparison, which this"):
        plans(project)


def test_that_results_can_be_written_is_asked_first(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Path] = []
    monkeypatch.setattr(configured, "require_writable", asked.append)
    plans(project)
    configured_plans(CONFIG, project, None, None)
    assert asked == [Path("results")]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"study": "a"}, "--config takes the study and its scale together: --config study=NAME scale=SCALE"),
        ({"scale": "a"}, "--config takes the study and its scale together: --config study=NAME scale=SCALE"),
        (
            {"scal": "a"},
            "--config scal: there is no such key, there are studies, study, scale, cases_per_job, overwrite; did you "
            "mean `scale`?",
        ),
        ({"studies": None}, "`studies` must name at least one study and its scale, as `name: scale`"),
        ({"studies": {"a": None}}, "`studies` must name at least one study and its scale, as `name: scale`"),
        ({"studies": {"a": 1}}, "`studies` must name at least one study and its scale, as `name: scale`"),
        ({"studies": "a"}, "`studies` must name at least one study and its scale, as `name: scale`"),
        *(
            ({"cases_per_job": bad}, "`cases_per_job` must be a number of cases, 1 or more")
            for bad in (None, 0, "8", True)
        ),
    ],
)
def test_a_configuration_that_says_too_little_is_told(change: dict[str, Any], reason: str) -> None:
    check_config(CONFIG)
    with pytest.raises(HakkenError) as caught:
        check_config(CONFIG | change)
    assert str(caught.value).removeprefix("config/config.yaml: ") == reason


def test_a_study_whose_scale_is_null_is_left_out() -> None:
    content = {"studies": {"one": "tiny", "two": None}, "cases_per_job": 8}
    check_config(content)
    assert named_studies(content) == {"one": "tiny"}


def test_the_site_says_how_many_cases_a_job_handles_before_the_configuration_does() -> None:
    assert (cases_of_a_job(CONFIG, None), cases_of_a_job(CONFIG, 16)) == (2, 16)


@pytest.mark.parametrize("said", ["many", 0, -1, True, 1.5])
def test_a_site_that_says_something_else_is_told(said: Any) -> None:
    with pytest.raises(HakkenError) as caught:
        cases_of_a_job(CONFIG, said)
    assert str(caught.value) == (
        f"the profile's `default-resources`: `cases_per_job` is {said!r}, not a number of cases, 1 or more"
    )
