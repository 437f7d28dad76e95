"""The processes that train one network together, as the loop sees them; mostly there is one.

Gradients travel in one piece after each backward pass (NCCL between GPUs, gloo between CPUs). All else that they agree
on is small and goes through a gloo group of its own, so that no GPU waits for it.

The processes find each other by a file. Those of one machine talk over its loopback address; those of several over the
network, in the open. What is more than numbers is pickled, and a pickle runs code where it is read: so each carries an
authentication code (HMAC-SHA-256) by a secret that only these processes know, and none is read before that is compared.
"""

from __future__ import annotations

import hmac
import itertools
import os
import pickle
import socket
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import distributed, nn

T = TypeVar("T")
PATIENCE = timedelta(days=1)  # one process may measure or read for long while the others wait
SECRET = "HAKKEN_TEAM_SECRET"
"""The variable of the environment that holds the secret; that of a process is shown to its user alone."""

INTERFACES = ("GLOO_SOCKET_IFNAME", "NCCL_SOCKET_IFNAME")
SEAL = 32  # bytes of an authentication code


@dataclass(frozen=True, eq=False)
class Team:
    """This process among ``size``: the one of number ``rank``. The first (0) writes files and speaks.

    ``group`` is that of what is small, ``gradients`` that of gradients, None: all processes there are. What they tell
    each other is authenticated by the ``secret``.
    """

    rank: int = 0
    size: int = 1
    group: Any = None
    gradients: Any = None
    secret: bytes = field(default=b"", repr=False)
    _turns: Iterator[int] = field(default_factory=itertools.count, repr=False)

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
        turn = next(self._turns)
        message = _bytes(self._sealed(ask(), turn, 0) if self.first else b"")
        length = torch.tensor([len(message)])
        distributed.broadcast(length, src=0, group=self.group)
        if not self.first:
            message = torch.empty(int(length), dtype=torch.uint8)
        distributed.broadcast(message, src=0, group=self.group)
        answer: T = self._opened(message, turn, 0)
        return answer

    def united(self, part: dict[str, T]) -> dict[str, T]:
        """Return the union of the processes' parts to the first one, nothing to the others."""
        if self.size == 1:
            return part
        turn = next(self._turns)
        mine = _bytes(self._sealed(part, turn, self.rank))
        lengths = [torch.zeros(1, dtype=torch.long) for _ in range(self.size)]
        distributed.all_gather(lengths, torch.tensor([len(mine)]), group=self.group)
        longest = max(map(int, lengths))
        given = [torch.empty(longest, dtype=torch.uint8) for _ in range(self.size)] if self.first else None
        distributed.gather(nn.functional.pad(mine, (0, longest - len(mine))), given, dst=0, group=self.group)
        found: dict[str, T] = {}
        for rank, (one, length) in enumerate(zip(given or (), lengths, strict=False)):
            found |= self._opened(one[: int(length)], turn, rank)
        return found

    def settle(self, networks: Iterable[nn.Module]) -> None:
        """Give all processes the mean of their running averages, which each has taken of its own mini-batches."""
        if self.size == 1:
            return
        for network in networks:
            for buffer in network.buffers():
                if buffer.is_floating_point():
                    buffer.copy_(self.mean(buffer))

    def _sealed(self, value: Any, turn: int, rank: int) -> bytes:
        """Return a value as bytes behind a code of them, of whose turn it is and of who says it."""
        content = pickle.dumps(value)
        return self._code(content, turn, rank) + content

    def _opened(self, message: torch.Tensor, turn: int, rank: int) -> Any:
        """Return the value of a message; raises RuntimeError, without a look at it, where the code is another."""
        code, content = (part.numpy().tobytes() for part in (message[:SEAL], message[SEAL:]))
        if not hmac.compare_digest(code, self._code(content, turn, rank)):
            raise RuntimeError(f"a message in the name of process {rank + 1} of this training is not from it")
        return pickle.loads(content)

    def _code(self, content: bytes, turn: int, rank: int) -> bytes:
        if not self.secret:
            raise RuntimeError("processes without a secret have nothing to tell each other but numbers")
        return hmac.digest(self.secret, f"{turn} {rank} ".encode() + content, "sha256")


ALONE = Team()


@contextmanager
def joined_team(device: torch.device, meeting: Path) -> Iterator[Team]:
    """Join the other processes that `torchrun` has started with `environment_of`, and leave them at the end.

    They find each other by the file ``meeting``, which must be new for each start.
    """
    rank, size, secret = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"]), bytes.fromhex(os.environ[SECRET])
    distributed.init_process_group(
        "nccl" if device.type == "cuda" else "gloo",
        init_method=meeting.resolve().as_uri(),
        rank=rank,
        world_size=size,
        timeout=PATIENCE,
    )
    try:
        group = distributed.new_group(backend="gloo", timeout=PATIENCE)
        yield Team(rank, size, group, secret=secret)
    finally:
        distributed.destroy_process_group()


def environment_of(nodes: int, secret: str) -> dict[str, str]:
    """Return the variables of processes on so many machines: on one nothing listens beyond its loopback address."""
    here = dict.fromkeys(INTERFACES, loopback()) if nodes == 1 else {}
    # Or torchrun opens a store on all addresses, for processes that find each other by it.
    return {SECRET: secret, "TORCH_DISABLE_SHARE_RDZV_TCP_STORE": "1"} | here


def torchrun(nodes: int, per_node: int, meeting: Path) -> list[str]:
    """Return the command that starts ``per_node`` processes on this one of ``nodes`` machines.

    The machines find each other by the file ``meeting``, on a disk that all of them see; nothing listens for them.
    """
    start = [sys.executable, "-m", "torch.distributed.run", f"--nnodes={nodes}", f"--nproc-per-node={per_node}"]
    return [*start, "--rdzv-backend=c10d", "--rdzv-conf=store_type=file", f"--rdzv-endpoint={meeting}"]


def _bytes(message: bytes) -> torch.Tensor:
    """Return bytes as a tensor (n,) that may be sent."""
    return torch.tensor(bytearray(message), dtype=torch.uint8)


def loopback() -> str:
    """Return the name of the network interface that leads nowhere but to this machine."""
    return next((name for _, name in socket.if_nameindex() if name.startswith("lo")), "lo")


def largest_team(minibatches: int, most: int) -> int:
    """Return how many processes share ``minibatches`` of an update evenly: the most, but not above ``most``.

    >>> largest_team(8, 6), largest_team(3, 2)
    (4, 1)
    """
    return max(number for number in range(1, max(min(minibatches, most), 1) + 1) if minibatches % number == 0)
