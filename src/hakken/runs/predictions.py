"""Folders of predictions: what a model says of cases, by outcome, with the digests of all files.

`manifest.json`, written last, names the outcomes, the cases and the SHA-256 of every file; every read compares them.
"""

from __future__ import annotations

import shutil
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import hakken
from hakken import plugins
from hakken.core.errors import HakkenError
from hakken.core.files import read_json, sha256_file, write_json
from hakken.outcomes import Part
from hakken.study import Study

MANIFEST = "manifest.json"
REDO = "delete the folder to predict again"

Found = Mapping[str, Mapping[str, Any]]
"""What a method says of cases: by case id, then by outcome."""


def part_of(study: Study, outcome: str, cases: Any, **more: Any) -> Part:
    """Return the cases of a part with the settings of an outcome of the study."""
    return Part(study, cases, study.outcomes[outcome], **more)


def by_outcome(found: Found, outcome: str) -> dict[str, Any]:
    """Return what is said of each case for one outcome."""
    return {case_id: said[outcome] for case_id, said in found.items()}


def write_predictions(folder: Path, found: Found, study: Study, cases: Any, outcomes: Collection[str]) -> str:
    """Write what is ``found`` of ``cases`` into a new ``folder`` and return the digest of its manifest."""
    if folder.is_dir():
        shutil.rmtree(folder)
    folder.mkdir(parents=True)
    for outcome in outcomes:
        part = part_of(study, outcome, cases)
        plugins.load("outcomes", outcome).write(folder, by_outcome(found, outcome), part)
    files = {
        path.relative_to(folder).as_posix(): sha256_file(path) for path in sorted(folder.rglob("*")) if path.is_file()
    }
    content = {
        "hakken": hakken.__version__,
        "outcomes": sorted(outcomes),
        "cases": [case.case_id for case in cases],
        "files": files,
    }
    write_json(folder / MANIFEST, content)
    return sha256_file(folder / MANIFEST)


def read_predictions(folder: Path, outcome: str, part: Part) -> dict[str, Any]:
    """Return what a folder says of the cases of a part for one outcome.

    Raises HakkenError where a file is missing or is not the one that was written, and where the folder says nothing of
    this outcome or of one of the cases.
    """
    content = verified(folder)
    if outcome not in content["outcomes"]:
        raise HakkenError(f"{folder}: holds {', '.join(content['outcomes'])} and no {outcome}; {REDO}")
    if lacking := sorted(set(part.case_ids) - set(content["cases"])):
        raise HakkenError(f"{folder}: says nothing of case {lacking[0]}; {REDO}")
    found: dict[str, Any] = dict(plugins.load("outcomes", outcome).read(folder, part))
    return found


def verified(folder: Path) -> dict[str, Any]:
    """Return the manifest of a folder, every file compared with it; raises HakkenError naming one that differs."""
    content: dict[str, Any] = read_json(folder / MANIFEST)
    for name, digest in content["files"].items():
        path = folder / name
        if not path.is_file() or sha256_file(path) != digest:
            raise HakkenError(f"{path}: missing or changed since it was predicted; {REDO}")
    return content


def manifest_digest(folder: Path) -> str:
    """Return the SHA-256 of a folder's manifest."""
    return sha256_file(folder / MANIFEST)
