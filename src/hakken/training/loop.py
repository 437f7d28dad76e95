"""The training loop, to be read from top to bottom.

Everything that a step does derives from the seed and the number of the step: mini-batch, augmentation, dropout,
learning rate. A checkpoint therefore holds the weights, the optimisers and what was measured so far, and no random
state; a training that goes on from it ends as an uninterrupted one does, bit for bit on one CPU thread.

Steps are mini-batches, numbered 0, 1, ...; one or more of them make a round, in which each player is updated in turn.
Several processes share the mini-batches of an update, and add up what each has left to it: process r of w takes r,
r + w, r + 2w, ... So a training can go on with another number of processes, and ends with the same weights up to
rounding (running averages of a batch normalisation are the mean of those that the processes have taken, which is not
quite the same).
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import astuple, dataclass, field
from typing import Any, Literal

import torch

from hakken.study import Training
from hakken.training.averages import Averages
from hakken.training.checkpoint import Checkpoints
from hakken.training.optimiser import Optimiser, scheduled_rate
from hakken.training.players import Loss, Model, Networks, Player
from hakken.training.review import Reviewed, Reviews, is_due, made, tell_again
from hakken.training.team import ALONE, Team
from hakken.training.update import Turn, learnt

Weights = dict[str, dict[str, torch.Tensor]]
Ended = Literal["steps", "patience", "pruned", "paused"]
CHECK_EVERY = 10  # updates between two looks at the loss, which make a GPU wait


class Diverged(FloatingPointError):  # noqa: N818 - the name says what happened
    """The loss is not a finite number any more."""


class Interrupted(Exception):  # noqa: N818 - the name says what happened
    """The loop was asked to stop and has saved itself; it goes on from there next time."""


@dataclass(frozen=True)
class CurvePoint:
    """One measurement: after so many steps, the mean training loss since the last one, and the objective.

    ``loss`` is that of the first player; ``losses`` holds all that was written down, by name, where there is more.
    ``seconds`` is how long the training had run by then, over all its jobs; it is no part of what is compared.
    """

    step: int
    loss: float
    objective: float
    losses: Mapping[str, float] = field(default_factory=dict)
    seconds: float = field(default=0.0, compare=False)


@dataclass(frozen=True, eq=False)
class TrainingResult:
    """What a training ends with: its objective, the step and the weights that gave it, and how it came to it.

    Of its ``seconds`` it has ``waited`` for mini-batches and was ``measuring`` the objective so many. ``reviews`` are
    those that were made, by player.
    """

    objective: float
    best_step: int
    weights: Weights
    curve: tuple[CurvePoint, ...]
    seconds: float
    stopped: Ended
    hopeless: str  # why it was pruned
    waited: float = 0.0
    measuring: float = 0.0
    reviews: Mapping[str, Reviewed] = field(default_factory=dict)


@dataclass
class Run:
    """What changes while a training runs, and what a checkpoint holds beside the networks and the optimisers.

    ``keep`` says whether the weights that are kept are those of the best measurement or of the last. Of its ``seconds``
    this process has ``waited`` for mini-batches and was ``measuring`` so many.
    """

    keep: Literal["best", "last"] = "best"
    step: int = 0
    seconds: float = 0.0
    losses: dict[str, list[torch.Tensor]] = field(default_factory=dict)
    curve: list[CurvePoint] = field(default_factory=list)
    best_step: int = -1
    best: Weights = field(default_factory=dict)
    hopeless: str = ""
    waited: float = 0.0
    measuring: float = 0.0
    reviews: Reviews = field(default_factory=dict)

    @property
    def objective(self) -> float:
        """The best objective so far, or the last where the last weights are kept."""
        if self.keep == "last" and self.curve:
            return self.curve[-1].objective
        return max((point.objective for point in self.curve), default=-math.inf)

    @property
    def misses(self) -> int:
        """How many measurements there were since the best."""
        return sum(point.step > self.best_step for point in self.curve)

    def note(self, losses: Mapping[str, torch.Tensor]) -> None:
        """Keep the losses of an update until the next measurement."""
        for name, value in losses.items():
            self.losses.setdefault(name, []).append(value)

    def record(self, objective: float, losses: Mapping[str, float], networks: Networks) -> None:
        """Note a measurement, and keep the weights of ``networks`` where they are to be kept."""
        if self.keep == "last" or objective > self.objective:
            self.best_step = self.step
            self.best = {name: _cloned(network.state_dict()) for name, network in networks.items()}
        first, *_ = losses.values() or (0.0,)
        more = dict(losses) if len(losses) > 1 else {}
        self.curve.append(CurvePoint(self.step, first, objective, more, round(self.seconds, 3)))
        self.losses.clear()

    def mean_losses(self, team: Team = ALONE) -> dict[str, float]:
        """Return the mean losses since the last measurement; raises Diverged, in all processes, where one is none."""
        means = {name: torch.stack(values).double().mean() for name, values in self.losses.items()}
        found = dict(zip(means, team.mean(torch.stack([*means.values()])).tolist(), strict=True)) if means else {}
        for name, mean in found.items():
            if not math.isfinite(mean):
                which = f" of {name}" if len(found) > 1 else ""
                raise Diverged(f"the loss{which} was {mean} at step {self.step}")
        return found

    def result(self, ended: Ended) -> TrainingResult:
        """Return what the training ends with."""
        return TrainingResult(
            *(self.objective, self.best_step, self.best, tuple(self.curve), self.seconds, ended, self.hopeless),
            waited=self.waited,
            measuring=self.measuring,
            reviews=self.reviews,
        )

    @property
    def mean_loss(self) -> float:
        """The mean loss of the first player since the last measurement, in this process, finite or not."""
        first = next(iter(self.losses.values()), None)
        return 0.0 if first is None else float(torch.stack(first).double().mean())


@dataclass(frozen=True, eq=False)
class Learning:
    """What the processes of a ``team`` move together: networks, the optimisers of the players, moving averages.

    ``export`` takes the networks to the model that is kept of them.
    """

    networks: Networks
    optimisers: Mapping[str, Optimiser]
    averages: Averages
    export: Callable[[Networks], Model]
    team: Team

    @classmethod
    def begun(
        cls, networks: Networks, players: Sequence[Player], export: Callable[[Networks], Model], team: Team
    ) -> Learning:
        """Return it with optimisers that have seen nothing and the same weights in all processes."""
        optimisers = {player.name: Optimiser(learnt(networks, player), player.optimisation) for player in players}
        begun = cls(networks, optimisers, Averages(networks, players), export, team)
        team.begin_equal(networks.values())
        return begun

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return next(weight.device for network in self.networks.values() for weight in network.parameters())

    def settle(self) -> None:
        """Make what the processes have gathered apart from each other, running means of layers, the same in all."""
        self.team.settle((*self.networks.values(), *self.averages.copies))

    def kept(self) -> Model:
        """Return what would be kept now, in evaluation mode."""
        self.settle()
        return self.export(self.averages.of(self.networks)).eval()


def train(
    networks: Networks,
    players: Sequence[Player],
    loss: Callable[[str, Networks, Any, torch.Generator], Loss],
    export: Callable[[Networks], Model],
    validate: Callable[[Model], float],
    *,
    training: Training,
    seed: int,
    precision: torch.dtype = torch.float32,
    channels_last: bool = False,
    checkpoints: Checkpoints | None = None,
    stop: Callable[[], bool] = lambda: False,
    report: Callable[[Run], None] = lambda run: None,
    hopeless: Callable[[Sequence[CurvePoint]], str] = lambda curve: "",
    team: Team = ALONE,
    parts: int = 1,
    workers: int = 0,
    rungs: Sequence[int] = (),
    until: int | None = None,
) -> TrainingResult:
    """Train ``networks`` in place and return the weights of what is exported that were best by the objective.

    ``loss`` maps a player's name, the networks, a mini-batch and random numbers of this step to a loss; ``export``
    takes the networks, their moving averages in place of those that have some, to the model that ``validate`` maps to
    the objective, which is to be high and the same in all processes of the ``team``; ``report`` is called after each
    round; ``hopeless`` is asked after each measurement, and the training ends there as `pruned` when it says why. Each
    mini-batch goes through the networks in so many ``parts``; so many ``workers`` make them ahead, which changes
    nothing but the time. The objective is measured at the steps ``rungs`` as well, and the training ends as `paused` at
    the step ``until``, saved so that it can go on from there. Resumes from ``checkpoints``. Raises Diverged when a loss
    stops being finite, and Interrupted, after saving, when ``stop()`` says so, to any process, between two rounds.
    """
    learning = Learning.begun(networks, players, export, team)
    run = _resume(checkpoints, learning, training.keep)
    started = time.monotonic() - run.seconds
    turns = [
        Turn(player, networks, loss, training.minibatches, seed, precision, channels_last, team, parts, number)
        for number, player in enumerate(players)
    ]
    for turn in turns:
        tell_again(turn.player, run.reviews)
        turn.begin(run.step, workers)

    while (ended := _ended(run, training, until)) is None:
        _review(run, turns, learning, training, workers)
        _round(run, turns, learning, training)
        measured = _is_measured(run.step, training, rungs)
        if measured or run.step // training.minibatches % CHECK_EVERY == 0:
            means = run.mean_losses(team)
        if measured:
            _measure(run, learning, validate, losses=means, started=started)
            run.hopeless = team.told(lambda: hopeless(run.curve))
        run.seconds = time.monotonic() - started
        report(run)
        asked, due = team.any(stop(), bool(checkpoints and checkpoints.due))
        if checkpoints and (measured or asked or due):
            _save(checkpoints, run, learning)
        if asked:
            raise Interrupted(f"stopped at step {run.step} of {training.steps}")

    return run.result(ended)


def _review(run: Run, turns: Sequence[Turn], learning: Learning, training: Training, workers: int) -> None:
    """Let each player that is due look at the training cases; what it has made ahead is no longer what it wants."""
    for turn in turns:
        if is_due(turn.player, run.reviews, run.step, training.steps):
            run.reviews[turn.player.name] = made(turn.player, learning.kept, run.step, learning.team)
            turn.begin(run.step, workers)


def _is_measured(step: int, training: Training, rungs: Sequence[int]) -> bool:
    """Return whether the objective is measured after so many steps: now and then, at the end and at the ``rungs``."""
    return step % training.validate_every < training.minibatches or step >= training.steps or step in rungs


def _round(run: Run, turns: Sequence[Turn], learning: Learning, training: Training) -> None:
    """Update each player in turn, as often as it asks for."""
    for network in learning.networks.values():
        network.train()
    for turn in turns:
        optimiser = learning.optimisers[turn.player.name]
        optimiser.rate = scheduled_rate(run.step, turn.player.optimisation, training)
        for losses in turn.updates(run.step, optimiser):
            run.note(losses)
            learning.averages.follow(turn.player, learning.networks)
        run.waited += turn.waited
    run.step += training.minibatches


def _measure(
    run: Run,
    learning: Learning,
    validate: Callable[[Model], float],
    *,
    losses: Mapping[str, float],
    started: float,
) -> None:
    """Note the objective of what is exported, and how long it took; the training ``started`` then, by the clock."""
    model = learning.kept()
    begun = time.monotonic()
    objective = validate(model)
    now = time.monotonic()
    run.measuring += now - begun
    run.seconds = now - started
    run.record(objective, losses, model.networks)


def _ended(run: Run, training: Training, until: int | None = None) -> Ended | None:
    """Return what ended a training, None where it goes on; at its end it is neither pruned nor paused."""
    if run.step >= training.steps:
        return "steps"
    if run.misses >= training.patience:
        return "patience"
    if run.hopeless:
        return "pruned"
    return "paused" if until is not None and run.step >= until else None


def _cloned(weights: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {name: value.detach().clone() for name, value in weights.items()}


def _save(checkpoints: Checkpoints, run: Run, learning: Learning) -> None:
    """Save all that is needed to go on, as tensors and plain values; the first process writes."""
    learning.settle()
    team = learning.team
    content = {
        "networks": {name: network.state_dict() for name, network in learning.networks.items()},
        "optimisers": {name: optimiser.state_dict() for name, optimiser in learning.optimisers.items()},
        "averages": learning.averages.state_dict(),
        "step": run.step,
        "seconds": run.seconds,
        "waited": run.waited,
        "measuring": run.measuring,
        "losses": {name: team.mean(torch.stack(values)) for name, values in run.losses.items()},
        "curve": [astuple(point) for point in run.curve],
        "best_step": run.best_step,
        "best": run.best,
        "hopeless": run.hopeless,
        "reviews": {name: (one.step, one.seconds, one.found) for name, one in run.reviews.items()},
    }
    if team.first:
        checkpoints.save(run.step, content)


def _resume(checkpoints: Checkpoints | None, learning: Learning, keep: Literal["best", "last"]) -> Run:
    """Return the run of the last sound checkpoint, networks and optimisers set to it, or a fresh one."""
    team = learning.team
    device = torch.device("cpu") if team.size > 1 else learning.device
    content = team.told(lambda: checkpoints.load(device) if checkpoints else None)
    if content is None:
        return Run(keep)
    for name, network in learning.networks.items():
        network.load_state_dict(content["networks"][name])
    for name, optimiser in learning.optimisers.items():
        optimiser.load_state_dict(content["optimisers"][name])
    learning.averages.load_state_dict(content["averages"])
    return Run(
        keep,
        step=content["step"],
        seconds=content["seconds"],
        losses={name: list(values) for name, values in content["losses"].items()},
        curve=[CurvePoint(*point) for point in content["curve"]],
        best_step=content["best_step"],
        best=content["best"],
        hopeless=content["hopeless"],
        waited=content["waited"],
        measuring=content["measuring"],
        reviews={name: Reviewed(*one) for name, one in content["reviews"].items()},
    )
