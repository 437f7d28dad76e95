"""Stage `trial`: one training of a sweep, from asking for its parameters to its published result."""

from __future__ import annotations

import math
import os
import socket
import sys
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch

from hakken.cohort.checks import require_lesions
from hakken.console import log, progress
from hakken.errors import HakkenError
from hakken.files import sha256_file, sha256_json, write_json, write_text
from hakken.imaging.prepared import PreparedCase, prepared_cases
from hakken.inference.candidates import Candidates
from hakken.inference.model import save_model
from hakken.inference.table import candidate_rows, candidate_table
from hakken.networks.patch_cnn import PatchClassifier
from hakken.patches.loader import PatchLoader
from hakken.patches.shards import PatchStore
from hakken.report.guard import science
from hakken.search import Space, Trial, propose
from hakken.search.lease import Lease
from hakken.search.ledger import Ledger, Proposal
from hakken.search.trial import Value
from hakken.seeds import derive_seed
from hakken.stages import stage
from hakken.study import Hyperparameters, Study
from hakken.tasks.detection import DetectionTask, candidate_labels
from hakken.training.checkpoint import Checkpoints, clear_checkpoints
from hakken.training.device import choose_device, choose_precision, peak_memory_mb
from hakken.training.failures import failure_reason
from hakken.training.loop import Interrupted, TrainingResult, train
from hakken.training.proposal import complete, propose_network
from hakken.training.reporter import Reporter
from hakken.training.stopping import REQUEUE, stop_requests

DEFAULT = "default"  # the sweep that trains the study's own parameters
WAIT_SECONDS = 2.0
SHORT = 12  # characters of a generation that name its folders
Record = dict[str, Any]


@stage
def trial(
    *,
    study: Study,
    sweep: str,
    number: int,
    patches: Path,
    prepared: list[Path],
    ledger: Path,
    work: Path,
    output: Path,
    threads: int = 1,
    code: str = "",
) -> None:
    """Train trial ``number`` of ``sweep`` and write its record to ``output``.

    ``patches`` is the folder of training patches, ``prepared`` the folders of prepared validation cases; ``work`` takes
    checkpoints, network and candidates. The sweep `default` trains the study's own parameters, any other asks the
    proposer. A living twin of this trial is waited for. A trial that fails by its own parameters is recorded and no
    error; one that is asked to stop saves itself and exits with status 75.
    """
    torch.set_num_threads(threads)
    cases = tuple(case for folder in prepared for case in prepared_cases(folder))
    lesions = sum(lesion.kind == "included" for case in cases for lesion in case.lesions)
    if problems := require_lesions({"validation": lesions}):
        raise HakkenError(str(problems[0]))
    generation = _generation(patches, cases, code)
    job = _Job(study, sweep, number, patches, cases, work / generation[:SHORT], generation)
    book = _open_ledger(job, ledger)
    while (record := _published(book, number)) is None:
        with book.lease(number) as lease:
            if lease.held:  # perhaps because a twin has just finished
                record = _published(book, number) or _obtain(job, book, lease)
                break
        progress(f"{job.label}: another process trains it; waiting for its result")
        time.sleep(WAIT_SECONDS)
    write_json(output, record)
    progress(f"{job.label}: {_outcome(record)}")


@dataclass(frozen=True, eq=False)
class _Job:
    """What a trial needs to know; ``generation`` names the code and the data that it is trained with."""

    study: Study
    sweep: str
    number: int
    patches: Path
    cases: tuple[PreparedCase, ...]
    work: Path
    generation: str

    @property
    def seed(self) -> int:
        return derive_seed(self.study.seed, self.sweep, self.number)

    @property
    def label(self) -> str:
        return DEFAULT if self.sweep == DEFAULT else f"{self.number:02d}"


def _generation(patches: Path, cases: tuple[PreparedCase, ...], code: str) -> str:
    """Return a digest of code and data: results of other code or other images are never taken for these."""
    digests = [sha256_file(patches / "shards.json")]
    for case in cases:
        assert case.folder is not None  # they were loaded from one
        suffixes = (".json", ".npy", ".mask.npy", *([".labels.npy"] if case.has_truth else []))
        digests += [sha256_file(case.folder / f"{case.case_id}{suffix}") for suffix in suffixes]
    return sha256_json({"code": code, "data": digests})


def _open_ledger(job: _Job, folder: Path) -> Ledger:
    """Return the sweep's ledger; new code or data begin a new one beside the old."""
    book = Ledger(folder / job.generation[:SHORT])
    details = science(job.study)
    book.join(sha256_json(details), details)
    return book


def _published(book: Ledger, number: int) -> Record | None:
    """Return the published result of a trial whose files are all there, or None."""
    record = book.result(number)
    return record if record is not None and _is_sound(record) else None


def _obtain(job: _Job, book: Ledger, lease: Lease) -> Record:
    """Train, publish, and return the record that counts: the first whose files exist.

    The checkpoints stay until the result is published, so that a kill just before does not cost the training.
    """
    proposal = _proposal(job, book)
    known = f"{len(proposal.known)} finished and {len(proposal.pending)} running trials known"
    log(f"{job.label}: parameters {proposal.parameters}; {known}")
    mine = _attempt(job, proposal, lease)
    published = book.publish(job.number, mine)
    if lease.held:
        clear_checkpoints(job.work)
    return published if _is_sound(published) else mine


def _proposal(job: _Job, book: Ledger) -> Proposal:
    """Return what this trial trains; a retry finds what was proposed before."""
    search, defaults = job.study.search, job.study.parameters

    def ask(trials: list[Trial]) -> dict[str, Value]:
        space = Space.from_mapping(search.space)
        seed = derive_seed(job.study.seed, job.sweep)
        return propose(
            space, trials, number=job.number, seed=seed, maximise=True, sampler=search.sampler, startup=search.startup
        )

    def choose(others: tuple[Trial, ...]) -> Mapping[str, Value]:
        if job.sweep == DEFAULT:
            return {name: getattr(defaults, name) for name in search.space}
        return propose_network(others, defaults, ask)

    return book.proposal(job.number, job.seed, choose)


def _attempt(job: _Job, proposal: Proposal, lease: Lease) -> Record:
    """Train and return the record, also of a trial that fails by its own parameters."""
    started, device = datetime.now(UTC), choose_device()
    parameters = complete(proposal.parameters, job.study.parameters)
    outcome: Record
    try:
        outcome = _train(job, parameters, lease, device)
    except Interrupted as interruption:
        progress(f"{job.label}: {interruption}; it goes on from there when started again")
        sys.exit(REQUEUE)
    except Exception as error:
        reason = failure_reason(error)
        if reason is None:
            raise
        outcome = {"state": "failed", "objective": None, "reason": reason, "detail": str(error)}
    ended = datetime.now(UTC)
    seconds = outcome.pop("seconds", (ended - started).total_seconds())
    return {
        "sweep": job.sweep,
        "number": job.number,
        **outcome,
        "parameters": proposal.parameters,
        "hyperparameters": parameters.model_dump(mode="json"),
        "seed": job.seed,
        "known": list(proposal.known),
        "pending": list(proposal.pending),
        "proposed_at": proposal.proposed_at,
        "start": started.isoformat(timespec="milliseconds"),
        "end": ended.isoformat(timespec="milliseconds"),
        "host": socket.gethostname(),
        "device": device.type,
        "threads": torch.get_num_threads(),
        "seconds": round(seconds, 3),
        "gpu_seconds": round(seconds, 3) if device.type == "cuda" else 0.0,
        "peak_memory_mb": round(peak_memory_mb(device), 1),
        "generation": job.generation,
    }


def _train(job: _Job, parameters: Hyperparameters, lease: Lease, device: torch.device) -> Record:
    """Train one network, write its files, and return what the record says of them."""
    store = PatchStore.open(job.patches, verify=True)
    training = job.study.training
    task = DetectionTask.of(job.study, store.layout.axes, parameters, job.cases)
    torch.manual_seed(derive_seed(job.seed, "weights"))
    network = task.network().to(device)
    log(f"{job.label}: {network.parameter_count} weights, {device.type}, {torch.get_num_threads()} threads")
    identity = sha256_json([job.generation, parameters.model_dump(mode="json"), job.seed, science(job.study)])
    checkpoints = Checkpoints(job.work, identity, training.checkpoint_seconds, mine=lambda: lease.held)
    validation = _Validation(task)
    with stop_requests() as stop:
        result = train(
            network,
            _loader(store, parameters, job.seed, device),
            task.loss,
            validation,
            parameters=parameters,
            training=training,
            seed=job.seed,
            precision=choose_precision(training.precision, device),
            checkpoints=checkpoints,
            stop=stop,
            report=Reporter(job.label, training.steps),
        )
    log(f"{job.label}: {result.seconds:.1f} s of training, of them {validation.seconds:.1f} s measured the objective")
    network.load_state_dict(result.weights)
    since = sum(point.step > result.best_step for point in result.curve)
    found = validation.found if validation.since == since else task.candidates(network.eval())
    folder = job.work if lease.held else job.work / f"twin-{os.getpid()}"
    outcome = {"parameter_count": network.parameter_count}
    return outcome | _outcome_of(result) | _write_files(job, task, result, found, folder)


@dataclass
class _Validation:
    """Measures a network as the task does, and keeps the candidates of the best one for the trial's table.

    ``since`` counts the measurements after the best; a resumed training may have had its best before them all.
    """

    task: DetectionTask
    best: float = -math.inf
    since: int = -1
    seconds: float = 0.0
    found: Mapping[str, Candidates] = field(default_factory=dict)

    def __call__(self, network: PatchClassifier) -> float:
        start = time.monotonic()
        found = self.task.candidates(network)
        objective = self.task.objective(found)
        self.since += 1
        if objective > self.best:
            self.best, self.found, self.since = objective, found, 0
        self.seconds += time.monotonic() - start
        return objective


def _loader(store: PatchStore, parameters: Hyperparameters, seed: int, device: torch.device) -> PatchLoader:
    return PatchLoader(
        store,
        batch_size=parameters.batch_size,
        patch_size=parameters.patch_size,
        negative_ratio=parameters.negative_ratio,
        hard_fraction=parameters.hard_fraction,
        augmentation=parameters.augmentation,
        seed=derive_seed(seed, "batches"),
        device=device,
    )


def _outcome_of(result: TrainingResult) -> Record:
    return {
        "state": "complete",
        "objective": result.objective,
        "reason": None,
        "best_step": result.best_step,
        "stopped": result.stopped,
        "seconds": result.seconds,
        "curve": [asdict(point) for point in result.curve],
    }


def _write_files(
    job: _Job, task: DetectionTask, result: TrainingResult, found: Mapping[str, Candidates], folder: Path
) -> Record:
    """Write the best network and its candidates on validation; return their paths and hashes for the record."""
    model, table = folder / "model.pt", folder / "candidates.csv"
    metadata = {
        "sweep": job.sweep,
        "number": job.number,
        "seed": job.seed,
        "generation": job.generation,
        "objective": result.objective,
        "best_step": result.best_step,
    }
    save_model(
        model,
        result.weights,
        study=job.study,
        parameters=task.parameters,
        dimensions=task.dimensions,
        metadata=metadata,
    )
    rows = [
        row
        for case in job.cases
        for row in candidate_rows(case.case_id, found[case.case_id], candidate_labels(found[case.case_id], case))
    ]
    write_text(table, candidate_table(rows))
    files = {"model": model, "candidates": table}
    return {name: {"path": path.as_posix(), "sha256": sha256_file(path)} for name, path in files.items()}


def _is_sound(record: Record) -> bool:
    """Whether a published result still has the files that it names."""
    if record["state"] != "complete":
        return True
    files = [record["model"], record["candidates"]]
    return all(Path(file["path"]).is_file() and sha256_file(Path(file["path"])) == file["sha256"] for file in files)


def _outcome(record: Record) -> str:
    """Return a result in words."""
    if record["state"] != "complete":
        return f"failed, {record['reason']}: {record['detail']}"
    return f"partial AUC {record['objective']:.3f} at step {record['best_step']}, {record['seconds']:.0f} s"
