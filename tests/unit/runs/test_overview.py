"""What the targets of the workflow ask for, and what it says at its end."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from hakken.core.errors import HakkenError
from hakken.runs.overview import all_figures, finished_summaries, wanted_figures
from hakken.runs.plan import Plan

from .plans import holdout

COMPARED: dict[str, Any] = {"search": {"comparison": {"slots": [1]}}}


def named(*given: tuple[str, Plan]) -> dict[str, Plan]:
    return dict(given)


def files(name: str, figure: str) -> list[str]:
    return [f"results/{name}/paper/figures/{figure}.{ending}" for ending in ("pdf", "svg", "png", "csv", "json")]


def test_every_file_of_every_figure_of_every_study() -> None:
    plans = named(("balls", holdout(figures=["froc", "search"])), ("cubes", holdout(name="cubes", figures=["strata"])))
    assert all_figures(plans) == [*files("balls", "froc"), *files("balls", "search"), *files("cubes", "strata")]


def test_a_figure_on_demand_is_drawn_of_the_studies_that_have_what_it_needs() -> None:
    plans = named(("balls", holdout()), ("cubes", holdout(name="cubes", scaling={"processes": [1, 2]}, **COMPARED)))
    assert wanted_figures(plans, "comparison") == files("cubes", "comparison")
    assert wanted_figures(plans, "scaling") == files("cubes", "scaling")


@pytest.mark.parametrize(("figure", "section"), [("comparison", "search.comparison"), ("scaling", "scaling")])
def test_where_none_has_it_that_is_said(figure: str, section: str) -> None:
    plans = named(("balls", holdout()), ("cubes", holdout(name="cubes")))
    with pytest.raises(HakkenError) as caught:
        wanted_figures(plans, figure)
    assert str(caught.value) == f"no figure `{figure}`: give one of balls, cubes a section {section}"


def test_what_was_found_is_said_of_every_study_that_is_finished(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    plans = named(("balls", holdout()), ("cubes", holdout(name="cubes")))
    assert finished_summaries(plans) == ""
    for name in ("balls", "cubes"):
        path = tmp_path / "results" / name / "paper" / "summary.txt"
        path.parent.mkdir(parents=True)
        path.write_text(f"{name}: found\n")
    assert finished_summaries(plans) == "balls: found\ncubes: found\n"
