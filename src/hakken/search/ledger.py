"""The ledger of a sweep: a folder of small files, each published once; no server, no database.

    sweep.json               what the sweep is about; another study cannot continue it
    proposal-0007.json       what trial 7 trains, and which trials were known and pending when it was proposed
    trial-0007.json          its result, the first that was published
    trial-0007.second-1.json a later result of a twin, kept and not counted
    trial-0007.lease         held by the process that trains it; propose.lease while one proposes

A trial with a proposal and no result is pending. Temporary files begin with a dot and are never read. See
`hakken.search.publish` for why a kill at any instant loses nothing that was published.
"""

from __future__ import annotations

import math
import re
import socket
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from hakken.errors import HakkenError
from hakken.search import publish
from hakken.search.lease import Lease, lease
from hakken.search.trial import FINISHED, Trial, Value

FILES = re.compile(r"(?:proposal|trial)-(?P<number>\d{4,})\.json")
LEFTOVER_SECONDS = 86_400.0
MAXIMUM_NAMED = 6


@dataclass(frozen=True)
class Proposal:
    """What one trial trains, and what was known when that was decided."""

    number: int
    parameters: dict[str, Value]
    seed: int
    known: tuple[int, ...]  # numbers of the finished trials
    pending: tuple[int, ...]  # numbers of the running trials
    proposed_at: str  # UTC, ISO 8601
    host: str


@dataclass(frozen=True)
class Ledger:
    """The ledger in ``folder``, which is created when something is first written.

    ``stale_after`` is the silence in seconds after which the lease of a trial is free; ``patience`` the longest wait
    for others who are proposing.
    """

    folder: Path
    stale_after: float = 60.0
    patience: float = 60.0

    def join(self, context: str, details: Mapping[str, Any]) -> None:
        """Begin the sweep ``context``, or make sure that the ledger belongs to it.

        ``details`` is what the context stands for (for instance space, seed and sampler); it names the difference.
        Raises HakkenError where the ledger was begun with another context.
        """
        path = self.folder / "sweep.json"
        mine = plain({"context": context, "details": dict(details)})
        publish.create(path, mine)
        begun = publish.read(path) or mine
        self._clear_leftovers()
        if begun["context"] != context:
            changes = differences(begun.get("details", {}), mine["details"]) or ["context"]
            more = f" and {len(changes) - MAXIMUM_NAMED} more" if len(changes) > MAXIMUM_NAMED else ""
            raise HakkenError(
                f"{self.folder}: this sweep was begun with other settings: {', '.join(changes[:MAXIMUM_NAMED])}{more}; "
                "its trials cannot be mixed with new ones. Nothing is lost: undo the change to go on, or move the "
                "folder away to begin anew"
            )

    def snapshot(self) -> tuple[Trial, ...]:
        """Return all trials that have a proposal or a result, by number."""
        trials = map(self._trial, sorted(self._numbers()))
        return tuple(trial for trial in trials if trial is not None)

    def proposal(self, number: int, seed: int, propose: Callable[[tuple[Trial, ...]], Mapping[str, Value]]) -> Proposal:
        """Return what trial ``number`` trains: the stored proposal, or a new one made by ``propose``.

        ``propose`` receives all other trials. Starters wait for each other, so that each sees the other's proposal. If
        a twin of this trial publishes first, its proposal is the one returned.
        """
        stored = self.stored_proposal(number)
        if stored is not None:
            return stored
        with lease(self.folder / "propose.lease", self.stale_after, patience=self.patience):
            stored = self.stored_proposal(number)
            return stored or self._propose(number, seed, propose)

    def stored_proposal(self, number: int) -> Proposal | None:
        """Return the published proposal of trial ``number``, or None."""
        content = publish.read(self._path("proposal", number))
        if content is None:
            return None
        kept = {field.name: content[field.name] for field in fields(Proposal)}
        return Proposal(**{**kept, "known": tuple(kept["known"]), "pending": tuple(kept["pending"])})

    def publish(self, number: int, record: Mapping[str, Any]) -> dict[str, Any]:
        """Publish the result of trial ``number`` and return the one that counts: the first.

        ``record`` holds `state` (complete, failed or pruned), `objective` and whatever else is worth keeping; numpy
        scalars become plain ones, numbers that are not finite become null, and a complete trial without a finite
        objective becomes a failed one.
        """
        mine = _finite(number, plain({**record, "number": number}))
        path = self._path("trial", number)
        if publish.create(path, mine):
            return mine
        first = publish.read(path) or mine
        if first != mine:
            self._keep_second(number, mine)
        return first

    def result(self, number: int) -> dict[str, Any] | None:
        """Return the published result of trial ``number``, or None."""
        return publish.read(self._path("trial", number))

    def later_results(self, number: int) -> list[dict[str, Any]]:
        """Return the results of twins of trial ``number`` that came after the first."""
        paths = sorted(self.folder.glob(f"trial-{number:04d}.second-*.json"))
        return [record for record in map(publish.read, paths) if record is not None]

    def lease(self, number: int) -> AbstractContextManager[Lease]:
        """Hold trial ``number`` within the block; ``.held`` is False where a living twin trains it.

        A lease whose process has ended on this machine is taken over at once, one of another machine after
        ``stale_after`` seconds of silence. ``.held`` turns False if the lease is lost later.
        """
        return lease(self.folder / f"trial-{number:04d}.lease", self.stale_after)

    def _propose(self, number: int, seed: int, propose: Callable[[tuple[Trial, ...]], Mapping[str, Value]]) -> Proposal:
        others = tuple(trial for trial in self.snapshot() if trial.number != number)
        parameters = plain(dict(propose(others)))
        mine = Proposal(
            number=number,
            parameters=parameters,
            seed=seed,
            known=tuple(trial.number for trial in others if not trial.pending),
            pending=tuple(trial.number for trial in others if trial.pending),
            proposed_at=datetime.now(UTC).isoformat(timespec="milliseconds"),
            host=socket.gethostname(),
        )
        publish.create(self._path("proposal", number), asdict(mine))
        return self.stored_proposal(number) or mine

    def _trial(self, number: int) -> Trial | None:
        record = self.result(number)
        proposal = self.stored_proposal(number)
        parameters = proposal.parameters if proposal else (record or {}).get("parameters")
        if parameters is None:
            return None
        if record is None:
            return Trial(number, parameters, "running")
        return Trial(number, parameters, record["state"], record.get("objective"))

    def _numbers(self) -> set[int]:
        names = [path.name for path in self.folder.iterdir()] if self.folder.is_dir() else []
        return {int(match["number"]) for match in map(FILES.fullmatch, names) if match}

    def _keep_second(self, number: int, record: dict[str, Any]) -> None:
        count = 1
        while not publish.create(self.folder / f"trial-{number:04d}.second-{count}.json", record):
            count += 1

    def _clear_leftovers(self) -> None:
        """Remove temporary files that killed writers left long ago."""
        for path in self.folder.glob(f"{publish.TEMPORARY}*"):
            try:
                if time.time() - path.stat().st_mtime > LEFTOVER_SECONDS:
                    path.unlink()
            except FileNotFoundError:
                continue

    def _path(self, kind: str, number: int) -> Path:
        return self.folder / f"{kind}-{number:04d}.json"


def plain(value: Any) -> Any:
    """Return ``value`` as JSON knows it: numpy scalars and paths become plain, NaN and infinity None."""
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(item) for item in value]
    if hasattr(value, "tolist"):  # numpy scalars and arrays
        return plain(value.tolist())
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value if value is None or isinstance(value, bool | int | str) else str(value)


def differences(old: Any, new: Any, name: str = "") -> list[str]:
    """Name the keys in which two nested mappings differ, with both values: `search.slots` (8, now 4)."""
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        keys = sorted({*old, *new})
        below = [differences(old.get(key), new.get(key), f"{name}.{key}" if name else key) for key in keys]
        return [change for changes in below for change in changes]
    return [] if old == new else [f"`{name}` ({_brief(old)}, now {_brief(new)})"]


def _brief(value: Any) -> str:
    text = "absent" if value is None else str(value)
    return text if len(text) <= 40 else f"{text[:37]}..."


def _finite(number: int, record: dict[str, Any]) -> dict[str, Any]:
    """Check the state of a result; a complete one without an objective becomes a failed one."""
    state = record.get("state")
    if state not in FINISHED:
        raise HakkenError(f"trial {number}: a result cannot have the state `{state}`; known: {', '.join(FINISHED)}")
    if state == "complete" and not isinstance(record.get("objective"), int | float):
        return {**record, "state": "failed", "objective": None, "reason": "diverged: the objective is not finite"}
    return record
