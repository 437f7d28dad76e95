"""A process of a team, for tests: `torchrun ... team_process.py TEST FOLDER`; each rank writes FOLDER/rank-N.pt."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

import torch
from torch import nn

from hakken.study import Hyperparameters, Training
from hakken.training.checkpoint import Checkpoints
from hakken.training.loop import train
from hakken.training.synchronised_norm import synchronised
from hakken.training.team import ALONE, Team, team_of_torchrun

Batch = tuple[torch.Tensor, torch.Tensor]


def network(norm: bool) -> nn.Module:
    """A small float64 network; ``norm`` puts a batch normalisation into it."""
    torch.manual_seed(3)
    layers = [nn.Conv2d(1, 4, 3), *([nn.BatchNorm2d(4)] if norm else []), nn.ReLU(), nn.Flatten(), nn.Linear(16, 2)]
    return nn.Sequential(*layers).double()


def minibatch(step: int) -> Batch:
    random = torch.Generator().manual_seed(step)
    return torch.randn(6, 1, 4, 4, generator=random).double(), torch.arange(6) % 2


def loss(module: nn.Module, batch: Batch) -> torch.Tensor:
    return nn.functional.cross_entropy(module(batch[0]), batch[1])


def gradients(team: Team, norm: bool = False) -> dict[str, torch.Tensor]:
    """The gradients of one update of two mini-batches, each process having its own."""
    module = network(norm)
    module = synchronised(module) if norm and team.size > 1 else module
    joined = team.joined(module)
    mine = [minibatch(step) for step in range(2)][team.rank :: team.size]
    if norm and team.size == 1:  # one normalisation over both
        mine = [(torch.cat([images for images, _ in mine]), torch.cat([targets for _, targets in mine]))]
    for number, batch in enumerate(mine):
        with team.holding_back(joined, number + 1 < len(mine)):
            (loss(joined, batch) / len(mine)).backward()  # type: ignore[no-untyped-call]
    state = {f"state {name}": value for name, value in module.state_dict().items() if "running" in name}
    return state | {name: weight.grad for name, weight in module.named_parameters() if weight.grad is not None}


class Batches:
    def iterate(self, start_step: int, prefetch: bool, stride: int) -> Any:
        step = start_step
        while True:
            yield minibatch(step)
            step += stride


def trained(team: Team, folder: Path | None = None, steps: int = 24, stop_at: int | None = None) -> dict[str, Any]:
    """A training of two mini-batches an update, from the checkpoints in ``folder`` where there are any."""
    module = network(norm=False)
    calls = iter(range(2, 1000, 2))
    result = train(
        module,
        Batches(),
        loss,
        lambda net: team.told(lambda: float(sum(value.double().sum() for value in net.state_dict().values()))),
        parameters=Hyperparameters(learning_rate=0.01),
        training=Training(steps=steps, validate_every=8, gpus_per_node=2, patience=99),
        seed=5,
        checkpoints=Checkpoints(folder, "a", 1000) if folder else None,
        stop=lambda: team.rank == team.size - 1 and next(calls) == stop_at,
        team=team,
    )
    return {"weights": result.weights, "curve": [(p.step, p.loss, p.objective) for p in result.curve]}


def interrupted(team: Team, folder: Path) -> None:
    from hakken.training.loop import Interrupted

    try:
        trained(team, folder, stop_at=12)
    except Interrupted:
        return
    raise AssertionError("it was not stopped")


def main(test: str, folder: Path) -> None:
    with team_of_torchrun(torch.device("cpu")) as team:
        found: Any
        if test == "gradients":
            found = gradients(team)
        elif test == "norm":
            found = gradients(team, norm=True)
        elif test == "interrupted":
            found = interrupted(team, folder / "checkpoints")
        else:
            found = trained(team, folder / "checkpoints")
        torch.save(found, folder / f"rank-{team.rank}.pt")


__all__ = ["ALONE", "gradients", "trained"]

if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
