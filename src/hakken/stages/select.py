"""Stage `select`: the model of a run, the best of its trials on validation."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from hakken.core.console import progress
from hakken.core.files import replacing, require_same, sha256_file
from hakken.runs.averages import Average, Averages, read_averages
from hakken.runs.choice import CONFIRMS, Candidate, candidates, chosen, seed_of
from hakken.runs.trials import read_trials
from hakken.seal.freeze import write_sealed
from hakken.stages import stage
from hakken.study import Study

REDO = "delete the trial's JSON to redo it"


@stage
def select(
    *,
    trials: list[Path],
    model: Path,
    record: Path,
    confirmations: list[Path] = [],  # noqa: B006 - never changed
    confirm: int = 0,
    averages: Path | None = None,
    study: Study | None = None,
) -> None:
    """Take the finished trial with the highest objective (the first of equals): its ``model``, and its ``record``.

    Where the ``confirm`` best were trained again, ``confirmations`` are those trainings: the trial is then the one with
    the highest mean over its seeds, and the model the one whose objective is nearest to that mean, so that what is
    stated of the choice is true of what is frozen. Where the best were averaged (the folder ``averages``), the average
    with the highest objective is taken if that is above the best trial's.

    Where a variant takes the model over and uses it otherwise, ``study`` is the study of the variant, and the file says
    so.

    The objective is the best of many on the same validation cases and so optimistic; the test set tells what it is
    worth. Raises HakkenError where no trial finished.
    """
    records, further = read_trials(trials), read_trials(confirmations)
    found = candidates(records, further, confirm)
    best, known = chosen(found), read_averages(averages)
    average = known.better_than(best)
    taken = best.typical["model"] if average is None else average.model
    source = require_same(Path(taken["path"]), taken["sha256"], REDO)
    _keep(source, model, study)
    states = [one["state"] for one in records]
    write_sealed(
        record,
        {
            "trial": best.trial,
            "trials": {state: states.count(state) for state in sorted(set(states))},
            "gpu_seconds": sum(one["gpu_seconds"] for one in _of_own(trials, _each_once(records, further))),
            "sha256": sha256_file(model),
            **(_confirmed(best, found) if confirm else {}),
            **(_averaged(best, known, average) if known.averages else {}),
        },
    )
    if average is not None:
        numbers = ", ".join(str(one["number"]) for one in average.members)
        what = f"average of trials {numbers} of {len(records)}, objective {average.objective:.3f}"
        progress(f"{model.stem}: {what}; the best alone {best.worth:.3f}")
        return
    mean = f", mean of {len(best.trainings)} trainings" if confirm else ""
    progress(f"{model.stem}: trial {best.trial['number']} of {len(records)}, objective {best.worth:.3f}{mean}")


def _keep(source: Path, model: Path, study: Study | None) -> None:
    """Copy a model, to the byte where no ``study`` uses it otherwise."""
    if study is not None:
        from hakken.runs.model_content import save_used_as

        save_used_as(model, source, study)
        return
    with replacing(model) as temporary:
        shutil.copyfile(source, temporary)


def _averaged(best: Candidate, known: Averages, taken: Average | None) -> dict[str, Any]:
    """Return what is recorded of a choice between the best trial and averages: all that were tried, and their cost."""
    alone = {"number": best.trial["number"], "seed": seed_of(best.typical)}
    kept = {"sha256": best.typical["model"]["sha256"], "seconds": best.typical["seconds"]}
    return {
        "objective": best.worth if taken is None else taken.objective,
        "ensemble": {
            "members": [alone | kept] if taken is None else list(taken.members),
            "tried": [{"size": 1, "objective": best.worth, "seconds_per_case": known.seconds_per_case}]
            + [
                {"size": one.size, "objective": one.objective, "seconds_per_case": one.seconds_per_case}
                for one in known.averages
            ],
        },
    }


def _each_once(*groups: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return all records, of those that several jobs share one."""
    return list({(one["sweep"], one["number"]): one for group in groups for one in group}.values())


def _of_own(trials: list[Path], records: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the records of trainings that stand with these trials: the default's may be one of the search."""
    return [one for one in records if CONFIRMS in one or one["sweep"] == trials[0].parents[1].name]


def _confirmed(best: Candidate, found: list[Candidate]) -> dict[str, Any]:
    """Return what is recorded of a choice by the mean over seeds: of each such trial, and which training is kept."""
    return {
        "objective": best.worth,
        "seed": seed_of(best.typical),
        "confirmed": [
            {
                "number": one.trial["number"],
                "objectives": list(one.objectives),
                "mean": one.worth,
                "failed": one.failed,
            }
            for one in sorted(found, key=lambda one: -one.worth)
            if one.again
        ],
    }
