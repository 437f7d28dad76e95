"""What the targets of the workflow ask for, and what it says when they are made."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from hakken.core.errors import HakkenError
from hakken.runs.plan import Plan

ENDINGS = ("pdf", "svg", "png", "csv", "json")
ON_DEMAND = {"comparison": "search.comparison", "scaling": "scaling"}
"""Figures that are made when they are asked for, and the section that they need."""


def all_figures(plans: Mapping[str, Plan]) -> list[str]:
    """Return every file of every figure of every study, so that a deleted one is drawn again."""
    return [path for plan in plans.values() for figure in plan.study.drawn for path in files_of(plan, figure)]


def files_of(plan: Plan, figure: str) -> list[str]:
    """Return the files of a figure."""
    return [f"{plan.root}/figures/{figure}.{ending}" for ending in ENDINGS]


def wanted_figures(plans: Mapping[str, Plan], figure: str) -> list[str]:
    """Return the files of a figure that is made on demand, of all studies that have what it needs.

    Raises HakkenError where none has.
    """
    section = ON_DEMAND[figure]
    found = [
        plan for plan in plans.values() if (plan.study.search.comparison if "." in section else plan.study.scaling)
    ]
    if not found:
        raise HakkenError(f"no figure `{figure}`: give one of {', '.join(plans)} a section {section}")
    return [path for plan in found for path in files_of(plan, figure)]


def finished_summaries(plans: Mapping[str, Plan]) -> str:
    """Return what was found in every study that is finished."""
    paths = [Path(plan.root) / "summary.txt" for plan in plans.values()]
    return "".join(path.read_text(encoding="utf-8") for path in paths if path.exists())
