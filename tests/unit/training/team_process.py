"""A process of a team, for tests: `torchrun ... team_process.py FOLDER`; each rank writes FOLDER/rank-N.pt."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch import distributed, nn

from hakken.methods.glow import Inference as FlowInference
from hakken.methods.glow import Parameters as FlowParameters
from hakken.methods.glow.learn import Learner as FlowLearner
from hakken.methods.unet import Inference, Parameters, Sizes
from hakken.methods.unet.learn import Learner
from hakken.networks.flow.glow import Glow, Stage, through
from hakken.patches.loader import Batch
from hakken.study import Training
from hakken.training.checkpoint import Checkpoints
from hakken.training.loop import Interrupted, TrainingResult, train
from hakken.training.method import Facts
from hakken.training.optimiser import Optimiser
from hakken.training.players import Loss, Model, Networks, Optimisation, Player
from hakken.training.sources import Samples
from hakken.training.synchronised_norm import synchronised
from hakken.training.team import ALONE, Team, joined_team
from hakken.training.update import Turn, learnt

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parent))
    from game import adversaries, game, total, wasserstein
else:
    from .game import adversaries, game, total, wasserstein

NAME = "network"


def network(norm: bool) -> nn.Module:
    """A small float64 network; ``norm`` puts a batch normalisation into it."""
    torch.manual_seed(3)
    layers = [nn.Conv2d(1, 4, 3), *([nn.BatchNorm2d(4)] if norm else []), nn.ReLU(), nn.Flatten(), nn.Linear(16, 2)]
    return nn.Sequential(*layers).double()


def minibatch(step: int) -> Samples:
    random = torch.Generator().manual_seed(step)
    return Samples({"images": torch.randn(6, 1, 4, 4, generator=random).double(), "targets": torch.arange(6) % 2})


class Batches:
    """Mini-batches that are functions of their number; ``joined`` puts two and two together."""

    def __init__(self, joined: bool = False) -> None:
        self.joined = joined

    def iterate(self, start: int, *, workers: int, stride: int) -> Iterator[Samples]:
        while True:
            parts = [minibatch(2 * start), minibatch(2 * start + 1)] if self.joined else [minibatch(start)]
            yield Samples({name: torch.cat([part[name] for part in parts]) for name in parts[0].tensors})
            start += stride


def loss(player: str, networks: Networks, batch: Samples, draw: torch.Generator) -> Loss:
    return Loss(nn.functional.cross_entropy(networks[NAME](batch["images"]), batch["targets"]))


def gradients(team: Team, norm: bool = False) -> dict[str, torch.Tensor]:
    """The gradients of one update of two mini-batches, each process having its own."""
    module = network(norm)
    module = synchronised(module) if norm and team.size > 1 else module
    together = norm and team.size == 1  # one normalisation over both
    player = Player(NAME, (NAME,), Batches(together), Optimisation())
    networks = {NAME: module.train()}
    turn = Turn(player, networks, loss, 1 if together else 2, 1, torch.float32, False, team, 1, 0)
    optimiser = Optimiser(learnt(networks, player), player.optimisation)
    optimiser.rate = 0.0
    turn.begin(0, workers=0)
    for _ in turn.updates(0, optimiser):
        pass
    state = {f"state {name}": value for name, value in module.state_dict().items() if "running" in name}
    return state | {name: weight.grad for name, weight in module.named_parameters() if weight.grad is not None}


def partial(team: Team) -> list[float | None]:
    """Gradients of three weights, of which the second takes part in the first process alone and the third in none."""
    weights = [nn.Parameter(torch.zeros(2)) for _ in range(3)]
    (weights[0].sum() * (team.rank + 1)).backward()  # type: ignore[no-untyped-call]
    if team.first:
        weights[1].sum().backward()
    team.share_gradients(weights)
    return [None if weight.grad is None else float(weight.grad[0]) for weight in weights]


def trained(team: Team, folder: Path | None = None, stop_at: int | None = None) -> dict[str, Any]:
    """A training of two mini-batches an update, from the checkpoints in ``folder`` where there are any."""
    calls = iter(range(2, 1000, 2))
    result = train(
        {NAME: network(norm=False)},
        [Player(NAME, (NAME,), Batches(), Optimisation(learning_rate=0.01))],
        loss,
        lambda networks: Model(dict(networks)),
        lambda model: team.told(lambda: total(model)),
        training=Training(steps=24, validate_every=8, gpus_per_node=2, patience=99),
        seed=5,
        checkpoints=Checkpoints(folder, "a", 1000) if folder else None,
        stop=lambda: team.rank == team.size - 1 and next(calls) == stop_at,
        team=team,
    )
    return plain(result)


def played(team: Team) -> dict[str, Any]:
    """A game of adversaries with two mini-batches an update."""
    training = Training(steps=12, validate_every=6, gpus_per_node=2, patience=99, keep="last")
    result = train(
        game(),
        adversaries(),
        wasserstein,
        lambda networks: Model(dict(networks)),
        lambda model: team.told(lambda: total(model)),
        training=training,
        seed=5,
        team=team,
    )
    return plain(result)


class Masks:
    """Mini-batches of images with masks that are functions of their number."""

    def iterate(self, start: int, *, workers: int, stride: int) -> Iterator[Batch]:
        while True:
            images = torch.randn(2, 1, 8, 8, generator=torch.Generator().manual_seed(start))
            yield Batch(images, torch.ones(2, dtype=torch.int64), np.arange(2), (images > 1).float())
            start += stride


def switched(team: Team, drawn: Literal["one", "sandwich"]) -> dict[str, Any]:
    """A U-Net of six sizes with scales of their own; each of the two mini-batches of an update draws its sizes."""
    sizes = Sizes(levels=(1, 2, 3), features=(0.5, 1.0), drawn=drawn, distillation=drawn == "sandwich", scaling="own")
    parameters = Parameters(poolings=2, convolutions=1, base_features=8, growth=1, dropout=0, sizes=sizes)
    learner = Learner(parameters, Inference(), Facts(inputs=("a",), axes=2))
    torch.manual_seed(3)
    result = train(
        learner.networks(),
        [Player(NAME, (NAME,), Masks(), Optimisation(learning_rate=0.01))],
        learner.loss,
        learner.export,
        lambda model: team.told(lambda: total(model)),
        training=Training(steps=16, validate_every=8, gpus_per_node=2, patience=99, keep="last"),
        seed=5,
        team=team,
    )
    return plain(result)


class Pictures:
    """Mini-batches of grey images that are functions of their number."""

    def iterate(self, start: int, *, workers: int, stride: int) -> Iterator[Samples]:
        while True:
            yield picture_batch(start)
            start += stride


def picture_batch(number: int) -> Samples:
    images = torch.rand(4, 1, 8, 8, generator=torch.Generator().manual_seed(number))
    return Samples({"images": images * torch.linspace(0.2, 1, 8), "bits": torch.full((4, 1, 1, 1), 5)})


def a_flow() -> Glow:
    torch.manual_seed(4)
    return Glow(1, 2, levels=2, depth=2, width=4)


def flowing(team: Team) -> dict[str, Any]:
    """A flow that learns from two mini-batches an update; before that each process has shown it one of its own."""
    flow = a_flow()
    if team.size == 1:
        flow.initialise(torch.cat([picture_batch(number)["images"] for number in range(2)]))
    else:
        flow.initialise(picture_batch(team.rank)["images"])
    begun = {name: value.clone() for name, value in flow.state_dict().items()}
    learner = FlowLearner(FlowParameters(width=4, depth=2, levels=2, patch_size=8), FlowInference(), Facts(("a",)))
    training = Training(steps=6, validate_every=6, gpus_per_node=2, patience=99, keep="last")
    result = train(
        {"normal": flow},
        [Player("normal", ("normal",), Pictures(), Optimisation(learning_rate=0.01), clip=50.0)],
        learner.loss,
        lambda networks: Model(dict(networks)),
        lambda model: team.told(lambda: total(model)),
        training=training,
        seed=5,
        team=team,
    )
    return {"begun": begun, **plain(result)}


def cut(team: Team) -> dict[str, torch.Tensor]:
    """The gradients of a flow whose second stage is in another process; an image and numbers of samples go across."""
    flow = a_flow().double()
    first, second = (stage for stage in flow.stages if isinstance(stage, Stage))
    images = picture_batch(0)["images"].double() - 0.5
    if team.size == 1:
        density = flow(images)
    elif team.first:
        rest, mine = through([first], images)
        assert rest is not None
        distributed.send(rest.detach().contiguous(), 1)
        back = torch.empty_like(rest)
        distributed.recv(back, 1)
        torch.autograd.backward([rest, mine], [back, -torch.ones_like(mine) / len(mine)])
        density = mine
    else:
        rest = torch.empty(4, 2, 4, 4, dtype=torch.float64)
        distributed.recv(rest, 0)
        _, density = through([second], rest.requires_grad_())
    if team.size == 1 or not team.first:
        (-density.mean()).backward()  # type: ignore[no-untyped-call]
    if team.size > 1 and not team.first:
        assert rest.grad is not None
        distributed.send(rest.grad.contiguous(), 0)
    found = {name: weight.grad for name, weight in flow.named_parameters() if weight.grad is not None}
    return {"density": density.detach(), **found}


def plain(result: TrainingResult) -> dict[str, Any]:
    weights = {f"{name}.{key}": value for name, one in result.weights.items() for key, value in one.items()}
    return {"weights": weights, "curve": [(point.step, point.loss, point.objective) for point in result.curve]}


def interrupted(team: Team, folder: Path) -> str:
    """Why a training stopped that the last process is asked to stop."""
    try:
        trained(team, folder, stop_at=12)
    except Interrupted as error:
        return str(error)
    return "it was not stopped"


def all_of(team: Team, folder: Path) -> Mapping[str, Any]:
    return {
        "gradients": gradients(team),
        "norm": gradients(team, norm=True),
        "partial": partial(team),
        "played": played(team),
        "one size": switched(team, "one"),
        "sandwich": switched(team, "sandwich"),
        "flow": flowing(team),
        "cut": cut(team),
        "trained": trained(team, folder / "anew"),
        "resumed": trained(team, folder / "begun by one"),
        "interrupted": interrupted(team, folder / "begun by two"),
    }


__all__ = ["ALONE", "cut", "flowing", "gradients", "played", "switched", "trained"]

if __name__ == "__main__":
    torch.set_num_threads(1)
    with joined_team(torch.device("cpu"), Path(sys.argv[1]) / "meeting") as team:
        torch.save(all_of(team, Path(sys.argv[1])), Path(sys.argv[1]) / f"rank-{team.rank}.pt")
