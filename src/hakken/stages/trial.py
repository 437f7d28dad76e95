"""Stage `trial`: one training of a run, from asking for its parameters to its published result."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from hakken.core.console import log, progress
from hakken.core.errors import HakkenError
from hakken.core.files import write_json
from hakken.outcomes import words_of
from hakken.runs.ask import propose_trial
from hakken.runs.attempt import Again, Task, awaited, open_ledger, published, said_of
from hakken.runs.choice import FURTHER_SEEDS, confirmed_by, number_of
from hakken.runs.fit import Record
from hakken.runs.launch import processes_of
from hakken.runs.segments import first_segment
from hakken.runs.streak import require_progress
from hakken.runs.table import Run
from hakken.runs.trials import read_trials
from hakken.search.entry import Planned
from hakken.search.lease import Lease
from hakken.search.ledger import Ledger
from hakken.search.trial import Trial
from hakken.stages import began, stage
from hakken.study import Study
from hakken.training.stopping import deadline_of


@stage
def trial(
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
    train: list[Path] = [],  # noqa: B006 - never changed
    validation: list[Path] = [],  # noqa: B006
    patches: Path | None = None,
    source: Path | None = None,
    searched: list[Path] = [],  # noqa: B006
    threads: int = 1,
    minutes: float | None = None,
    attempt: int = 1,
    across: bool = False,
    first: bool = False,
    code: str = "",
) -> None:
    """Train trial ``number`` of a ``run`` of the study and write its record to ``output``.

    ``train`` and ``validation`` are where the cases stand, ``patches`` is the folder of patches, where the method takes
    any; ``work`` takes checkpoints, model and predictions; ``logs`` is where the trials of this study have their logs;
    ``source`` the table of the search that this one starts from; ``searched`` are the trials of the finished search
    whose best a run trains again that confirms them. ``trials``, ``slots`` and ``stop_after_failures`` are what the run
    is planned with; they may change between jobs. The scheduler ends the job after so many ``minutes``; it is the
    ``attempt``-th (1, 2, ...) of this run of the workflow; ``across`` says that it has all the machines that
    `training.nodes` asks for. With ``first`` the training is the first that the ``run`` asks for, a search that tries
    the study's own parameters first, whatever its number. A living twin of this trial is waited for. A trial that fails
    by its own parameters is recorded and no error, and so is one of which two jobs in a row were killed before they had
    saved anything; but where too many in a row have failed, none is started. One that is asked to stop, or comes near
    its time limit, saves itself and exits with status 75.
    """
    torch.set_num_threads(threads)
    chosen = run.study(study)
    task = Task(
        study=chosen,
        run=run,
        number=number,
        places=(tuple(train), tuple(validation)),
        patches=patches,
        source=source,
        work=work,
        logs=logs,
        code=code,
        attempt=attempt,
        deadline=deadline_of(minutes, began()),
        processes=processes_of(chosen.training, threads, across),
        planned=Planned(trials, slots),
        stop_after_failures=stop_after_failures,
        again=_confirmed(run, number, searched, trials),
    )
    record = _result(task, ledger, first)
    write_json(output, record)
    progress(f"{task.label}: {said_of(record, words_of(chosen))}")


def _result(task: Task, ledger: Path, first: bool) -> Record:
    """Return the result of a job's trial, or of the ``first`` of its run."""
    if task.run.rungs and not first:
        raise HakkenError(
            f"the trainings of `{task.run.name}` pause at rungs, and there are jobs in place of trials: ask for "
            f"sweeps/{task.run.name}/jobs/{task.number:04d}.json"
        )
    task.require_cases()
    book = open_ledger(task, ledger)
    if first:
        return first_segment(task, book) if task.run.rungs else _first(task, book)
    return _await(task if task.again is None else task.numbered(task.again.number), book)


def _first(task: Task, book: Ledger) -> Record:
    """Return the result of the trial that asked first; where none has asked yet, this job's number does.

    Another job may ask before it all the same: then this number is a trial like any, and the first is waited for.
    """
    while True:
        number = next((entry.number for entry in book.entries() if entry.place == 0), task.number)
        record = _await(task.numbered(number), book)
        if record["place"] == 0:
            return record


def _confirmed(run: Run, number: int, searched: Sequence[Path], trials: int) -> Again | None:
    """Return what job ``number`` of a run that confirms a search trains again; None of any other run."""
    if not run.confirms:
        return None
    trial, seed = confirmed_by(read_trials(searched), trials // FURTHER_SEEDS, number)
    return Again(number_of(trial, seed), trial, seed)


def _await(task: Task, book: Ledger) -> Record:
    """Return the result of the trial: that of a twin that trains it already, or this process's own."""
    return awaited(book, task.number, task.label, lambda lease: _obtain(task, book, lease))


def _results(book: Ledger) -> list[Mapping[str, Any]]:
    """Return the records of all finished trials."""
    return [entry.result for entry in book.entries() if entry.result is not None]


def _obtain(task: Task, book: Ledger, lease: Lease) -> Record:
    """Ask, train, publish, and return the record that counts."""
    require_progress(task.run.name, task.stop_after_failures, _results(book), task.logs)
    proposal = book.proposal(
        task.number,
        lambda others, place: _parameters(task, others, place),
        task.planned,
    )
    if task.again and proposal.parameters != task.again.trial["parameters"]:
        raise HakkenError(
            f"{book.folder}: training {task.number} was begun with other parameters than trial "
            f"{task.again.trial['number']} of {task.run.confirms} has now; delete this folder to train again"
        )
    known = f"{len(proposal.known)} finished and {len(proposal.pending)} running trials known"
    log(f"{task.label}: parameters {proposal.parameters}; {known}")
    return published(task, book, proposal, lease)


def _parameters(task: Task, others: Sequence[Trial], place: int) -> Mapping[str, Any]:
    """Return what a trial trains: what the search proposes, or what is trained again."""
    return task.again.trial["parameters"] if task.again else propose_trial(task.settings, others, place)
