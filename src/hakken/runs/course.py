"""What one model learns: a training, and where its method has one, a sequel on the networks that were kept."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from hakken.core.console import log
from hakken.study import Training
from hakken.training.checkpoint import SEQUEL, Checkpoints
from hakken.training.device import loading_threads
from hakken.training.layout import Layout
from hakken.training.loop import TrainingResult, train
from hakken.training.method import Data, Method, Sequel
from hakken.training.players import Model, Networks, Player
from hakken.training.review import summed_up
from hakken.training.team import Team

Record = dict[str, Any]


@dataclass(frozen=True, eq=False)
class Finished:
    """The model that is kept, the result, and what the record says besides; ``whole``: nothing of it was left out."""

    model: Model
    result: TrainingResult
    told: Record
    whole: bool = True


@dataclass(frozen=True, eq=False)
class Course:
    """What all that a model learns is learnt with, and the ``folder`` that its checkpoints stand in.

    ``mine`` tells whether the folder is this training's to write in; ``stop`` asks it to save itself and end.
    """

    learner: Method
    training: Training
    folder: Path
    identity: str
    seed: int
    parts: int
    device: torch.device
    layout: Layout
    mine: Callable[[], bool]
    team: Team
    stop: Callable[[], bool]

    def train(
        self,
        networks: Networks,
        players: Sequence[Player],
        validate: Callable[[Model], float],
        **more: Any,
    ) -> TrainingResult:
        """Train the ``networks`` in place; see `hakken.training.loop.train`, which takes what there is ``more``."""
        return self._train(networks, players, validate, self.training, self.folder, **more)

    def finish(self, networks: Networks, players: Sequence[Player], result: TrainingResult, data: Data) -> Finished:
        """Return what is kept of the ``networks`` after a training, and after its sequel where the method has one."""
        model = self.learner.export(networks)
        for name, network in model.networks.items():
            network.load_state_dict(result.weights[name])
        told: Record = dict(summed_up(players, result.reviews))
        sequel = self.learner.sequel(model.eval(), data, self.seed, self.device)
        if sequel is None or result.stopped == "pruned":
            return Finished(model, result, told, sequel is None)
        later = self._follow(model.networks, sequel)
        return Finished(model.eval(), _joined(result, later), told | _told_of(sequel, later, result.objective))

    def _follow(self, networks: Networks, sequel: Sequel) -> TrainingResult:
        """Train what a method learns after that. Nothing is measured but the loss, and the last weights are kept."""
        steps = max(round(sequel.share * self.training.steps), 1)
        short = self.training.model_copy(update={"steps": steps, "validate_every": steps, "keep": "last"})
        result = self._train(networks, sequel.players, lambda model: 0.0, short, self.folder / SEQUEL)
        log(f"{sequel.name}: {steps} steps in {result.seconds:.1f} s")
        return result

    def _train(
        self,
        networks: Networks,
        players: Sequence[Player],
        validate: Callable[[Model], float],
        training: Training,
        folder: Path,
        **more: Any,
    ) -> TrainingResult:
        return train(
            networks,
            players,
            self.learner.loss,
            self.learner.export,
            validate,
            training=training,
            seed=self.seed,
            precision=self.layout.dtype,
            channels_last=self.layout.channels_last,
            checkpoints=Checkpoints(folder, self.identity, training.checkpoint_seconds, mine=self.mine),
            stop=self.stop,
            team=self.team,
            parts=self.parts,
            workers=loading_threads(self.device),
            **more,
        )


def _joined(result: TrainingResult, later: TrainingResult) -> TrainingResult:
    """Return the result of a training with the weights and the time of its sequel."""
    return replace(
        result,
        weights=later.weights,
        seconds=result.seconds + later.seconds,
        waited=result.waited + later.waited,
        reviews={**result.reviews, **later.reviews},
    )


def _told_of(sequel: Sequel, later: TrainingResult, objective: float) -> Record:
    """Return what a record says of a sequel: steps, seconds, loss, what its reviews found, the objective before it."""
    (point,) = later.curve[-1:]
    return {
        sequel.name: {
            "steps": point.step,
            "seconds": round(later.seconds, 3),
            "loss": point.loss,
            "objective_before": objective,
            "found": summed_up(sequel.players, later.reviews).get(sequel.name, {}),
        }
    }


def numbers_of(values: Mapping[str, Any]) -> Record:
    """Return the plain numbers among the values that a model was given besides."""
    return {name: value for name, value in values.items() if isinstance(value, int | float)}
