"""The processes that train one network together, as the loop sees them; mostly there is one.

Gradients travel through DistributedDataParallel (NCCL between GPUs, gloo between CPUs). All else that they agree on is
small and goes through a gloo group of its own, so that no GPU waits for it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar

import torch
from torch import distributed, nn
from torch.nn.parallel import DistributedDataParallel

T = TypeVar("T")
PATIENCE = timedelta(days=1)  # one process may measure or read for long while the others wait


@dataclass(frozen=True, eq=False)
class Team:
    """This process among ``size``: the one of number ``rank``. The first (0) writes files and speaks."""

    rank: int = 0
    size: int = 1
    group: Any = None

    @property
    def first(self) -> bool:
        """Whether this is the process that writes and speaks."""
        return self.rank == 0

    def joined(
        self, network: nn.Module, leaves_out: bool = False, among: distributed.ProcessGroup | None = None
    ) -> nn.Module:
        """Return ``network`` such that all processes get the mean of their gradients, and begin with equal weights.

        ``leaves_out`` says that a mini-batch may leave weights out; ``among`` are the processes where the team is not
        all that there are.
        """
        if self.size == 1:
            return network
        # Running averages do not travel with each step: `settle` takes their mean.
        return DistributedDataParallel(
            network, process_group=among, forward_sync_buffers=False, find_unused_parameters=leaves_out
        )

    def holding_back(self, network: nn.Module, wanted: bool) -> AbstractContextManager[Any]:
        """Return a context in which, where ``wanted``, gradients are added up here and do not travel yet."""
        if wanted and isinstance(network, DistributedDataParallel):
            return network.no_sync()
        return nullcontext()

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

    def settle(self, network: nn.Module) -> None:
        """Give all processes the mean of their running averages, which each has taken of its own mini-batches."""
        if self.size == 1:
            return
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
