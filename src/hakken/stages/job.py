"""Stage `job`: one full training's worth of steps of a search whose trainings pause at rungs."""

from __future__ import annotations

from pathlib import Path

import torch

from hakken.core.console import progress
from hakken.core.errors import HakkenError
from hakken.core.files import write_json
from hakken.core.names import counted
from hakken.runs.attempt import Task, open_ledger
from hakken.runs.launch import processes_of
from hakken.runs.segments import work_off
from hakken.runs.table import Run
from hakken.runs.trials import job_of
from hakken.search.entry import Planned
from hakken.stages import began, stage
from hakken.study import Study
from hakken.training.stopping import deadline_of


@stage
def job(
    *,
    study: Study,
    run: Run,
    number: int,
    ledger: Path,
    work: Path,
    logs: Path,
    output: Path,
    trials: int,
    slots: int,
    stop_after_failures: int,
    code_of_trial: str,
    train: list[Path] = [],  # noqa: B006 - never changed
    validation: list[Path] = [],  # noqa: B006
    patches: Path | None = None,
    source: Path | None = None,
    threads: int = 1,
    minutes: float | None = None,
    attempt: int = 1,
    across: bool = False,
) -> None:
    """Begin trainings, pause them at the rungs of the ``run``, and let the best go on, of this job or of any other.

    Job ``number`` does so until it has spent the steps of one full training, and writes the records of its segments to
    ``output``. Arguments are those of the stage `trial`, but for ``work``, below which each training has a folder, and
    for ``code_of_trial``, the digest of that stage: the untuned default is the first training of a search, and results
    of the same code are results of the same ledger. A job that is asked to stop, or comes near its time limit, saves
    its training and exits with status 75; started again it goes on with it.
    """
    if not run.rungs:
        raise HakkenError(
            f"the trainings of `{run.name}` do not pause at rungs, and each is a trial: ask for "
            f"sweeps/{run.name}/trials/{number:04d}.json"
        )
    torch.set_num_threads(threads)
    chosen = run.study(study)
    task = Task(
        study=chosen,
        run=run,
        number=number,
        places=(tuple(train), tuple(validation)),
        patches=patches,
        source=source,
        work=work / f"{number:04d}",
        logs=logs,
        code=code_of_trial,
        attempt=attempt,
        deadline=deadline_of(minutes, began()),
        processes=processes_of(chosen.training, threads, across),
        planned=Planned(trials, slots),
        stop_after_failures=stop_after_failures,
    )
    task.require_cases()
    found = job_of(number, work_off(task, open_ledger(task, ledger)))
    write_json(output, found)
    states = [one["state"] for one in found["segments"]]
    each = ", ".join(f"{states.count(state)} {state}" for state in dict.fromkeys(states))
    progress(f"job {number:02d}: {counted(len(states), 'segment')} ({each}), {found['seconds']:.0f} s")
