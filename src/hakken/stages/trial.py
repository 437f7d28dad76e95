"""Stage `trial`: one training of a sweep, from asking for its parameters to its published result."""

from __future__ import annotations

import socket
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch

from hakken.cohort.checks import Kinds, require_cases
from hakken.console import log, progress
from hakken.errors import HakkenError
from hakken.files import sha256_file, sha256_json, write_json
from hakken.imaging.prepared import PreparedCase, prepared_cases
from hakken.report.guard import science, started_from
from hakken.search.lease import Lease
from hakken.search.ledger import Ledger, Planned, Proposal
from hakken.search.settings import Settings
from hakken.seeds import derive_seed
from hakken.stages import began, stage
from hakken.study import Hyperparameters, Study
from hakken.training.checkpoint import clear_checkpoints
from hakken.training.device import choose_device, peak_memory_mb
from hakken.training.failures import failure_reason
from hakken.training.fit import Fitting, Record, has_its_files
from hakken.training.jobs import Job, begin_job, end_job, read_jobs, were_killed, without_progress
from hakken.training.launch import Processes, TrainingFailed, processes_of, run_training
from hakken.training.loop import Interrupted
from hakken.training.proposal import complete, propose_trial
from hakken.training.stopping import REQUEUE, Deadline, deadline_of
from hakken.training.streak import require_progress
from hakken.training.sweep import DEFAULT, ONCE, Sweep, as_trained, laid_out, settings_of
from hakken.training.warm_start import read_source

WAIT_SECONDS = 2.0
SHORT = 12  # characters of a generation that name its folders


@stage
def trial(
    *,
    study: Study,
    sweep: Sweep,
    number: int,
    patches: Path,
    prepared: list[Path],
    ledger: Path,
    work: Path,
    logs: Path,
    output: Path,
    source: Path | None = None,
    threads: int = 1,
    minutes: float | None = None,
    attempt: int = 1,
    across: bool = False,
    code: str = "",
) -> None:
    """Train trial ``number`` of ``sweep`` and write its record to ``output``.

    ``patches`` is the folder of training patches, ``prepared`` the folders of prepared validation cases; ``work`` takes
    checkpoints, network and candidates; ``logs`` is where the trials of this study have their logs; ``source`` the
    table of the search that this one starts from. The scheduler ends the job after so many ``minutes``; it is the
    ``attempt``-th (1, 2, ...) of this run of the workflow; ``across`` says that it has all the machines that
    `training.nodes` asks for. A living twin of this trial is waited for. A trial that fails by its own parameters is
    recorded and no error, and so is one of which two jobs in a row were killed before they had saved anything; but
    where too many in a row have failed, none is started. One that is asked to stop, or comes near its time limit, saves
    itself and exits with status 75.
    """
    torch.set_num_threads(threads)
    cases = tuple(case for folder in prepared for case in prepared_cases(folder))
    if problems := require_cases(study.task, {"validation": Kinds.of(case.abnormal for case in cases)}):
        raise HakkenError(str(problems[0]))
    generation = _generation(patches, cases, code)
    processes = processes_of(laid_out(study, sweep).training, threads, across)
    folder = work / generation[:SHORT]
    job = _Job(
        study,
        sweep,
        number,
        patches,
        tuple(prepared),
        folder,
        logs,
        generation,
        attempt,
        deadline_of(minutes, began()),
        processes,
    )
    settings = settings_of(study, sweep.name, read_source(source) if source else ())
    book = _open_ledger(job, ledger, settings, source)
    while (record := _published(book, number)) is None:
        with book.lease(number) as lease:
            if lease.held:  # perhaps because a twin has just finished
                record = _published(book, number) or _obtain(job, book, settings, lease)
                break
        progress(f"{job.label}: another process trains it; waiting for its result")
        time.sleep(WAIT_SECONDS)
    write_json(output, record)
    progress(f"{job.label}: {_outcome(record, study.objective)}")


@dataclass(frozen=True, eq=False)
class _Job:
    """What a trial needs to know; ``generation`` names the code and the data that it is trained with."""

    study: Study
    sweep: Sweep
    number: int
    patches: Path
    prepared: tuple[Path, ...]
    work: Path
    logs: Path
    generation: str
    attempt: int
    deadline: Deadline | None
    processes: Processes

    @property
    def label(self) -> str:
        return self.sweep.name if self.sweep.name.startswith(ONCE) else f"{self.number:02d}"


def _generation(patches: Path, cases: tuple[PreparedCase, ...], code: str) -> str:
    """Return a digest of code and data: results of other code or other images are never taken for these."""
    digests = [sha256_file(patches / "shards.json")]
    for case in cases:
        assert case.folder is not None  # they were loaded from one
        suffixes = (".json", ".npy", ".mask.npy", *([".labels.npy"] if case.has_truth else []))
        digests += [sha256_file(case.folder / f"{case.case_id}{suffix}") for suffix in suffixes]
    return sha256_json({"code": code, "data": digests})


def _open_ledger(job: _Job, folder: Path, settings: Settings, source: Path | None) -> Ledger:
    """Return the sweep's ledger; new code or data begin a new one beside the old."""
    book = Ledger(folder / job.generation[:SHORT])
    details = science(job.study) | started_from(source, settings)
    book.join(sha256_json(details), details, settings)
    return book


def _published(book: Ledger, number: int) -> Record | None:
    """Return the published result of a trial whose files are all there, or None."""
    record = book.result(number)
    return record if record is not None and has_its_files(record) else None


def _results(book: Ledger) -> list[Mapping[str, Any]]:
    """Return the records of all finished trials."""
    return [entry.result for entry in book.entries() if entry.result is not None]


def _obtain(job: _Job, book: Ledger, settings: Settings, lease: Lease) -> Record:
    """Train, publish, and return the record that counts: the first whose files exist.

    The checkpoints stay until the result is published, so that a kill just before does not cost the training.
    """
    require_progress(job.sweep, _results(book), job.logs)
    proposal = book.proposal(
        job.number,
        derive_seed(job.study.seed, job.sweep.stream, job.number),
        lambda others: propose_trial(settings, others, job.number),
        Planned(job.sweep.trials, job.sweep.slots),
    )
    known = f"{len(proposal.known)} finished and {len(proposal.pending)} running trials known"
    log(f"{job.label}: parameters {proposal.parameters}; {known}")
    mine = _attempt(job, book, proposal, lease)
    published = book.publish(job.number, mine)
    if lease.held:
        clear_checkpoints(job.work)
    return published if has_its_files(published) else mine


def _attempt(job: _Job, book: Ledger, proposal: Proposal, lease: Lease) -> Record:
    """Train and return the record, also of a trial that fails by its own parameters."""
    started, device = datetime.now(UTC), choose_device()
    fitting = _fitting(job, book, proposal)
    jobs = begin_job(job.work, job.attempt)
    if len(jobs) > 1:
        progress(f"{job.label}: job {len(jobs)} of this training; step {jobs[-1].step} of it is saved")
    outcome = _failed_jobs(job, jobs) or _outcome_of(job, fitting, lease)
    ended = datetime.now(UTC)
    seconds = outcome.pop("seconds", (ended - started).total_seconds())
    memory = outcome.pop("peak_memory_mb", round(peak_memory_mb(device), 1))
    return {
        "sweep": job.sweep.name,
        "number": job.number,
        **outcome,
        "parameters": proposal.parameters,
        "hyperparameters": fitting.parameters.model_dump(mode="json"),
        "seed": fitting.seed,
        "known": list(proposal.known),
        "pending": list(proposal.pending),
        "proposed_at": proposal.proposed_at,
        "start": started.isoformat(timespec="milliseconds"),
        "end": ended.isoformat(timespec="milliseconds"),
        "host": socket.gethostname(),
        "jobs": [asdict(one) for one in read_jobs(job.work)],
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
        end_job(job.work, "did not try")  # said, or this job would pass for one that was killed
        raise HakkenError(f"{job.label}: {stuck}; this one does not try again. Mend the cause and start the run again")
    remedy = "give it more memory or time, or save more often (training.checkpoint_seconds)"
    end_job(job.work, "gave up")
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
        end_job(job.work, ended)


def _fitting(job: _Job, book: Ledger, proposal: Proposal) -> Fitting:
    study = laid_out(as_trained(job.study, job.sweep.name), job.sweep)
    parameters = complete(proposal.parameters, study.parameters)
    seed = _seed(job, study, parameters)
    # The study's own parameters, which all others must beat, are never stopped early.
    spared = job.study.search.stopping == "none" or parameters == job.study.parameters
    return Fitting(
        study=study,
        parameters=parameters,
        seed=seed,
        patches=job.patches,
        prepared=job.prepared,
        folder=job.work,
        others=None if spared else book.folder,
        label=job.label,
        identity=sha256_json([job.generation, parameters.model_dump(mode="json"), seed, science(study)]),
        metadata={"sweep": job.sweep.name, "number": job.number, "seed": seed, "generation": job.generation},
        deadline=job.deadline,
    )


def _seed(job: _Job, study: Study, parameters: Hyperparameters) -> int:
    """Return the seed of a training. The study's own parameters have the same wherever they are trained.

    A search that begins with them then trains the very network of the untuned default, and cannot end below it.
    """
    sweep, number = (DEFAULT, 0) if parameters == study.parameters else (job.sweep.stream, job.number)
    return derive_seed(job.study.seed, sweep, number)


def _outcome(record: Record, objective: str) -> str:
    """Return a result in words; ``objective`` is what the training maximises."""
    if record["state"] == "failed":
        return f"failed, {record['reason']}: {record['detail']}"
    reached = f"{objective} {record['objective']:.3f} at step {record['best_step']}, {record['seconds']:.0f} s"
    return f"stopped early, {reached}: {record['detail']}" if record["state"] == "pruned" else reached
