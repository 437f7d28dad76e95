"""One attempt at a training: what a job must know of it, and the record of what came of it."""

from __future__ import annotations

import math
import socket
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

from hakken.core.console import progress
from hakken.core.errors import HakkenError
from hakken.core.files import sha256_json
from hakken.core.seeds import derive_seed
from hakken.imaging.outside import require_inside
from hakken.imaging.prepared import PreparedCase
from hakken.runs.ask import complete, seed_of, settings_of
from hakken.runs.cases import read_cases, read_cases_of, require_unseen
from hakken.runs.choice import CONFIRMS
from hakken.runs.fit import Fitting, Record, has_its_files
from hakken.runs.generation import generation_of
from hakken.runs.guard import science, started_from
from hakken.runs.held_out import held_out_of
from hakken.runs.launch import Processes, TrainingFailed, run_training
from hakken.runs.required import Kinds, require_cases
from hakken.runs.table import Run
from hakken.runs.trials import SHORT
from hakken.runs.warm_start import read_source
from hakken.runs.whole import require_as_written
from hakken.search.entry import Planned, Proposal
from hakken.search.lease import Lease
from hakken.search.ledger import Ledger
from hakken.search.rungs import Rungs, Segment, objectives_at
from hakken.search.segments import BY_RUNG, by_rung
from hakken.search.settings import Settings
from hakken.study import Study, Training
from hakken.training.checkpoint import clear_checkpoints
from hakken.training.device import choose_device, peak_memory_mb
from hakken.training.failures import failure_reason
from hakken.training.jobs import FINISHED, Job, begin_job, end_job, read_jobs, were_killed, without_progress
from hakken.training.loop import Interrupted
from hakken.training.stopping import REQUEUE, Deadline

WAIT_SECONDS = 2.0


@dataclass(frozen=True)
class Again:
    """A trial of a search that is trained again with a further ``seed`` (1, 2); ``number`` is that in the ledger."""

    number: int
    trial: Mapping[str, Any]
    seed: int


@dataclass(frozen=True, eq=False)
class Task:
    """What a trial needs to know; ``places`` are those of the cases of training and of validation.

    Where trainings pause at rungs it is about one ``segment``; those of the same training before have taken so many
    seconds ``before``.
    """

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
    again: Again | None = None
    segment: Segment | None = None
    before: float = 0.0

    def numbered(self, number: int) -> Task:
        """Return the task of another trial of the same ledger."""
        return replace(self, number=number, work=self.work.with_name(f"{number:04d}"))

    def of_segment(self, segment: Segment, before: float) -> Task:
        """Return the task of a segment; the files of its training stand together, whichever jobs it is of."""
        return replace(self.numbered(segment.training), segment=segment, before=before)

    @property
    def stops(self) -> Rungs:
        """Where the trainings of the run pause."""
        return Rungs.of(self.run.rungs)

    @cached_property
    def settings(self) -> Settings:
        """What the proposals of the run depend on."""
        return settings_of(self.study, self.run, read_source(self.source) if self.source else ())

    @property
    def label(self) -> str:
        """What the log calls the training."""
        if self.again:
            return f"{self.again.trial['number']:02d} seed {self.again.seed}"
        if self.segment:
            end = self.segment.until
            return f"{self.number:02d} to {'its end' if end == self.stops.end else self.stops.stops[end]}"
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


def open_ledger(task: Task, folder: Path) -> Ledger:
    """Return the run's ledger; new code or data begin a new one beside the old."""
    book = Ledger(folder / task.generation[:SHORT])
    details = science(task.study) | started_from(task.source, task.settings)
    book.join(sha256_json(details), details, task.settings)
    return book


def attempt_at(task: Task, book: Ledger, proposal: Proposal, lease: Lease) -> Record:
    """Train and return the record, also of a trial that fails by its own parameters."""
    started, device = datetime.now(UTC), choose_device()
    fitting = _fitting(task, book, proposal)
    jobs = begin_job(task.folder, task.attempt)
    if len(jobs) > 1:
        progress(f"{task.label}: job {len(jobs)} of this training; step {jobs[-1].step} of it is saved")
    outcome = _failed_jobs(task, jobs) or _outcome_of(task, fitting, lease)
    ended = datetime.now(UTC)
    if task.segment:
        outcome |= _at_rungs(task, task.segment, fitting, outcome)
    seconds = outcome.pop("seconds", (ended - started).total_seconds())
    memory = outcome.pop("peak_memory_mb", round(peak_memory_mb(device), 1))
    return {
        "sweep": task.run.name,
        "number": proposal.number,
        "place": proposal.place,
        **({"levels": dict(task.run.levels)} if task.run.levels else {}),
        **({"fold": task.run.fold} if task.run.fold is not None else {}),
        **({CONFIRMS: {"trial": task.again.trial["number"], "seed": task.again.seed}} if task.again else {}),
        **outcome,
        "method": task.study.method,
        "parameters": proposal.parameters,
        "all_parameters": fitting.study.parameters.model_dump(mode="json"),
        "seed": fitting.seed,
        "known": list(proposal.known),
        "pending": list(proposal.pending),
        "proposed_at": proposal.proposed_at,
        "start": started.isoformat(timespec="milliseconds"),
        "end": ended.isoformat(timespec="milliseconds"),
        "host": socket.gethostname(),
        "jobs": [asdict(one) for one in read_jobs(task.folder)],
        "device": device.type,
        "threads": task.processes.threads,
        "seconds": round(seconds, 3),
        "gpu_seconds": round(seconds * task.processes.count, 3) if device.type == "cuda" else 0.0,
        "peak_memory_mb": memory,
        "generation": task.generation,
    }


def _failed_jobs(task: Task, jobs: Sequence[Job]) -> Record | None:
    """Return the outcome of a training whose jobs are killed before they save anything, None where it may go on.

    Raises HakkenError where they ended with errors: those are the surroundings' fault, and the trial waits for a cure.
    """
    stuck = without_progress(jobs)
    if not stuck:
        return None
    if not were_killed(jobs):
        end_job(task.folder, "did not try")  # said, or this job would pass for one that was killed
        raise HakkenError(f"{task.label}: {stuck}; this one does not try again. Mend the cause and start the run again")
    remedy = "give it more memory or time, or save more often (training.checkpoint_seconds)"
    end_job(task.folder, "gave up")
    return {"state": "failed", "objective": None, "reason": "no progress", "detail": f"{stuck}; {remedy}"}


def _outcome_of(task: Task, fitting: Fitting, lease: Lease) -> Record:
    """Train and return what the record says of it; note in the journal how this job ended."""
    try:
        outcome = run_training(fitting, task.processes, lease)
    except Interrupted as interruption:
        _note_end(task, lease, str(interruption))
        progress(f"{task.label}: {interruption}; it goes on from there when started again")
        sys.exit(REQUEUE)
    except Exception as error:
        _note_end(task, lease, f"{type(error).__name__}: {error}")
        reason = error.reason if isinstance(error, TrainingFailed) else failure_reason(error)
        if reason is None:
            raise
        return {"state": "failed", "objective": None, "reason": reason, "detail": str(error)}
    _note_end(task, lease, FINISHED)
    return outcome


def _note_end(task: Task, lease: Lease, ended: str) -> None:
    """Note in the journal how this job ended, unless the training is a twin's by now."""
    if lease.held:
        end_job(task.folder, ended)


def _fitting(task: Task, book: Ledger, proposal: Proposal) -> Fitting:
    study = task.study
    parameters = complete(proposal.parameters, study.parameters.model_dump(mode="json"), str(study.method))
    # What follows goes by the place of what is trained again, not by which of the jobs that confirm asks first.
    place = proposal.place if task.again is None else int(task.again.trial.get("place", task.again.trial["number"]))
    place = task.segment.training if task.segment else place
    if task.again is None:
        seed = seed_of(study, task.run, place, parameters)
    else:
        seed = derive_seed(study.seed, task.run.stream, place, task.again.seed)
    # The study's own parameters, which all others must beat, are never stopped early.
    spared = task.again is not None or study.search.stopping == "none" or parameters == study.parameters
    train, validation = task.places
    return Fitting(
        study=study.model_copy(update={"parameters": parameters}),
        seed=seed,
        patches=task.patches,
        train=train,
        validation=validation,
        folder=task.folder,
        held_out=task.held_out,
        others=None if spared else book.folder,
        label=task.label,
        identity=sha256_json([task.generation, parameters.model_dump(mode="json"), seed, science(study)]),
        # Nothing of the job's number: the same search gives the same files, in whatever order its jobs come.
        metadata={"sweep": task.run.name, "place": place, "seed": seed, "generation": task.generation},
        deadline=task.deadline,
        **_pause(task),
    )


def _pause(task: Task) -> dict[str, Any]:
    """Return at which steps a training is measured beside the others, and where it pauses."""
    if not task.segment:
        return {}
    steps, end = rung_steps(task.study.training, task.stops), task.segment.until
    return {"rungs": steps, "until": None if end == task.stops.end else steps[end - 1]}


def rung_steps(training: Training, rungs: Rungs) -> tuple[int, ...]:
    """Return the step of each rung: that of the first update at or behind its share of the steps."""
    each = training.minibatches
    return tuple(math.ceil(share * training.steps / each) * each for share in rungs.shares)


def _at_rungs(task: Task, segment: Segment, fitting: Fitting, outcome: Record) -> Record:
    """Return what the record of a segment says beside the outcome of the training so far.

    The seconds are those of the segment, the objectives those of all stops that the training has come to.
    """
    rungs, state = task.stops, outcome["state"]
    found: dict[int, float | None] = {}
    if state != "failed":
        curve = [(point["step"], point["objective"]) for point in outcome["curve"]]
        known = objectives_at(curve, fitting.rungs, keep=task.study.training.keep)
        found = dict(enumerate(known[: rungs.last if state == "complete" else segment.until], start=1))
        found |= {rungs.end: outcome["objective"]} if state == "complete" else {}
    where = {name: str(rungs.stops[stop]) for name, stop in (("since", segment.since), ("until", segment.until))}
    more: Record = {"segment": asdict(segment) | where, BY_RUNG: by_rung(rungs, found)}
    if state == "paused":
        more["reason"] = f"rung {where['until']}"
    if "seconds" in outcome:
        more["seconds"] = max(outcome["seconds"] - task.before, 0.0)
    return more


def awaited(book: Ledger, number: int, label: str, obtain: Callable[[Lease], Record]) -> Record:
    """Return the result of a number: that of a twin that trains it already, or what this process obtains."""
    while (record := _published(book, number)) is None:
        with book.lease(number) as lease:
            if lease.held:  # perhaps because a twin has just finished
                return _published(book, number) or obtain(lease)
        progress(f"{label}: another process trains it; waiting for its result")
        time.sleep(WAIT_SECONDS)
    return record


def published(task: Task, book: Ledger, proposal: Proposal, lease: Lease) -> Record:
    """Train, publish, and return the record that counts: the first whose files exist.

    The checkpoints stay until the result is published, so that a kill just before does not cost the training; those of
    a training that pauses stay for the one that goes on with it.
    """
    mine = attempt_at(task, book, proposal, lease)
    first = book.publish(proposal.number, mine)
    if lease.held and mine["state"] != "paused":
        clear_checkpoints(task.folder)
    return first if has_its_files(first) else mine


def _published(book: Ledger, number: int) -> Record | None:
    """Return the published result of a number whose files are all there, or None."""
    record = book.result(number)
    return record if record is not None and has_its_files(record) else None


def said_of(record: Record, objective: str) -> str:
    """Return a result in words; ``objective`` is what the training maximises."""
    if record["state"] == "failed":
        return f"failed, {record['reason']}: {record['detail']}"
    reached = f"{objective} {record['objective']:.3f} at step {record['best_step']}, {record['seconds']:.0f} s"
    if record["state"] == "paused":
        return f"paused, {reached}"
    return f"stopped early, {reached}: {record['detail']}" if record["state"] == "pruned" else reached
