"""What stands beside the results of a study: the study as it ran, with which versions, and what its batches hold."""

from __future__ import annotations

import platform
from datetime import date
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import yaml

import hakken
from hakken.cohort.batches import record_batches
from hakken.core.errors import HakkenError
from hakken.core.files import read_json, write_json, write_text
from hakken.runs.plan import Plan

STUDY, VERSIONS = "study.yaml", "versions.json"
PACKAGES = ("torch", "snakemake", "numpy", "scipy", "SimpleITK", "nibabel", "pandas", "scikit-learn")
HEAD = "# The study as it ran, with every default: a record, rewritten at each start.\n"

OF_0_1 = ("evaluation", "selected.json")
"""Names that only results of hakken 0.1 have in a study's folder."""


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
    """Add the versions of today where they are not those of the start before."""
    known = read_json(path)["starts"] if path.is_file() else []
    today = versions()
    if not known or known[-1]["versions"] != today:
        write_json(path, {"starts": [*known, {"since": date.today().isoformat(), "versions": today}]})


def require_results_of_this_version(results: Path) -> None:
    """Raise HakkenError where the folder holds results of hakken 0.1, saying what to do with them."""
    if any((results / name).exists() for name in OF_0_1) and not (results / VERSIONS).exists():
        aside = f"{results}-0.1"
        keep = ""
        if (results / "openings.jsonl").exists():
            keep = (
                f" Then copy {aside}/openings.jsonl back to {results}, so that the openings of the test set go on "
                "being counted: training anew and measuring on test is a new opening."
            )
        raise HakkenError(
            f"{results}: holds results of hakken 0.1. Version 0.2 names its files otherwise and trains anew; what is "
            f"there stays as it is and is not touched. Move it aside (mv {results} {aside}) and start again.{keep}"
        )
