"""Stage `select`: the model of a run, the best of its trials on validation."""

from __future__ import annotations

import shutil
from pathlib import Path

from hakken.core.console import progress
from hakken.core.errors import HakkenError
from hakken.core.files import replacing, require_same, sha256_file
from hakken.runs.trials import read_trials
from hakken.seal.freeze import write_sealed
from hakken.stages import stage

REDO = "delete the trial's JSON to redo it"


@stage
def select(*, trials: list[Path], model: Path, record: Path) -> None:
    """Take the finished trial with the highest objective (the first of equals): its ``model``, and its ``record``.

    The objective is the best of many on the same validation cases and so optimistic; the test set tells what it is
    worth. Raises HakkenError where no trial finished.
    """
    records = read_trials(trials)
    finished = [one for one in records if one["state"] == "complete"]
    if not finished:
        reasons = sorted({str(one.get("reason")) for one in records})
        what = f"none of the {len(records)} trials finished" if len(records) > 1 else f"{records[0]['sweep']} failed"
        raise HakkenError(f"{what}: {'; '.join(reasons)}; see logs/trial/, or choose other `parameters` in the study")
    best = max(finished, key=lambda one: float(one["objective"]))  # of equals the one that asked first
    source = require_same(Path(best["model"]["path"]), best["model"]["sha256"], REDO)
    with replacing(model) as temporary:
        shutil.copyfile(source, temporary)
    states = [one["state"] for one in records]
    write_sealed(
        record,
        {
            "trial": best,
            "trials": {state: states.count(state) for state in sorted(set(states))},
            "gpu_seconds": sum(one["gpu_seconds"] for one in records),
            "sha256": sha256_file(model),
        },
    )
    progress(f"{model.stem}: trial {best['number']} of {len(records)}, objective {best['objective']:.3f}")
