"""Stage `freeze`: the models, their operating points and the hashes of all that led to them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import hakken
from hakken.core.console import progress
from hakken.core.errors import HakkenError
from hakken.core.files import read_json, sha256_file, sha256_json
from hakken.runs.measurement import FILE
from hakken.runs.whole import require_whole
from hakken.seal.freeze import write_sealed
from hakken.stages import stage


@stage
def freeze(
    *,
    study: dict[str, Any],
    table: Path,
    codes: dict[str, str],
    output: Path,
    models: list[Path] = [],  # noqa: B006 - never changed
    records: list[Path] = [],  # noqa: B006
    measurements: list[Path] = [],  # noqa: B006
    data: list[Path] = [],  # noqa: B006
    separated: Path | None = None,
) -> None:
    """Seal the study: nothing that a later stage uses may differ from what is written here.

    ``models`` are the files of all models that the test set is to measure, ``records`` say which trial of which run
    each is (baselines have none), ``measurements`` are the folders of what was measured of them on validation. Where
    every case is predicted by a model of the other folds there is none of them yet: the plan itself is frozen. The
    ``data`` that the models were made from, folders of patches and of prepared cases, are read in full. Raises
    HakkenError where they are not as they were written, and when a model has no operating point although its outcome
    has one.
    """
    for folder in data:
        require_whole(folder)
    points = {path.name: _points(path) for path in measurements}
    chosen = {path.stem: read_json(path) for path in records}
    sealed = {path.stem: _sealed(path, chosen.get(path.stem), points[path.stem]) for path in models}
    hashes = {
        "sealed_study": sha256_json(study),
        "case_table": sha256_file(table),
        "code": codes,
        **({"development_cases": sha256_file(separated)} if separated else {}),
        **({"validation": {path.name: sha256_file(path / FILE) for path in measurements}} if measurements else {}),
    }
    content = {
        "hakken": hakken.__version__,
        "study": study["name"],
        "scale": study["scale"],
        "models": sealed,
        "plan": study,
        "hashes": hashes,
    }
    write_sealed(output, content)
    progress(f"frozen: {', '.join(sealed)}" if sealed else "the plan is frozen: folds, space and rule of choice")


def _sealed(path: Path, record: dict[str, Any] | None, points: dict[str, Any]) -> dict[str, Any]:
    """Return what is written down of a model; of an average also which trainings it is of, by their digests."""
    origin = {} if record is None else {key: record["trial"][key] for key in ("sweep", "number", "parameters")}
    members = (record or {}).get("ensemble", {}).get("members", ())
    origin |= {"members": members} if len(members) > 1 else {}
    return {"sha256": sha256_file(path), **origin, "points": points}


def _points(measurement: Path) -> dict[str, Any]:
    """Return the operating points of a model by outcome; raises HakkenError where that of the main one is missing."""
    found: dict[str, Any] = {}
    content = read_json(measurement / FILE)
    for outcome, measured in content["outcomes"].items():
        point = measured["point"]
        if point is not None and point.get("threshold") is None and outcome == content["objective"]:
            raise HakkenError(
                f"model `{measurement.name}` finds nothing on validation that an operating point could be chosen for; "
                "train longer"
            )
        found |= {outcome: point} if point is not None else {}
    return found
