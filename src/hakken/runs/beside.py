"""What stands beside the results of a study: the study as it ran, with which versions, and what its batches hold."""

from __future__ import annotations

import platform
from collections.abc import Iterable
from datetime import date
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import yaml

import hakken
from hakken.cohort.batches import record_batches
from hakken.core.errors import HakkenError
from hakken.core.files import read_json, sha256_json, write_json, write_text
from hakken.runs.plan import Plan

STUDY, VERSIONS = "study.yaml", "versions.json"
PACKAGES = ("torch", "snakemake", "numpy", "scipy", "SimpleITK", "nibabel", "pandas", "scikit-learn")
HEAD = "# The study as it ran, with every default: a record, rewritten at each start.\n"

SHOWN = 6
OF_0_1 = ("evaluation", "selected.json")
"""Names that only results of hakken 0.1 have in a study's folder."""
OF_0_2 = "openings.jsonl"
"""The ledger of openings of these versions."""


def record_study(plan: Plan) -> None:
    """Write these files into the folder of results of a study."""
    results = Path(plan.root)
    if plan.cohort is not None:
        record_batches(plan.cohort)
    text = HEAD + yaml.safe_dump(plan.study.model_dump(mode="json"), sort_keys=False, allow_unicode=True)
    if not (results / STUDY).is_file() or (results / STUDY).read_text(encoding="utf-8") != text:
        write_text(results / STUDY, text)
    _record_versions(results / VERSIONS)


def versions() -> dict[str, str]:
    """Return the version of hakken, of Python and of the packages that numbers depend on."""
    found = {"hakken": hakken.__version__, "python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def _record_versions(path: Path) -> None:
    """Add the versions of today, and where the folder stands, where they are not those of the start before."""
    before = read_json(path) if path.is_file() else {"starts": []}
    known, today, place = before["starts"], versions(), _place(path)
    if not known or known[-1]["versions"] != today:
        known = [*known, {"since": date.today().isoformat(), "versions": today}]
    if before != {"place": place, "starts": known}:
        write_json(path, {"place": place, "starts": known})


def _place(path: Path) -> str:
    """Return a digest of where a folder stands; its path would tell of people and machines."""
    return sha256_json(str(path.resolve().parent))[:16]


def overwritten(plan: Plan, made: Iterable[str]) -> str | None:
    """Return what a run would make anew of results that were finished elsewhere; None where nothing is to be asked.

    Copied files carry other times, so that the workflow engine takes finished ones for old.
    """
    results, known = Path(plan.root), Path(plan.root) / VERSIONS
    if not (results / "report.html").is_file() or not known.is_file():
        return None
    if read_json(known).get("place") in (None, _place(known)):
        return None
    there = [path for path in made if path.startswith(f"{plan.root}/") and Path(path).exists()]
    if not there:
        return None
    shown = ", ".join(there[:SHOWN]) + (f" and {len(there) - SHOWN} more" if len(there) > SHOWN else "")
    return (
        f"{results}: these results were finished in another place; this run would make {len(there)} of their files "
        f"anew: {shown}. To draw a figure again from what is there: hakken redraw {results} FIGURE"
    )


def require_results_of_this_version(results: Path) -> None:
    """Raise HakkenError where the folder holds results of hakken 0.1 or 0.2, saying what to do with them."""
    earlier = any((results / name).exists() for name in OF_0_1) and not (results / VERSIONS).exists()
    ledger = results / OF_0_2
    if earlier or ledger.exists():
        aside = f"{results}-{'0.1' if earlier else '0.2'}"
        keep = (
            f" Then `hakken openings {results.parent.name} --import {aside}/{OF_0_2}` counts the openings of then."
            if ledger.exists()
            else ""
        )
        raise HakkenError(
            f"{results}: holds results of hakken {'0.1' if earlier else '0.2'}. This version names its files "
            "otherwise and "
            f"trains anew; what is there stays as it is and is not touched. Move it aside (mv {results} {aside}) and "
            f"start again.{keep}"
        )
