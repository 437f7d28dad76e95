"""Processes that train a study's network on made-up patches, to be timed.

One pool serves all layouts: a layout of two processes uses the first two and leaves the others asleep. A step is a
whole one, as the training loop takes it: forward, backward, the gradients averaged between the processes, the
optimiser. Reading and augmenting patches and measuring the objective are not part of it.
"""

from __future__ import annotations

import multiprocessing
import os
import socket
import statistics
import tempfile
import time
import warnings
from contextlib import suppress
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from types import TracebackType

import numpy as np
import torch
from torch import distributed

from hakken.core.errors import HakkenError
from hakken.patches.loader import Batch
from hakken.study import Study
from hakken.tasks.choose import Task, task_of
from hakken.training.layout import Layout, arrange, arrange_images
from hakken.training.loop import WithLoss, autocast
from hakken.training.optimiser import Optimiser
from hakken.training.team import ALONE, Team

WAIT_SECONDS = 300.0  # for one answer; a step of a large network on few cores takes some ten seconds
ENDED = "a process of the measurement ended by itself, perhaps for want of memory; close other programs or try a scale"


@dataclass(frozen=True)
class Order:
    """What a process is told to do: so many steps laid out like this."""

    layout: Layout
    steps: int


class Pool:
    """The processes, from `with Pool(...) as pool` to the end of the block; ``seconds`` times a layout."""

    def __init__(self, study: Study, processes: int) -> None:
        self.study, self.count = study, processes
        self._processes: list[BaseProcess] = []
        self._pipes: list[Connection[Order | None, float | str]] = []
        self._folder = tempfile.TemporaryDirectory(prefix="hakken-layout-")

    def __enter__(self) -> Pool:
        context = multiprocessing.get_context("spawn")  # a fork would share the threads of torch
        meeting = Path(self._folder.name) / "meeting"
        os.environ.setdefault("TORCH_CPP_LOG_LEVEL", "ERROR")  # read when torch is loaded, before any code of ours
        for rank in range(self.count):
            mine, theirs = context.Pipe()
            process = context.Process(target=_serve, args=(theirs, self.study, rank, self.count, meeting), daemon=True)
            process.start()
            theirs.close()
            self._processes.append(process)
            self._pipes.append(mine)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        for pipe in self._pipes:
            with suppress(OSError):
                pipe.send(None)
        for process in self._processes:
            process.join(0 if error else 5)
            if process.is_alive():
                process.terminate()
                process.join()
        self._folder.cleanup()

    def seconds(self, layout: Layout, steps: int) -> float:
        """Return the seconds of a step, the median of ``steps`` after one that does not count.

        Raises HakkenError where a process says why it cannot, or dies.
        """
        chosen = self._pipes[: layout.processes]
        with suppress(OSError):
            for pipe in chosen:
                pipe.send(Order(layout, steps))
        answers: dict[int, float] = {}
        while len(answers) < len(chosen):
            waiting = [pipe for rank, pipe in enumerate(chosen) if rank not in answers]
            ready = wait(waiting, WAIT_SECONDS)
            if not ready:
                raise HakkenError(f"no answer within {WAIT_SECONDS:.0f} s; the steps of this study are too slow here")
            for pipe in waiting:
                if pipe in ready:
                    answers[chosen.index(pipe)] = _answer(pipe)
        return answers[0]


def _answer(pipe: Connection[Order | None, float | str]) -> float:
    try:
        answer = pipe.recv()
    except (EOFError, OSError):
        raise HakkenError(ENDED) from None
    if isinstance(answer, str):
        raise HakkenError(answer)
    return answer


def _serve(pipe: Connection[float | str, Order | None], study: Study, rank: int, processes: int, meeting: Path) -> None:
    """Time what the pipe orders until it orders nothing; runs in a process of its own."""
    try:
        warnings.simplefilter("ignore")  # of the way in which gradients travel; a training says them itself
        os.environ.setdefault("GLOO_SOCKET_IFNAME", _loopback())  # all are on this host
        distributed.init_process_group("gloo", init_method=meeting.as_uri(), rank=rank, world_size=processes)
        groups = {count: distributed.new_group(list(range(count))) for count in _counts(processes)}
        while (order := pipe.recv()) is not None:
            pipe.send(_time(study, order, groups[order.layout.processes]))
    except (EOFError, KeyboardInterrupt):
        return
    except Exception as error:  # reported where it is read; the process has nothing else to say it with
        pipe.send(f"{type(error).__name__} while measuring: {error}")


def _counts(processes: int) -> list[int]:
    return [1 << power for power in range(processes.bit_length())]


def _loopback() -> str:
    return next((name for _, name in socket.if_nameindex() if name.startswith("lo")), "lo")


def _time(study: Study, order: Order, group: distributed.ProcessGroup | None) -> float:
    """Return the median seconds of a step, after one that does not count."""
    layout = order.layout
    torch.set_num_threads(layout.threads)
    team = Team(distributed.get_rank(), layout.processes)
    stepper, taken = Stepper(study, layout, team, group), []
    for _ in range(order.steps + 1):
        distributed.barrier(group)
        start = time.perf_counter()
        stepper.step()
        distributed.barrier(group)  # a step of all has ended when the last of them has
        taken.append(time.perf_counter() - start)
    return statistics.median(taken[1:])


class Stepper:
    """A study's network at its own parameters, a batch of made-up patches, and the step of a training.

    It is made anew for each measurement: a network can be joined with one group of processes only.
    """

    def __init__(
        self, study: Study, layout: Layout, team: Team = ALONE, group: distributed.ProcessGroup | None = None
    ) -> None:
        study = study.model_copy(update={"training": study.training.model_copy(update={"weights": {}})})
        torch.manual_seed(0)
        task = task_of(study, study.patches.axes, study.parameters, ())
        self.network = arrange(task.network(), layout.channels_last).train()
        self.joined = team.joined(WithLoss(self.network, task.loss), study.training.sizes.several, group)
        self.batch = made_up_batch(study, task)
        self.batch = replace(self.batch, images=arrange_images(self.batch.images, layout.channels_last))
        self.numbers = autocast(torch.device("cpu"), layout.dtype)
        self.optimiser = Optimiser(self.network, study.parameters, study.training.optimizer)
        self.optimiser.rate = 0.0  # the same arithmetic, and noise cannot make the weights grow without end

    def step(self) -> torch.Tensor:
        """Take one step and return its loss (scalar)."""
        self.optimiser.clear()
        with self.numbers:
            loss: torch.Tensor = self.joined(self.batch)
        loss.backward()  # type: ignore[no-untyped-call]
        self.optimiser.step()
        return loss.detach()


def made_up_batch(study: Study, task: Task) -> Batch:
    """Return a mini-batch of noise in the shapes of the study's: its channels, patch edge, axes and targets."""
    generator = torch.Generator().manual_seed(0)
    count, edge, axes = study.parameters.batch_size, study.parameters.patch_size, study.patches.axes
    space = [edge] * axes
    images = torch.randn((count, len(study.inputs), *space), generator=generator)
    targets = torch.arange(count) % max(2, len(task.classes))
    maps = (torch.rand((count, 1, *space), generator=generator) < 0.5).float()
    return Batch(images, targets, np.arange(count), maps)
