"""Stage `select_trial`: the best trial on validation, its network and its predictions."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from hakken.console import progress
from hakken.errors import HakkenError
from hakken.files import read_json, replacing, require_same, sha256_file, write_json
from hakken.stages import stage

REDO = "delete the trial's JSON to redo it"


@stage
def select_trial(
    *, trials: list[Path], default: Path, models: list[Path], predictions: list[Path], output: Path
) -> None:
    """Take the finished trial with the highest objective (the first of equals) and gather its files.

    ``models`` and ``predictions`` are the paths to write, for `selected` and then for `default`. The objective is the
    best of many on the same validation cases and so optimistic; the test set tells what it is worth.
    """
    records = [read_json(path) for path in trials]
    finished = [record for record in records if record["state"] == "complete"]
    if not finished:
        reasons = sorted({str(record.get("reason")) for record in records})
        raise HakkenError(f"none of the {len(records)} trials finished: {'; '.join(reasons)}; see logs/trial/")
    best = max(finished, key=lambda record: (record["objective"], -record["number"]))
    untuned = read_json(default)
    if untuned["state"] != "complete":
        raise HakkenError(f"the untuned default failed ({untuned['reason']}); choose other `parameters` in the study")
    for record, model, table in zip((best, untuned), models, predictions, strict=True):
        copy_artifact(record["model"], model)
        copy_artifact(record["prediction"], table)
    states = [record["state"] for record in records]
    write_json(
        output,
        {
            "models": {"selected": best, "default": untuned},
            "gpu_seconds": sum(record["gpu_seconds"] for record in [*records, untuned]),
            "trials": {state: states.count(state) for state in sorted(set(states))},
            "files": {path.name: sha256_file(path) for path in models},
        },
    )
    gain = f"objective {best['objective']:.3f}, untuned default {untuned['objective']:.3f}"
    progress(f"trial {best['number']} of {len(records)}: {gain}")


def copy_artifact(artifact: dict[str, Any], target: Path) -> None:
    """Copy a trial's file, after making sure that it is the one that the trial recorded."""
    source = require_same(Path(artifact["path"]), artifact["sha256"], REDO)
    with replacing(target) as temporary:
        shutil.copyfile(source, temporary)
