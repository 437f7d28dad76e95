"""One of several processes that train a network together; `torchrun` starts it with the path of an order.

The first process writes the outcome: the record, or that the training has saved itself and wants to go on later. A
training that fails by its own parameters says so in the outcome, whichever process notices first.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from hakken.core.console import console, progress
from hakken.core.files import read_json, write_json
from hakken.runs.fit import Fitting, fit
from hakken.search.lease import Lease
from hakken.study import Study
from hakken.training.device import choose_device
from hakken.training.failures import failure_reason
from hakken.training.loop import Interrupted
from hakken.training.stopping import Deadline
from hakken.training.team import Team, joined_team


@dataclass(frozen=True, eq=False)
class Order:
    """What the processes need to know.

    ``lease`` and ``token`` tell them whether the training is still theirs, ``meeting`` is the file by which they find
    each other, ``log`` the one that the first adds its lines to; each has so many CPU ``threads``.
    """

    fitting: Fitting
    lease: Path
    token: str
    outcome: Path
    meeting: Path
    log: Path | None
    threads: int

    def to_json(self) -> dict[str, Any]:
        """Return the order as plain values."""
        fitting = self.fitting
        plain = {
            "study": fitting.study.model_dump(mode="json"),
            "seed": fitting.seed,
            "patches": None if fitting.patches is None else str(fitting.patches),
            "train": [str(place) for place in fitting.train],
            "validation": [str(place) for place in fitting.validation],
            "folder": str(fitting.folder),
            "held_out": list(fitting.held_out),
            "others": None if fitting.others is None else str(fitting.others),
            "label": fitting.label,
            "identity": fitting.identity,
            "metadata": dict(fitting.metadata),
            "deadline": None if fitting.deadline is None else asdict(fitting.deadline),
            "parts": fitting.parts,
            "rungs": list(fitting.rungs),
            "until": fitting.until,
        }
        paths = {
            "lease": str(self.lease),
            "outcome": str(self.outcome),
            "meeting": str(self.meeting),
            "log": None if self.log is None else str(self.log),
        }
        return {"fitting": plain, **paths, "token": self.token, "threads": self.threads}

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Order:
        """Return the order of what `to_json` returned."""
        plain = dict(content["fitting"])
        deadline, others, patches = (plain.pop(name) for name in ("deadline", "others", "patches"))
        fitting = Fitting(
            study=Study.model_validate(plain.pop("study")),
            patches=None if patches is None else Path(patches),
            train=tuple(map(Path, plain.pop("train"))),
            validation=tuple(map(Path, plain.pop("validation"))),
            folder=Path(plain.pop("folder")),
            held_out=tuple(plain.pop("held_out")),
            rungs=tuple(plain.pop("rungs")),
            others=None if others is None else Path(others),
            deadline=None if deadline is None else Deadline(**deadline),
            **plain,
        )
        return cls(
            fitting,
            lease=Path(content["lease"]),
            token=content["token"],
            outcome=Path(content["outcome"]),
            meeting=Path(content["meeting"]),
            log=None if content["log"] is None else Path(content["log"]),
            threads=content["threads"],
        )


def main(path: str) -> None:
    """Train as the order at ``path`` says, together with the other processes."""
    order = Order.from_json(read_json(Path(path)))
    torch.set_num_threads(order.threads)
    device = choose_device()
    if device.type == "cuda":
        device = torch.device("cuda", int(os.environ["LOCAL_RANK"]))
        torch.cuda.set_device(device)
    with joined_team(device, order.meeting) as team, console("trial", order.log if team.first else None):
        try:
            _train(order, device, team)
        except Exception as error:
            reason = failure_reason(error)
            if reason is None:
                raise
            write_json(order.outcome, {"reason": reason, "detail": str(error)})
            progress(f"{order.fitting.label}: {reason} in process {team.rank + 1} of {team.size}")
            sys.stderr.flush()
            os._exit(1)  # the others wait for this one; torchrun ends them


def _train(order: Order, device: torch.device, team: Team) -> None:
    lease = Lease.of_another(order.lease, order.token)
    try:
        outcome: dict[str, Any] = {"record": fit(order.fitting, device, mine=lambda: lease.held, team=team)}
    except Interrupted as interruption:
        outcome = {"interrupted": str(interruption)}
    if team.first:
        write_json(order.outcome, outcome)


if __name__ == "__main__":
    main(sys.argv[1])
