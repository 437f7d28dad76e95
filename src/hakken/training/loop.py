"""The training loop, to be read from top to bottom.

Everything that a step does derives from the seed and the number of the step: batch, augmentation, dropout, learning
rate. A checkpoint therefore holds the weights, the optimiser and what was measured so far, and no random state; a
training that goes on from it ends as an uninterrupted one does, bit for bit on one CPU thread.

Steps are mini-batches, numbered 0, 1, ...; one or more of them make an update. Several processes share the mini-batches
of an update, and add up what each has left to it: process r of w takes r, r + w, r + 2w, ... So a training can go on
with another number of processes, and ends with the same weights up to rounding (running averages of a batch
normalisation are the mean of those that the processes have taken, which is not quite the same).
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
from hakken.training.optimiser import Optimiser, scheduled_rate
from hakken.training.team import ALONE, Team

Network = TypeVar("Network", bound=nn.Module)
Weights = dict[str, torch.Tensor]
Ended = Literal["steps", "patience", "pruned"]
CHECK_EVERY = 10  # updates between two looks at the loss, which make a GPU wait


class Diverged(FloatingPointError):  # noqa: N818 - the name says what happened
    """The loss is not a finite number any more."""


class Interrupted(Exception):  # noqa: N818 - the name says what happened
    """The loop was asked to stop and has saved itself; it goes on from there next time."""


class Batches(Protocol):
    """Where mini-batches come from."""

    def iterate(self, start_step: int, prefetch: bool, stride: int) -> Iterator[Any]:
        """Yield the batches of ``start_step`` and every ``stride``-th that follows, each a function of its step."""
        ...


@dataclass(frozen=True)
class CurvePoint:
    """One measurement: after so many steps, the mean training loss since the last one, and the objective.

    ``seconds`` is how long the training had run by then, over all its jobs; it is no part of what is compared.
    """

    step: int
    loss: float
    objective: float
    seconds: float = field(default=0.0, compare=False)


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

    def record(self, objective: float, loss: float, network: nn.Module) -> None:
        """Note a measurement, and keep the weights if it is the best."""
        if objective > self.objective:
            self.best_step = self.step
            self.best = {name: value.detach().clone() for name, value in network.state_dict().items()}
        self.curve.append(CurvePoint(self.step, loss, objective, round(self.seconds, 3)))
        self.losses.clear()

    def mean_loss(self, team: Team = ALONE) -> float:
        """Return the mean loss since the last measurement; raises Diverged, in all processes, when it is not finite."""
        own = torch.stack(self.losses).double().mean() if self.losses else torch.zeros(())
        mean = float(team.mean(own))
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
    team: Team = ALONE,
    parts: int = 1,
) -> TrainingResult:
    """Train ``network`` in place and return the best weights by the objective, which is to be high.

    ``loss`` maps the network and a batch to a scalar; ``validate`` maps the network, in evaluation mode, to the
    objective, the same in all processes of the ``team``; ``report`` is called after each update; ``hopeless`` is asked
    after each measurement, and the training ends there as `pruned` when it says why. Each mini-batch goes through the
    network in so many ``parts``. Resumes from ``checkpoints``. Raises Diverged when the loss stops being finite, and
    Interrupted, after saving, when ``stop()`` says so, to any process, between two updates.
    """
    device = next(network.parameters()).device
    optimiser = Optimiser(network, parameters, training.optimizer)
    run = _resume(checkpoints, network, optimiser, device, team)
    started = time.monotonic() - run.seconds
    stream = batches.iterate(run.step + team.rank, prefetch=device.type == "cuda", stride=team.size)
    joined = team.joined(WithLoss(network, loss), leaves_out=training.sizes.several)
    update = _Update(joined, stream, training.minibatches, seed, autocast(device, precision), team, parts)

    while (ended := _ended(run, training)) is None:
        network.train()
        optimiser.rate = scheduled_rate(run.step, parameters, training)
        optimiser.clear()
        run.losses.append(update(run.step))
        optimiser.step()
        run.step += training.minibatches

        measured = run.step % training.validate_every < training.minibatches or run.step >= training.steps
        if measured or run.step // training.minibatches % CHECK_EVERY == 0:
            mean = run.mean_loss(team)
        if measured:
            team.settle(network)
            network.eval()
            objective = validate(network)
            run.seconds = time.monotonic() - started
            run.record(objective, mean, network)
            run.hopeless = team.told(lambda: hopeless(run.curve))
        run.seconds = time.monotonic() - started
        report(run)
        asked, due = team.any(stop(), bool(checkpoints and checkpoints.due))
        if checkpoints and (measured or asked or due):
            _save(checkpoints, run, network, optimiser, team)
        if asked:
            raise Interrupted(f"stopped at step {run.step} of {training.steps}")

    return TrainingResult(run.objective, run.best_step, run.best, tuple(run.curve), run.seconds, ended, run.hopeless)


@dataclass(frozen=True, eq=False)
class _Update:
    """Adds the gradients of the mini-batches of an update to the weights; ``numbers`` is the context of `autocast`."""

    joined: nn.Module
    stream: Iterator[Any]
    minibatches: int
    seed: int
    numbers: AbstractContextManager[Any]
    team: Team
    parts: int

    def __call__(self, step: int) -> torch.Tensor:
        """Do this process's share of the update at ``step``, and return its share of the mean loss."""
        losses = []
        for place in range(self.team.rank, self.minibatches, self.team.size):
            torch.manual_seed(derive_seed(self.seed, "step", step + place))
            pieces = _pieces(next(self.stream), self.parts)
            for number, (share, piece) in enumerate(pieces):
                more = number + 1 < len(pieces) or place + self.team.size < self.minibatches
                with self.team.holding_back(self.joined, more):
                    with self.numbers:
                        value = _scaled(self.joined(piece), share * self.team.size / self.minibatches)
                    value.backward()  # type: ignore[no-untyped-call]
                losses.append(value.detach())
        return losses[0] if len(losses) == 1 else torch.stack(losses).sum()


class WithLoss(nn.Module):
    """A network and its loss as one module, for gradients are shared at the end of a module's forward pass."""

    def __init__(self, network: nn.Module, loss: Callable[[Any, Any], torch.Tensor]) -> None:
        super().__init__()
        self.network, self.loss = network, loss

    def forward(self, batch: Any) -> torch.Tensor:
        """Return the loss (scalar) of a batch."""
        return self.loss(self.network, batch)


def _pieces(batch: Any, parts: int) -> list[tuple[float, Any]]:
    """Return a mini-batch in ``parts``, each with its share of it; in fewer where it has not so many patches."""
    if parts == 1:
        return [(1.0, batch)]
    pieces = batch.split(parts)
    return [(len(piece) / len(batch), piece) for piece in pieces]


def _scaled(value: torch.Tensor, factor: float) -> torch.Tensor:
    return value if factor == 1 else value * factor


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


def _save(checkpoints: Checkpoints, run: Run, network: nn.Module, optimiser: Optimiser, team: Team) -> None:
    """Save all that is needed to go on, as tensors and plain values; the first process writes."""
    team.settle(network)
    content = {
        "network": network.state_dict(),
        "optimiser": optimiser.state_dict(),
        "step": run.step,
        "seconds": run.seconds,
        "losses": team.mean(torch.stack(run.losses)) if run.losses else torch.zeros(0),
        "curve": [astuple(point) for point in run.curve],
        "best_step": run.best_step,
        "best": run.best,
        "hopeless": run.hopeless,
    }
    if team.first:
        checkpoints.save(run.step, content)


def _resume(
    checkpoints: Checkpoints | None, network: nn.Module, optimiser: Optimiser, device: torch.device, team: Team
) -> Run:
    """Return the run of the last sound checkpoint, network and optimiser set to it, or a fresh one."""
    content = team.told(
        lambda: checkpoints.load(torch.device("cpu") if team.size > 1 else device) if checkpoints else None
    )
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
