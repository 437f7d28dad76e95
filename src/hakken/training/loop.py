"""The training loop, to be read from top to bottom.

Everything that a step does derives from the seed and the number of the step: batch, augmentation, dropout, learning
rate. A checkpoint therefore holds the weights, the optimiser and what was measured so far, and no random state; a
training that goes on from it ends as an uninterrupted one does, bit for bit on one CPU thread.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import astuple, dataclass, field
from typing import Any, Literal, Protocol, TypeVar

import torch
from torch import nn

from hakken.seeds import derive_seed
from hakken.study import Hyperparameters, Training
from hakken.training.checkpoint import Checkpoints
from hakken.training.optimiser import Optimiser, learning_rate

Network = TypeVar("Network", bound=nn.Module)
Weights = dict[str, torch.Tensor]
Ended = Literal["steps", "patience", "pruned"]
CHECK_EVERY = 10  # steps between two looks at the loss, which make a GPU wait


class Diverged(FloatingPointError):  # noqa: N818 - the name says what happened
    """The loss is not a finite number any more."""


class Interrupted(Exception):  # noqa: N818 - the name says what happened
    """The loop was asked to stop and has saved itself; it goes on from there next time."""


class Batches(Protocol):
    """Where mini-batches come from."""

    def iterate(self, start_step: int, prefetch: bool) -> Iterator[Any]:
        """Yield the batches of ``start_step`` and all that follow, each a function of its step alone."""
        ...


@dataclass(frozen=True)
class CurvePoint:
    """One measurement: after so many steps, the mean training loss since the last one, and the objective."""

    step: int
    loss: float
    objective: float


@dataclass(frozen=True, eq=False)
class TrainingResult:
    """What a training ends with: the best objective, the step and the weights that gave it, and how it came to it."""

    objective: float
    best_step: int
    weights: Weights
    curve: tuple[CurvePoint, ...]
    seconds: float
    stopped: Ended
    hopeless: str  # why it was pruned


@dataclass
class Run:
    """What changes while a training runs, and what a checkpoint holds beside the network and the optimiser."""

    step: int = 0
    seconds: float = 0.0
    losses: list[torch.Tensor] = field(default_factory=list)
    curve: list[CurvePoint] = field(default_factory=list)
    best_step: int = -1
    best: Weights = field(default_factory=dict)
    hopeless: str = ""

    @property
    def objective(self) -> float:
        """The best objective so far."""
        return max((point.objective for point in self.curve), default=-math.inf)

    @property
    def misses(self) -> int:
        """How many measurements there were since the best."""
        return sum(point.step > self.best_step for point in self.curve)

    def record(self, objective: float, network: nn.Module) -> None:
        """Note a measurement, and keep the weights if it is the best."""
        point = CurvePoint(self.step, self.mean_loss(), objective)
        if objective > self.objective:
            self.best_step = self.step
            self.best = {name: value.detach().clone() for name, value in network.state_dict().items()}
        self.curve.append(point)
        self.losses.clear()

    def mean_loss(self) -> float:
        """Return the mean loss since the last measurement; raises Diverged when it is not finite."""
        mean = float(torch.stack(self.losses).double().mean()) if self.losses else 0.0
        if not math.isfinite(mean):
            raise Diverged(f"the loss was {mean} at step {self.step}")
        return mean


def train(
    network: Network,
    batches: Batches,
    loss: Callable[[Network, Any], torch.Tensor],
    validate: Callable[[Network], float],
    *,
    parameters: Hyperparameters,
    training: Training,
    seed: int,
    precision: torch.dtype = torch.float32,
    checkpoints: Checkpoints | None = None,
    stop: Callable[[], bool] = lambda: False,
    report: Callable[[Run], None] = lambda run: None,
    hopeless: Callable[[Sequence[CurvePoint]], str] = lambda curve: "",
) -> TrainingResult:
    """Train ``network`` in place and return the best weights by the objective, which is to be high.

    ``loss`` maps the network and a batch to a scalar; ``validate`` maps the network, in evaluation mode, to the
    objective; ``report`` is called after each step; ``hopeless`` is asked after each measurement, and the training ends
    there as `pruned` when it says why. Resumes from ``checkpoints``. Raises Diverged when the loss stops being finite,
    and Interrupted, after saving, when ``stop()`` says so between two steps.
    """
    device = next(network.parameters()).device
    optimiser = Optimiser(network, parameters, training.optimizer)
    run = _resume(checkpoints, network, optimiser, device)
    started = time.monotonic() - run.seconds
    stream = batches.iterate(run.step, prefetch=device.type == "cuda")

    while (ended := _ended(run, training)) is None:
        network.train()
        optimiser.rate = learning_rate(run.step, training.steps, parameters, training.schedule)
        torch.manual_seed(derive_seed(seed, "step", run.step))
        with autocast(device, precision):
            value = loss(network, next(stream))
        optimiser.clear()
        value.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        run.losses.append(value.detach())
        run.step += 1

        measured = run.step % training.validate_every == 0 or run.step == training.steps
        if measured or run.step % CHECK_EVERY == 0:
            run.mean_loss()
        if measured:
            network.eval()
            run.record(validate(network), network)
            run.hopeless = hopeless(run.curve)
        run.seconds = time.monotonic() - started
        report(run)
        asked = stop()
        if checkpoints and (measured or asked or checkpoints.due):
            checkpoints.save(run.step, _content(run, network, optimiser))
        if asked:
            raise Interrupted(f"stopped at step {run.step} of {training.steps}")

    return TrainingResult(run.objective, run.best_step, run.best, tuple(run.curve), run.seconds, ended, run.hopeless)


def _ended(run: Run, training: Training) -> Ended | None:
    """Return what ended a training, None where it goes on; one that has come to its end is not pruned."""
    if run.step >= training.steps:
        return "steps"
    if run.misses >= training.patience:
        return "patience"
    return "pruned" if run.hopeless else None


def autocast(device: torch.device, precision: torch.dtype) -> AbstractContextManager[Any]:
    """Return the context in which layers compute at ``precision``; weights and losses stay float32."""
    return nullcontext() if precision == torch.float32 else torch.autocast(device.type, precision)


def _content(run: Run, network: nn.Module, optimiser: Optimiser) -> dict[str, Any]:
    """Return all that is needed to go on, as tensors and plain values."""
    return {
        "network": network.state_dict(),
        "optimiser": optimiser.state_dict(),
        "step": run.step,
        "seconds": run.seconds,
        "losses": torch.stack(run.losses) if run.losses else torch.zeros(0),
        "curve": [astuple(point) for point in run.curve],
        "best_step": run.best_step,
        "best": run.best,
        "hopeless": run.hopeless,
    }


def _resume(checkpoints: Checkpoints | None, network: nn.Module, optimiser: Optimiser, device: torch.device) -> Run:
    """Return the run of the last sound checkpoint, network and optimiser set to it, or a fresh one."""
    content = checkpoints.load(device) if checkpoints else None
    if content is None:
        return Run()
    network.load_state_dict(content["network"])
    optimiser.load_state_dict(content["optimiser"])
    return Run(
        step=content["step"],
        seconds=content["seconds"],
        losses=list(content["losses"]),
        curve=[CurvePoint(*point) for point in content["curve"]],
        best_step=content["best_step"],
        best=content["best"],
        hopeless=content["hopeless"],
    )
