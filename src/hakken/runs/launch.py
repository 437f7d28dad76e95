"""Start a training: in this process, or in several at once on this machine or on all machines of the job.

Several processes are started by `torchrun` and run `hakken.runs.worker`; the order that they get, the files by which
they find each other and the outcome that they leave stand in the training's folder.
"""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from types import FrameType

import torch

from hakken.core.console import log, log_file, progress
from hakken.core.errors import HakkenError
from hakken.core.files import read_json, write_json
from hakken.runs import worker
from hakken.runs.fit import Fitting, Record, fit
from hakken.search.lease import Lease
from hakken.study import Training
from hakken.training.device import choose_device
from hakken.training.failures import OUT_OF_MEMORY, failure_reason
from hakken.training.layout import read_layout
from hakken.training.loop import Interrupted
from hakken.training.stopping import SIGNALS
from hakken.training.team import environment_of, largest_team, torchrun

ORDER = "order.json"
OUTCOME = "outcome.json"
MEETING = "meeting"


@dataclass(frozen=True)
class Processes:
    """How many processes train: so many ``per_node`` on so many ``nodes``, with so many CPU threads each."""

    nodes: int
    per_node: int
    threads: int

    @property
    def count(self) -> int:
        """All of them."""
        return self.nodes * self.per_node


class TrainingFailed(Exception):  # noqa: N818 - the name says what happened
    """A training that failed by its own parameters in another process; ``reason`` as of `failure_reason`."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason


def processes_of(training: Training, threads: int, across: bool) -> Processes:
    """Return how the mini-batches of an update are shared: one process a GPU; without GPUs one a CPU thread at most.

    Where `hakken tune-cpu` has found how many processes this host does best with, there are no more. ``threads`` are
    those of this machine's part of the job. ``across`` says that the job has all machines that the study asks for;
    otherwise all of it happens on this one. Raises HakkenError where machines are to be reached and there is nothing to
    reach them with.
    """
    nodes = training.nodes if across else 1
    if nodes > 1 and shutil.which("srun") is None:
        raise HakkenError(
            f"training.nodes is {nodes}, and there is no `srun` to start processes on other machines (it comes with "
            "Slurm); set training.nodes to 1 and training.gpus_per_node to the GPUs of one machine"
        )
    per_node = largest_team(training.minibatches // nodes, torch.cuda.device_count() or _most_on_cpu(threads))
    return Processes(nodes, per_node, max(threads // per_node, 1))


def _most_on_cpu(threads: int) -> int:
    """Return how many processes this host takes at most; a host with GPUs is not asked for its layout."""
    tuned = read_layout()
    return min(threads, tuned.processes) if tuned else threads


def run_training(fitting: Fitting, processes: Processes, lease: Lease) -> Record:
    """Train and return what a record says of it, with how many processes and parts of a mini-batch it took.

    Where memory runs out and the study says `accumulate`, mini-batches are taken in twice as many parts and the
    training goes on from its last checkpoint. Raises what `hakken.runs.fit.fit` raises, TrainingFailed for what
    failed in another process, and HakkenError where processes ended without an outcome.
    """
    while True:
        try:
            record = _here(fitting, processes, lease) if processes.count == 1 else _apart(fitting, processes, lease)
            return record | {"processes": processes.count, "nodes": processes.nodes, "parts": fitting.parts}
        except Exception as error:
            reason = error.reason if isinstance(error, TrainingFailed) else failure_reason(error)
            more = 2 * fitting.parts
            accumulates = fitting.study.training.out_of_memory == "accumulate"
            whole = int(getattr(fitting.study.parameters, "batch_size", 0))
            if reason != OUT_OF_MEMORY or not accumulates or whole // more < 2:  # batch normalisation needs two
                raise
            progress(f"{fitting.label}: out of memory; every mini-batch goes through the network in {more} parts")
        fitting = replace(fitting, parts=more)
        if torch.cuda.is_available():
            torch.cuda.empty_cache()


def _here(fitting: Fitting, processes: Processes, lease: Lease) -> Record:
    torch.set_num_threads(processes.threads)
    return fit(fitting, choose_device(), mine=lambda: lease.held)


def _apart(fitting: Fitting, processes: Processes, lease: Lease) -> Record:
    """Train in processes of their own; a signal to stop is passed on to them."""
    folder = fitting.folder.resolve()
    order, outcome = folder / ORDER, folder / OUTCOME
    meeting = folder / f"{MEETING}-{secrets.token_hex(4)}"  # a new one: those before hold what ended
    for stale in (outcome, *folder.glob(f"{MEETING}-*")):
        stale.unlink(missing_ok=True)
    write_json(order, _order(fitting, processes, lease, outcome, meeting).to_json())
    machines = torchrun(processes.nodes, processes.per_node, meeting.with_name(f"{meeting.name}-machines"))
    command = [*_launcher(processes), *machines, "-m", worker.__name__, str(order)]
    log(f"{fitting.label}: {processes.per_node} processes on {processes.nodes} machines: {' '.join(command)}")
    environment = os.environ | {"OMP_NUM_THREADS": str(processes.threads)}
    environment |= environment_of(processes.nodes, secrets.token_hex())
    with subprocess.Popen(command, env=environment) as started, _passing_on(started.send_signal):
        status = started.wait()
    for met in folder.glob(f"{MEETING}-*"):
        met.unlink(missing_ok=True)
    if not outcome.is_file():
        raise HakkenError(
            f"{fitting.label}: the {processes.count} processes of this training ended with status {status} and left no "
            "result; what they said stands above, and in the log of the job"
        )
    found = read_json(outcome)
    if "interrupted" in found:
        raise Interrupted(found["interrupted"])
    if "reason" in found:
        raise TrainingFailed(found["reason"], found["detail"])
    record: Record = found["record"]
    return record


def _order(fitting: Fitting, processes: Processes, lease: Lease, outcome: Path, meeting: Path) -> worker.Order:
    return worker.Order(fitting, lease.path.resolve(), lease.token, outcome, meeting, log_file(), processes.threads)


def _launcher(processes: Processes) -> list[str]:
    """Return the command that starts one process on each machine of a Slurm job; nothing where there is one."""
    if processes.nodes == 1:
        return []
    threads = processes.threads * processes.per_node
    each = [f"--nodes={processes.nodes}", f"--ntasks={processes.nodes}", "--ntasks-per-node=1"]
    return ["srun", *each, f"--cpus-per-task={threads}", "--cpu-bind=none", "--kill-on-bad-exit=1", "--export=ALL"]


@contextmanager
def _passing_on(send: Callable[[int], None]) -> Iterator[None]:
    """Within the block a signal to stop reaches the started processes; they save themselves and end."""

    def forward(_number: int, _frame: FrameType | None) -> None:
        send(signal.SIGTERM)

    before = {number: signal.signal(number, forward) for number in SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
