"""The processes that train one network together, as the loop sees them; mostly there is one.

Gradients travel in one piece after each backward pass (NCCL between GPUs, gloo between CPUs). All else that they agree
on is small and goes through a gloo group of its own, so that no GPU waits for it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar

import torch
from torch import distributed, nn

T = TypeVar("T")
PATIENCE = timedelta(days=1)  # one process may measure or read for long while the others wait


@dataclass(frozen=True, eq=False)
class Team:
    """This process among ``size``: the one of number ``rank``. The first (0) writes files and speaks.

    ``group`` is that of what is small, ``gradients`` that of gradients, None: all processes there are.
    """

    rank: int = 0
    size: int = 1
    group: Any = None
    gradients: Any = None

    @property
    def first(self) -> bool:
        """Whether this is the process that writes and speaks."""
        return self.rank == 0

    def begin_equal(self, networks: Iterable[nn.Module]) -> None:
        """Give all processes the weights and buffers of the first one."""
        if self.size == 1:
            return
        for network in networks:
            for tensor in (*network.parameters(), *network.buffers()):
                distributed.broadcast(tensor.detach(), src=0)

    def share_gradients(self, weights: Sequence[nn.Parameter]) -> None:
        """Replace the gradients of ``weights`` by their means over the processes.

        A weight that took part in the loss of some processes only counts as 0 in the others; one that took part in none
        keeps no gradient. Gradients are added up here and not by hooks of `DistributedDataParallel`, which a penalty on
        gradients (`torch.autograd.grad`) would pass by.
        """
        if self.size == 1 or not weights:
            return
        taken = torch.tensor([float(weight.grad is not None) for weight in weights])
        distributed.all_reduce(taken, distributed.ReduceOp.MAX, group=self.group)
        moved = [weight for weight, part in zip(weights, taken.tolist(), strict=True) if part]
        gradients = [torch.zeros_like(weight) if weight.grad is None else weight.grad for weight in moved]
        for kind in dict.fromkeys((one.dtype, one.device) for one in gradients):
            alike = [place for place, one in enumerate(gradients) if (one.dtype, one.device) == kind]
            flat = torch.cat([gradients[place].flatten() for place in alike])
            distributed.all_reduce(flat, group=self.gradients)
            parts = torch.split(flat / self.size, [gradients[place].numel() for place in alike])
            for place, part in zip(alike, parts, strict=True):
                moved[place].grad = part.view_as(moved[place])

    def any(self, *flags: bool) -> list[bool]:
        """Return of each flag whether any process raised it."""
        if self.size == 1:
            return list(flags)
        raised = torch.tensor([float(flag) for flag in flags])
        distributed.all_reduce(raised, distributed.ReduceOp.MAX, group=self.group)
        return [value > 0 for value in raised.tolist()]

    def mean(self, values: torch.Tensor) -> torch.Tensor:
        """Return the mean of the processes' ``values`` (of any shape, the same in all)."""
        if self.size == 1:
            return values
        sums = values.detach().to("cpu", torch.float64)
        distributed.all_reduce(sums, group=self.group)
        return (sums / self.size).to(values.device, values.dtype)

    def told(self, ask: Callable[[], T]) -> T:
        """Return what ``ask`` says to the first process, in all of them."""
        if self.size == 1:
            return ask()
        answer = [ask() if self.first else None]
        distributed.broadcast_object_list(answer, src=0, group=self.group)
        return answer[0]  # type: ignore[return-value]

    def united(self, part: dict[str, T]) -> dict[str, T]:
        """Return the union of the processes' parts to the first one, nothing to the others."""
        if self.size == 1:
            return part
        parts: list[dict[str, T]] | None = [{} for _ in range(self.size)] if self.first else None
        distributed.gather_object(part, parts, dst=0, group=self.group)
        return {name: value for one in parts or () for name, value in one.items()}

    def settle(self, networks: Iterable[nn.Module]) -> None:
        """Give all processes the mean of their running averages, which each has taken of its own mini-batches."""
        if self.size == 1:
            return
        for network in networks:
            for buffer in network.buffers():
                if buffer.is_floating_point():
                    buffer.copy_(self.mean(buffer))


ALONE = Team()


@contextmanager
def team_of_torchrun(device: torch.device) -> Iterator[Team]:
    """Join the other processes that `torchrun` has started, and leave them at the end."""
    distributed.init_process_group("nccl" if device.type == "cuda" else "gloo", timeout=PATIENCE)
    try:
        group = distributed.new_group(backend="gloo", timeout=PATIENCE)
        yield Team(distributed.get_rank(), distributed.get_world_size(), group)
    finally:
        distributed.destroy_process_group()


def largest_team(minibatches: int, most: int) -> int:
    """Return how many processes share ``minibatches`` of an update evenly: the most, but not above ``most``.

    >>> largest_team(8, 6), largest_team(3, 2)
    (4, 1)
    """
    return max(number for number in range(1, max(min(minibatches, most), 1) + 1) if minibatches % number == 0)
