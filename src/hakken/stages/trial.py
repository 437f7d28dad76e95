"""Stage `trial`: one training of a run, from asking for its parameters to its published result."""

from __future__ import annotations

import socket
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

import torch

from hakken.core.console import log, progress
from hakken.core.errors import HakkenError
from hakken.core.files import sha256_json, write_json
from hakken.core.seeds import derive_seed
from hakken.imaging.outside import require_inside
from hakken.imaging.prepared import PreparedCase
from hakken.outcomes import words_of
from hakken.runs.ask import complete, propose_trial, seed_of, settings_of
from hakken.runs.cases import read_cases, read_cases_of, require_unseen
from hakken.runs.choice import CONFIRMS, FURTHER_SEEDS, confirmed_by, number_of
from hakken.runs.fit import Fitting, Record, has_its_files
from hakken.runs.generation import generation_of
from hakken.runs.guard import science, started_from
from hakken.runs.held_out import held_out_of
from hakken.runs.launch import Processes, TrainingFailed, processes_of, run_training
from hakken.runs.required import Kinds, require_cases
from hakken.runs.streak import require_progress
from hakken.runs.table import Run
from hakken.runs.trials import SHORT, read_trials
from hakken.runs.warm_start import read_source
from hakken.runs.whole import require_as_written
from hakken.search.lease import Lease
from hakken.search.ledger import Ledger, Planned, Proposal
from hakken.search.settings import Settings
from hakken.search.trial import Trial
from hakken.stages import began, stage
from hakken.study import Study
from hakken.training.checkpoint import clear_checkpoints
from hakken.training.device import choose_device, peak_memory_mb
from hakken.training.failures import failure_reason
from hakken.training.jobs import Job, begin_job, end_job, read_jobs, were_killed, without_progress
from hakken.training.loop import Interrupted
from hakken.training.stopping import REQUEUE, Deadline, deadline_of

WAIT_SECONDS = 2.0


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
    job = _Job(
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
    record = _result(job, ledger, first)
    write_json(output, record)
    progress(f"{job.label}: {_outcome(record, words_of(chosen))}")


def _result(job: _Job, ledger: Path, first: bool) -> Record:
    """Return the result of a job's trial, or of the ``first`` of its run."""
    job.require_cases()
    book = _open_ledger(job, ledger)
    if first:
        return _first(job, book)
    return _await(job if job.again is None else job.numbered(job.again.number), book)


def _first(job: _Job, book: Ledger) -> Record:
    """Return the result of the trial that asked first; where none has asked yet, this job's number does.

    Another job may ask before it all the same: then this number is a trial like any, and the first is waited for.
    """
    while True:
        number = next((entry.number for entry in book.entries() if entry.place == 0), job.number)
        record = _await(job.numbered(number), book)
        if record["place"] == 0:
            return record


@dataclass(frozen=True)
class _Again:
    """A trial of a search that is trained again with a further ``seed`` (1, 2); ``number`` is that in the ledger."""

    number: int
    trial: Mapping[str, Any]
    seed: int


def _confirmed(run: Run, number: int, searched: Sequence[Path], trials: int) -> _Again | None:
    """Return what job ``number`` of a run that confirms a search trains again; None of any other run."""
    if not run.confirms:
        return None
    trial, seed = confirmed_by(read_trials(searched), trials // FURTHER_SEEDS, number)
    return _Again(number_of(trial, seed), trial, seed)


@dataclass(frozen=True, eq=False)
class _Job:
    """What a trial needs to know; ``places`` are those of the cases of training and of validation."""

    study: Study
    run: Run
    number: int
    places: tuple[tuple[Path, ...], tuple[Path, ...]]
    patches: Path | None
    source: Path | None
    work: Path
    logs: Path
    code: str
    attempt: int
    deadline: Deadline | None
    processes: Processes
    planned: Planned
    stop_after_failures: int
    again: _Again | None = None

    def numbered(self, number: int) -> _Job:
        """Return the job of another trial of the same ledger."""
        return replace(self, number=number, work=self.work.with_name(f"{number:04d}"))

    @cached_property
    def settings(self) -> Settings:
        """What the proposals of the run depend on."""
        return settings_of(self.study, self.run, read_source(self.source) if self.source else ())

    @property
    def label(self) -> str:
        if self.again:
            return f"{self.again.trial['number']:02d} seed {self.again.seed}"
        return f"{self.number:02d}" if self.planned.trials > 1 else self.run.name

    @cached_property
    def held_out(self) -> tuple[str, ...]:
        """The cases of the fold that this training is not to see; none where they stand apart."""
        if self.run.fold is None or self.run.crossed:
            return ()
        return held_out_of(self.study, self.run, read_cases(self.places[0]))

    @cached_property
    def generation(self) -> str:
        """A digest of code and data: results of other code or other cases are never taken for these."""
        cases = [case for place in self.places for case in read_cases(place)]
        require_as_written(cases)
        return generation_of(self.patches, cases, self.code)

    @property
    def folder(self) -> Path:
        """Where the files of this training stand."""
        return self.work / self.generation[:SHORT]

    def require_cases(self) -> None:
        """Raise HakkenError where cases lack a kind or lesions inside of the mask, or are what is to stay unseen."""
        cases = read_cases_of(self.study, self.places[1])
        if self.run.crossed and self.run.fold is not None:
            require_unseen(self.study, self.run.fold, [*read_cases_of(self.study, self.places[0]), *cases])
        images = [case for case in cases if isinstance(case, PreparedCase)]
        require_inside(images, self.study.evaluation.accept_outside, "validation", self.study.preparation.mask)
        if self.study.cohort.kind != "none" and cases:
            kinds = Kinds.of(case.abnormal for case in cases)
            if problems := require_cases(self.study, {"validation": kinds}, (self.study.objective,)):
                raise HakkenError(str(problems[0]))


def _open_ledger(job: _Job, folder: Path) -> Ledger:
    """Return the run's ledger; new code or data begin a new one beside the old."""
    book = Ledger(folder / job.generation[:SHORT])
    details = science(job.study) | started_from(job.source, job.settings)
    book.join(sha256_json(details), details, job.settings)
    return book


def _await(job: _Job, book: Ledger) -> Record:
    """Return the result of the trial: that of a twin that trains it already, or this process's own."""
    while (record := _published(book, job.number)) is None:
        with book.lease(job.number) as lease:
            if lease.held:  # perhaps because a twin has just finished
                return _published(book, job.number) or _obtain(job, book, lease)
        progress(f"{job.label}: another process trains it; waiting for its result")
        time.sleep(WAIT_SECONDS)
    return record


def _published(book: Ledger, number: int) -> Record | None:
    """Return the published result of a trial whose files are all there, or None."""
    record = book.result(number)
    return record if record is not None and has_its_files(record) else None


def _results(book: Ledger) -> list[Mapping[str, Any]]:
    """Return the records of all finished trials."""
    return [entry.result for entry in book.entries() if entry.result is not None]


def _obtain(job: _Job, book: Ledger, lease: Lease) -> Record:
    """Ask, train, publish, and return the record that counts: the first whose files exist.

    The checkpoints stay until the result is published, so that a kill just before does not cost the training.
    """
    require_progress(job.run.name, job.stop_after_failures, _results(book), job.logs)
    proposal = book.proposal(
        job.number,
        lambda others, place: _parameters(job, others, place),
        job.planned,
    )
    if job.again and proposal.parameters != job.again.trial["parameters"]:
        raise HakkenError(
            f"{book.folder}: training {job.number} was begun with other parameters than trial "
            f"{job.again.trial['number']} of {job.run.confirms} has now; delete this folder to train again"
        )
    known = f"{len(proposal.known)} finished and {len(proposal.pending)} running trials known"
    log(f"{job.label}: parameters {proposal.parameters}; {known}")
    mine = _attempt(job, book, proposal, lease)
    published = book.publish(job.number, mine)
    if lease.held:
        clear_checkpoints(job.folder)
    return published if has_its_files(published) else mine


def _parameters(job: _Job, others: Sequence[Trial], place: int) -> Mapping[str, Any]:
    """Return what a trial trains: what the search proposes, or what is trained again."""
    return job.again.trial["parameters"] if job.again else propose_trial(job.settings, others, place)


def _attempt(job: _Job, book: Ledger, proposal: Proposal, lease: Lease) -> Record:
    """Train and return the record, also of a trial that fails by its own parameters."""
    started, device = datetime.now(UTC), choose_device()
    fitting = _fitting(job, book, proposal)
    jobs = begin_job(job.folder, job.attempt)
    if len(jobs) > 1:
        progress(f"{job.label}: job {len(jobs)} of this training; step {jobs[-1].step} of it is saved")
    outcome = _failed_jobs(job, jobs) or _outcome_of(job, fitting, lease)
    ended = datetime.now(UTC)
    seconds = outcome.pop("seconds", (ended - started).total_seconds())
    memory = outcome.pop("peak_memory_mb", round(peak_memory_mb(device), 1))
    return {
        "sweep": job.run.name,
        "number": job.number,
        "place": proposal.place,
        **({"levels": dict(job.run.levels)} if job.run.levels else {}),
        **({"fold": job.run.fold} if job.run.fold is not None else {}),
        **({CONFIRMS: {"trial": job.again.trial["number"], "seed": job.again.seed}} if job.again else {}),
        **outcome,
        "method": job.study.method,
        "parameters": proposal.parameters,
        "all_parameters": fitting.study.parameters.model_dump(mode="json"),
        "seed": fitting.seed,
        "known": list(proposal.known),
        "pending": list(proposal.pending),
        "proposed_at": proposal.proposed_at,
        "start": started.isoformat(timespec="milliseconds"),
        "end": ended.isoformat(timespec="milliseconds"),
        "host": socket.gethostname(),
        "jobs": [asdict(one) for one in read_jobs(job.folder)],
        "device": device.type,
        "threads": job.processes.threads,
        "seconds": round(seconds, 3),
        "gpu_seconds": round(seconds * job.processes.count, 3) if device.type == "cuda" else 0.0,
        "peak_memory_mb": memory,
        "generation": job.generation,
    }


def _failed_jobs(job: _Job, jobs: Sequence[Job]) -> Record | None:
    """Return the outcome of a training whose jobs are killed before they save anything, None where it may go on.

    Raises HakkenError where they ended with errors: those are the surroundings' fault, and the trial waits for a cure.
    """
    stuck = without_progress(jobs)
    if not stuck:
        return None
    if not were_killed(jobs):
        end_job(job.folder, "did not try")  # said, or this job would pass for one that was killed
        raise HakkenError(f"{job.label}: {stuck}; this one does not try again. Mend the cause and start the run again")
    remedy = "give it more memory or time, or save more often (training.checkpoint_seconds)"
    end_job(job.folder, "gave up")
    return {"state": "failed", "objective": None, "reason": "no progress", "detail": f"{stuck}; {remedy}"}


def _outcome_of(job: _Job, fitting: Fitting, lease: Lease) -> Record:
    """Train and return what the record says of it; note in the journal how this job ended."""
    try:
        outcome = run_training(fitting, job.processes, lease)
    except Interrupted as interruption:
        _note_end(job, lease, str(interruption))
        progress(f"{job.label}: {interruption}; it goes on from there when started again")
        sys.exit(REQUEUE)
    except Exception as error:
        _note_end(job, lease, f"{type(error).__name__}: {error}")
        reason = error.reason if isinstance(error, TrainingFailed) else failure_reason(error)
        if reason is None:
            raise
        return {"state": "failed", "objective": None, "reason": reason, "detail": str(error)}
    _note_end(job, lease, "finished")
    return outcome


def _note_end(job: _Job, lease: Lease, ended: str) -> None:
    """Note in the journal how this job ended, unless the training is a twin's by now."""
    if lease.held:
        end_job(job.folder, ended)


def _fitting(job: _Job, book: Ledger, proposal: Proposal) -> Fitting:
    study = job.study
    parameters = complete(proposal.parameters, study.parameters.model_dump(mode="json"), str(study.method))
    # What follows goes by the place of what is trained again, not by which of the jobs that confirm asks first.
    place = proposal.place if job.again is None else int(job.again.trial.get("place", job.again.trial["number"]))
    if job.again is None:
        seed = seed_of(study, job.run, place, parameters)
    else:
        seed = derive_seed(study.seed, job.run.stream, place, job.again.seed)
    # The study's own parameters, which all others must beat, are never stopped early.
    spared = job.again is not None or study.search.stopping == "none" or parameters == study.parameters
    train, validation = job.places
    return Fitting(
        study=study.model_copy(update={"parameters": parameters}),
        seed=seed,
        patches=job.patches,
        train=train,
        validation=validation,
        folder=job.folder,
        held_out=job.held_out,
        others=None if spared else book.folder,
        label=job.label,
        identity=sha256_json([job.generation, parameters.model_dump(mode="json"), seed, science(study)]),
        # Nothing of the job's number: the same search gives the same files, in whatever order its jobs come.
        metadata={"sweep": job.run.name, "place": place, "seed": seed, "generation": job.generation},
        deadline=job.deadline,
    )


def _outcome(record: Record, objective: str) -> str:
    """Return a result in words; ``objective`` is what the training maximises."""
    if record["state"] == "failed":
        return f"failed, {record['reason']}: {record['detail']}"
    reached = f"{objective} {record['objective']:.3f} at step {record['best_step']}, {record['seconds']:.0f} s"
    return f"stopped early, {reached}: {record['detail']}" if record["state"] == "pruned" else reached
