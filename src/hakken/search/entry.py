"""What the ledger knows of one trial: its proposal, its result, its last sign of life."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from datetime import datetime
from typing import Any

from hakken.search.rungs import Segment
from hakken.search.trial import Trial, Value


@dataclass(frozen=True)
class Planned:
    """What a sweep is planned with: so many trials, so many at once."""

    trials: int
    slots: int


@dataclass(frozen=True)
class Proposal:
    """What one trial trains, and what was known when that was decided.

    ``place`` is its place in the order of asking: 0 for the trial that asked first, whatever its number. Where
    trainings pause at rungs it is about a ``segment`` of one, and its number is its place.
    """

    number: int
    parameters: dict[str, Value]
    place: int
    known: tuple[int, ...]  # numbers of the finished trials
    pending: tuple[int, ...]  # numbers of the running trials
    proposed_at: str  # UTC, ISO 8601
    host: str
    trials: int | None = None  # what the sweep was planned with at that time
    slots: int | None = None
    segment: Segment | None = None

    def to_json(self) -> dict[str, Any]:
        """Return the proposal as its file holds it."""
        return {key: value for key, value in asdict(self).items() if key != "segment" or value is not None}

    @classmethod
    def from_json(cls, number: int, content: Mapping[str, Any]) -> Proposal:
        """Return the proposal of a file; keys that it does not know are passed over."""
        kept = {field.name: content[field.name] for field in fields(cls) if field.name in content}
        kept |= {name: tuple(kept[name]) for name in ("known", "pending")}
        if segment := kept.get("segment"):
            kept["segment"] = Segment(**{**segment, "agreement": tuple(segment["agreement"])})
        return cls(**{"place": number, **kept})  # before 0.3 the number was what counted


@dataclass(frozen=True)
class Entry:
    """All that the ledger holds of a trial, except later results of twins.

    Of a pending trial, ``host`` is where it was last seen, ``since`` when the process there began with it (UTC, ISO
    8601; None while nobody has it), and ``seen`` the last sign of life in seconds by the clock of the file server.
    """

    number: int
    proposal: Proposal | None
    result: Mapping[str, Any] | None
    host: str | None = None
    since: str | None = None
    seen: float | None = None

    @property
    def parameters(self) -> Mapping[str, Value] | None:
        """What the trial trains, None where no whole file says it."""
        if self.proposal is not None:
            return self.proposal.parameters
        return None if self.result is None else self.result.get("parameters")

    @property
    def pending(self) -> bool:
        """Whether the trial was proposed and has no result."""
        return self.result is None and self.proposal is not None

    @property
    def place(self) -> int:
        """Its place in the order of asking; its number where no proposal says more."""
        return self.number if self.proposal is None else self.proposal.place

    @property
    def asked(self) -> Trial | None:
        """The same as `trial`, numbered by its place in the order of asking: that is what a proposer goes by."""
        return None if self.trial is None else replace(self.trial, number=self.place)

    @property
    def trial(self) -> Trial | None:
        """What is known of the trial, None where its parameters are unknown."""
        if self.parameters is None:
            return None
        if self.result is None:
            return Trial(self.number, self.parameters, "running")
        return Trial(self.number, self.parameters, self.result["state"], self.result.get("objective"))


def known_to(proposal: Proposal, entries: Mapping[int, Entry]) -> tuple[Trial, ...]:
    """Return the trials as ``proposal`` knew them, finished and pending, numbered by their places.

    ``entries`` are those of the ledger by number; what they lack is left out.
    """
    finished = [entries[number].asked for number in proposal.known if number in entries]
    pending = [entries[number].asked for number in proposal.pending if number in entries]
    running = [Trial(trial.number, trial.parameters, "running") for trial in pending if trial is not None]
    return (*(trial for trial in finished if trial is not None and not trial.pending), *running)


def missing_for(proposal: Proposal, entries: Mapping[int, Entry]) -> list[int]:
    """Return the numbers of the trials that ``proposal`` knew and whose files in ``entries`` no longer say it."""
    told = {number for number, entry in entries.items() if entry.asked is not None}
    finished = {number for number in told if not entries[number].pending}
    return sorted({*proposal.known} - finished | {*proposal.pending} - told)


def duration(record: Mapping[str, Any]) -> float | None:
    """Return how many seconds a finished trial took, by its `seconds` or its `start` and `end`; the longer of the two.

    None where the record says neither.
    """
    known = [float(record["seconds"])] if record.get("seconds") is not None else []
    if record.get("start") and record.get("end"):
        known.append((datetime.fromisoformat(record["end"]) - datetime.fromisoformat(record["start"])).total_seconds())
    return max(known, default=None)
