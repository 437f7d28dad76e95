"""What a figure was made from, written beside it; and the trials that some of the figures draw."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from fractions import Fraction
from pathlib import Path
from typing import Any

from hakken.core.errors import HakkenError
from hakken.core.files import sha256_file, sha256_json
from hakken.runs.choice import CONFIRMS
from hakken.runs.trials import SEGMENTS, is_job, read_trial
from hakken.runs.trials import read_trials as read_records
from hakken.seal.openings import Opening
from hakken.search.course import TimedTrial
from hakken.search.segments import BY_RUNG
from hakken.search.trial import FINISHED, State, Trial
from hakken.study import Study

HASHED = (".json", ".csv")


@dataclass(frozen=True)
class Machine:
    """Where a training ran: host, kind of device (`cpu` or `cuda`) and CPU threads."""

    host: str
    device: str
    threads: int


@dataclass(frozen=True)
class SegmentRecord:
    """One segment of a training that pauses at rungs: its place in the order of asking, its job, and from which share
    of the steps to which; ``objective`` is what the training had there; times in seconds since 1970."""

    place: int
    job: int
    since: Fraction
    until: Fraction
    state: State
    objective: float | None
    start: float
    end: float
    machine: Machine

    @property
    def timed(self) -> TimedTrial:
        """The segment on the clock."""
        cost = float(self.until - self.since)
        return TimedTrial(self.place, self.state, self.objective, self.start, self.end, cost)


@dataclass(frozen=True)
class TrialRecord:
    """One finished trial of a sweep; times in seconds since 1970.

    ``objective`` is what was measured, also of a pruned training or of one that pauses at a rung; None where the trial
    failed. ``confirms`` is the number of the trial that it trained again with another seed; None where it did not.
    Where trainings pause it is one of these with its ``segments`` and ``by_rung`` its objectives.
    """

    sweep: str
    number: int
    parameters: dict[str, Any]
    state: State
    objective: float | None
    start: float
    end: float
    gpu_seconds: float
    machine: Machine
    confirms: int | None = None
    segments: tuple[SegmentRecord, ...] = ()
    by_rung: Mapping[str, float] = field(default_factory=dict)

    @property
    def seconds(self) -> float:
        """Wall-clock seconds, without those for which it paused."""
        return sum(one.end - one.start for one in self.segments) if self.segments else self.end - self.start

    @property
    def timed(self) -> TimedTrial:
        """The trial on the clock."""
        return TimedTrial(self.number, self.state, self.objective, self.start, self.end)

    @property
    def spans(self) -> tuple[TimedTrial, ...]:
        """The trial on the clock; one that paused in its segments, by their places in the order of asking."""
        return tuple(one.timed for one in self.segments) or (self.timed,)

    @property
    def trial(self) -> Trial:
        """The trial as the search knows it."""
        return Trial(self.number, self.parameters, self.state, self.objective)


def read_trials(paths: Sequence[Path]) -> tuple[TrialRecord, ...]:
    """Read the trial files of a sweep, or those of its jobs, by number.

    Raises HakkenError naming one that lacks a key, or says otherwise than the ledger.
    """
    jobs = [path for path in paths if is_job(path)]
    found = [_trial(read_trial(path, archived=True), path) for path in paths if not is_job(path)]
    found += [_trial(record, jobs[0].parent) for record in read_records(jobs, archived=True)]
    return tuple(sorted(found, key=lambda trial: trial.number))


def cost(trials: Sequence[TrialRecord]) -> dict[str, float]:
    """Return the wall-clock and GPU seconds of trials, summed."""
    return {
        "seconds": round(sum(trial.seconds for trial in trials), 3),
        "gpu_seconds": round(sum(trial.gpu_seconds for trial in trials), 3),
    }


def provenance(
    study: Study,
    *,
    figure: str,
    inputs: Sequence[Path],
    code: str,
    opening: Opening | None,
    trials: Sequence[int] | Mapping[str, Sequence[int]] = (),
    spent: Mapping[str, float] | None = None,
    warnings: Sequence[str] = (),
) -> dict[str, Any]:
    """Return what a figure was made from: hashes of its inputs, study and code, trials, scale, openings and cost.

    ``trials`` are the numbers of one sweep, or those of each sweep by name; ``opening`` is None where nothing of a
    test set is shown; ``warnings`` are about the numbers that it shows. `drawn_study` is the hash of the study as
    figures see it, without its description and the list of its figures; the hash in `freeze.json` is that of what the
    seal holds.
    """
    return {
        "figure": figure,
        "study": study.name,
        "title": study.title or study.name,
        "scale": study.scale,
        "data": study.images,
        "opening": opening and {"number": opening.number, "begun": opening.begun, "hash": opening.hash},
        "trials": dict(trials) if isinstance(trials, Mapping) else list(trials),
        "cost": dict(spent or {}),
        "warnings": list(warnings),
        "hashes": {
            "drawn_study": sha256_json(study.model_dump(mode="json")),
            "code": code,
            "inputs": {path.as_posix(): digest(path) for path in inputs},
        },
    }


def digest(path: Path) -> str:
    """Return the SHA-256 of a file, or of the names and contents of the JSON files and tables of a folder."""
    if not path.exists():
        raise HakkenError(f"{path}: no such file; the figure needs it")
    if path.is_file():
        return sha256_file(path)
    listed = [f"{item.name} {sha256_file(item)}" for item in sorted(path.iterdir()) if item.suffix in HASHED]
    return hashlib.sha256("\n".join(listed).encode()).hexdigest()


def _trial(content: Mapping[str, Any], path: Path) -> TrialRecord:
    try:
        state, value = _state(content["state"]), content["objective"]
        measured = state != "failed" and value is not None and math.isfinite(value)
        return TrialRecord(
            sweep=str(content["sweep"]),
            number=int(content["number"]),
            parameters=dict(content["parameters"] or {}),
            state=state,
            objective=float(value) if measured else None,
            start=_seconds(content["start"]),
            end=_seconds(content["end"]),
            gpu_seconds=float(content["gpu_seconds"]),
            machine=_machine(content),
            confirms=content.get(CONFIRMS, {}).get("trial"),
            segments=tuple(map(_segment, content.get(SEGMENTS, ()))),
            by_rung={stop: float(value) for stop, value in content.get(BY_RUNG, {}).items() if value is not None},
        )
    except (KeyError, StopIteration, TypeError, ValueError) as error:
        raise HakkenError(f"{path}: not a finished trial ({error!r}); delete it to redo the trial") from None


def _segment(content: Mapping[str, Any]) -> SegmentRecord:
    return SegmentRecord(
        place=int(content["number"]),
        job=int(content["job"]),
        since=Fraction(content["since"]),
        until=Fraction(content["until"]),
        state=_state(content["state"]),
        objective=None if content["objective"] is None else float(content["objective"]),
        start=_seconds(content["start"]),
        end=_seconds(content["end"]),
        machine=_machine(content),
    )


def _machine(content: Mapping[str, Any]) -> Machine:
    return Machine(str(content["host"]), str(content["device"]), int(content["threads"]))


def _state(state: str) -> State:
    return next(known for known in FINISHED if known == state)


def _seconds(time: str | float) -> float:
    """Return seconds since 1970 of an ISO 8601 time, or the number itself."""
    return datetime.fromisoformat(time).timestamp() if isinstance(time, str) else float(time)
