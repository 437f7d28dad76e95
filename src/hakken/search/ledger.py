"""The ledger of a sweep: a folder of small files, each published once; no server, no database.

    sweep.json               what the sweep is about; another study cannot continue it
    settings.json            all that its proposals depend on beside the trials, so that each can be replayed
    proposal-0007.json       what trial 7 trains, its place in the order of asking, and which trials were known and
                             pending then
    trial-0007.json          its result, the first that was published
    trial-0007.second-1.json a later result of a twin, kept and not counted
    trial-0007.lease         held by the process that trains it; propose.lease while one proposes

A trial with a proposal and no result is pending as long as it shows signs of life. Where trainings pause at rungs a
number stands for a segment of one, in the order of asking (`hakken.search.segments`). Temporary files begin with a dot
and are never read. See `hakken.core.publish` for why a kill at any instant loses nothing that was published.
"""

from __future__ import annotations

import itertools
import re
import socket
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from hakken.core import publish
from hakken.core.errors import HakkenError
from hakken.search.entry import Entry, Planned, Proposal, duration
from hakken.search.lease import Lease, lease
from hakken.search.plain import differences, plain
from hakken.search.settings import Settings, versions
from hakken.search.trial import FINISHED, Trial, Value

__all__ = ["Entry", "Ledger", "Planned", "Proposal", "generations"]

BEGUN = "sweep.json"
SETTINGS = "settings.json"
FILES = re.compile(r"(?:proposal|trial)-(?P<number>\d{4,})\.json")
LEFTOVER_SECONDS = 86_400.0
MAXIMUM_NAMED = 6
SILENCE = 3.0  # times the longest finished trial

Propose = Callable[[tuple[Trial, ...], int], Mapping[str, Value]]


@dataclass(frozen=True)
class Ledger:
    """The ledger in ``folder``, which is created when something is first written.

    ``stale_after`` is the silence in seconds after which the lease of a trial is free; ``patience`` the longest wait
    for each of those who are proposing.
    """

    folder: Path
    stale_after: float = 60.0
    patience: float = 60.0

    def join(self, context: str, details: Mapping[str, Any], settings: Settings) -> None:
        """Begin the sweep ``context``, or make sure that the ledger belongs to it and to the same ``settings``.

        ``details`` is what the context stands for (for instance space, seed and sampler); it names the difference.
        Raises HakkenError where the ledger was begun with another context or with other settings.
        """
        mine = plain({"context": context, "details": dict(details)})
        begun = self._agree(BEGUN, mine)
        self._clear_leftovers()
        if begun["context"] != context:
            self._refuse(differences(begun.get("details", {}), mine["details"]) or ["context"])
        proposing = {"settings": settings.to_json(), "versions": versions()}
        if changes := differences(self._agree(SETTINGS, proposing)["settings"], proposing["settings"]):
            self._refuse(changes)

    def settings(self) -> Settings | None:
        """Return all that the proposals depend on beside the trials, or None where no sweep has begun."""
        content = publish.read(self.folder / SETTINGS)
        return None if content is None else Settings.from_json(content["settings"])

    def versions(self) -> dict[str, str]:
        """Return the versions of Python and packages that the sweep was begun with."""
        return dict((publish.read(self.folder / SETTINGS) or {}).get("versions", {}))

    def entries(self) -> tuple[Entry, ...]:
        """Return what is known of every trial that has a proposal or a result, by number."""
        return tuple(map(self._entry, sorted(self._numbers())))

    def silent(self, entries: Sequence[Entry]) -> frozenset[int]:
        """Return the numbers of the pending trials that no longer count as such; their results still would.

        Those are the trials without a sign of life for three times the longest finished trial, and for as long as makes
        a lease stale. While nothing has finished there is none.
        """
        pending = [entry for entry in entries if entry.pending]
        finished = [entry.result for entry in entries if entry.result is not None]
        longest = max((seconds for seconds in map(duration, finished) if seconds is not None), default=None)
        if longest is None or not pending:
            return frozenset()
        now, limit = self.now(), max(SILENCE * longest, self.stale_after)
        return frozenset(entry.number for entry in pending if entry.seen is not None and now - entry.seen > limit)

    def now(self) -> float:
        """Return the time in seconds by the clock of the file server, or by this machine's where it cannot be asked."""
        try:
            return publish.server_time(self.folder)
        except (HakkenError, OSError):
            return time.time()

    def snapshot(self) -> tuple[Trial, ...]:
        """Return the trials that a proposer knows, by number: the finished, and the pending that are not silent."""
        entries = self.entries()
        silent = self.silent(entries)
        trials = (entry.trial for entry in entries if entry.number not in silent)
        return tuple(trial for trial in trials if trial is not None)

    def proposal(self, number: int, propose: Propose, planned: Planned | None = None) -> Proposal:
        """Return what trial ``number`` trains: the stored proposal, or a new one made by ``propose``.

        ``propose`` receives all other trials that count, finished and pending, and the place of this one in the order
        of asking; the others are numbered by theirs. Starters wait for each other, so that each sees the other's
        proposal. If a twin of this trial publishes first, its proposal is the one returned. ``planned`` is kept beside
        a new proposal. With one slot nothing is left to the clock: what has no result counts as running for good.
        """
        stored = self.stored_proposal(number)
        if stored is not None:
            return stored
        with self.asking():
            return self.stored_proposal(number) or self._propose(number, propose, planned)

    def stored_proposal(self, number: int) -> Proposal | None:
        """Return the published proposal of trial ``number``, or None."""
        content = publish.read(self._path("proposal", number))
        return None if content is None else Proposal.from_json(number, content)

    def claim(self, proposal: Proposal) -> bool:
        """Publish a proposal under its number; tell whether it stands there and not that of another."""
        return publish.create(self._path("proposal", proposal.number), proposal.to_json())

    def log(self) -> tuple[Entry, ...]:
        """Return the entries 0, 1, 2, ... up to the first number that nobody has asked for.

        They are looked up by name: a network file system may list a new file late.
        """
        known = itertools.takewhile(lambda entry: entry.proposal is not None, map(self._entry, itertools.count()))
        return tuple(known)

    def asking(self) -> AbstractContextManager[Lease]:
        """Wait for those who are proposing, each for the ledger's patience at most, and keep others waiting."""
        return lease(self.folder / "propose.lease", self.stale_after, patience=self.patience)

    def publish(self, number: int, record: Mapping[str, Any]) -> dict[str, Any]:
        """Publish the result of trial ``number`` and return the one that counts: the first.

        ``record`` holds `state` (complete, failed, pruned or paused), `objective` and whatever else is worth keeping;
        numpy scalars become plain ones, numbers that are not finite become null, and a complete or paused trial
        without a finite objective becomes a failed one.
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
        return lease(self._lease_path(number), self.stale_after)

    def _propose(self, number: int, propose: Propose, planned: Planned | None) -> Proposal:
        entries = [entry for entry in self.entries() if entry.number != number]
        silent = frozenset() if planned and planned.slots == 1 else self.silent(entries)
        others = [entry for entry in entries if entry.number not in silent and entry.asked is not None]
        place = 1 + max((entry.place for entry in entries if entry.proposal is not None), default=-1)
        asked = (entry.asked for entry in sorted(others, key=lambda entry: entry.place))
        mine = Proposal(
            number=number,
            parameters=plain(dict(propose(tuple(trial for trial in asked if trial is not None), place))),
            place=place,
            known=tuple(entry.number for entry in others if not entry.pending),
            pending=tuple(entry.number for entry in others if entry.pending),
            proposed_at=datetime.now(UTC).isoformat(timespec="milliseconds"),
            host=socket.gethostname(),
            trials=planned.trials if planned else None,
            slots=planned.slots if planned else None,
        )
        self.claim(mine)
        return self.stored_proposal(number) or mine

    def _entry(self, number: int) -> Entry:
        proposal, result = self.stored_proposal(number), self.result(number)
        if proposal is None or result is not None:
            return Entry(number, proposal, result)
        held = self._lease_path(number)
        signs = (publish.touched(path) for path in (self._path("proposal", number), held))
        seen = max((sign for sign in signs if sign is not None), default=None)
        holder = publish.read(held) or {}
        return Entry(number, proposal, None, holder.get("host", proposal.host), holder.get("since"), seen)

    def _agree(self, name: str, mine: dict[str, Any]) -> dict[str, Any]:
        """Return what the file ``name`` says, which is ``mine`` where there was none."""
        publish.create(self.folder / name, mine)
        return publish.read(self.folder / name) or mine

    def _refuse(self, changes: Sequence[str]) -> None:
        more = f" and {len(changes) - MAXIMUM_NAMED} more" if len(changes) > MAXIMUM_NAMED else ""
        raise HakkenError(
            f"{self.folder}: this sweep was begun with other settings: {', '.join(changes[:MAXIMUM_NAMED])}{more}; "
            "its trials cannot be mixed with new ones. Nothing is lost: undo the change to go on, or move the "
            "folder away to begin anew"
        )

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

    def _last_published(self) -> float:
        return max((publish.touched(path) or 0.0 for path in self.folder.glob("*.json")), default=0.0)

    def _path(self, kind: str, number: int) -> Path:
        return self.folder / f"{kind}-{number:04d}.json"

    def _lease_path(self, number: int) -> Path:
        return self.folder / f"trial-{number:04d}.lease"


def generations(sweep: Path) -> tuple[Ledger, ...]:
    """Return the ledgers of the folder of a sweep, or of its folder `ledger`, or the ledger itself; newest first.

    The newest is the one to which something was published last.
    """
    folders = [sweep, *sweep.glob("*"), *sweep.glob("ledger/*")]
    ledgers = [Ledger(folder) for folder in folders if (folder / BEGUN).is_file()]
    return tuple(sorted(ledgers, key=lambda ledger: ledger._last_published(), reverse=True))


def _finite(number: int, record: dict[str, Any]) -> dict[str, Any]:
    """Check the state of a result; a complete or paused one without an objective becomes a failed one."""
    state = record.get("state")
    if state not in FINISHED:
        raise HakkenError(f"trial {number}: a result cannot have the state `{state}`; known: {', '.join(FINISHED)}")
    if state in ("complete", "paused") and not isinstance(record.get("objective"), int | float):
        return {**record, "state": "failed", "objective": None, "reason": "diverged: the objective is not finite"}
    return record
