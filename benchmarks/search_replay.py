"""What do rungs save? Recorded trainings of a study replayed, with and without rungs, at equal steps and on the clock.

    python benchmarks/search_replay.py recorded.json --rungs 1/9 1/3 --jobs 25 --against 50 --slots 8 --seeds 20

A search proposes as ever, and gets the recorded training that is nearest to its proposal of those it has not had yet
(squared distances of the coordinates on their searched scales, 1 for two choices). So both searches choose among the
same trainings, whose objectives and seconds are real; what runs at once does not disturb each other, as it would on one
machine. The decisions with rungs are those of the package (`hakken.search.rungs`).

The file holds one JSON object, as `search_record.py` writes it:

    {"study": "brain_metastasis", "scale": "tiny",
     "steps": 600,                    steps of a full training
     "start_seconds": 4.0,            of a job or a segment before its first step: what each start-up adds
     "space": {...},                  `search.space` of the study
     "trainings": [{"parameters": {...},
                    "curve": [[67, 0.41, 12.5], ...]}, ...]}

A point of a curve is a step, the best objective until then (high is good) and the seconds since the first step; the
last one is at `steps`. Between two points the seconds are interpolated; the objective is that of the last one. A
training without a curve is one that failed. It takes no time. Record more trainings than a search can ask for:
with rungs of 1/9 and 1/3 that is about 3.5 times the number of jobs.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata
from search_simulation import Event, rung_sweep

from hakken.core.errors import HakkenError
from hakken.search import Space, Trial, cube, propose
from hakken.search.rungs import Rungs
from hakken.search.trial import Value

SHARES = (0.25, 0.5, 1.0)
RESAMPLES = 2000


@dataclass(frozen=True)
class Correlation:
    """A rank correlation (Spearman) with a 95 % interval: percentiles over resamples of the trainings."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.2f} [{self.low:.2f}, {self.high:.2f}]"


@dataclass(frozen=True, eq=False)
class Recording:
    """Recorded trainings: of each its parameters and its curve (n, 3) of step, objective, seconds; empty: it failed."""

    study: str
    steps: int
    start_seconds: float
    space: Space
    parameters: tuple[Mapping[str, Value], ...]
    curves: tuple[NDArray[np.float64], ...]

    def objective(self, number: int, share: Fraction) -> float | None:
        """Return what a training had after a share of its steps, None where it failed."""
        until = self.curves[number][self.curves[number][:, 0] <= math.ceil(share * self.steps)]
        return float(until[-1, 1]) if len(until) else None

    def seconds(self, number: int, since: Fraction, until: Fraction) -> float:
        """Return the seconds of a training from one share of its steps to another, with one start-up."""
        curve = self.curves[number]
        if not len(curve):
            return self.start_seconds
        at = np.interp([float(since) * self.steps, float(until) * self.steps], [0, *curve[:, 0]], [0, *curve[:, 2]])
        return self.start_seconds + float(at[1] - at[0])


def read_recording(path: Path) -> Recording:
    """Read a file of recorded trainings; raises HakkenError naming the training whose curve is none."""
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    space, steps = Space.from_mapping(content["space"]), int(content["steps"])
    curves = [np.array(one.get("curve", ()), float).reshape(-1, 3) for one in content["trainings"]]
    for number, (one, curve) in enumerate(zip(content["trainings"], curves, strict=True)):
        space.check(one["parameters"], f"training {number}")
        if len(curve) and (curve[-1, 0] != steps or (np.diff(curve[:, 0]) <= 0).any()):
            reason = f"the steps of its curve do not rise to {steps}; record it again"
            raise HakkenError(f"{path}: training {number}: {reason}")
    return Recording(
        content["study"],
        steps,
        float(content["start_seconds"]),
        space,
        tuple(one["parameters"] for one in content["trainings"]),
        tuple(curves),
    )


@dataclass(eq=False)
class Replay:
    """A search among recorded trainings: ``taken`` are those that it has had, by the number of its own training."""

    recording: Recording
    sampler: str
    seed: int
    taken: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.places = _places(self.recording.space, self.recording.parameters)

    def propose(self, trials: tuple[Trial, ...], number: int) -> Mapping[str, Value]:
        """Return the parameters of the recorded training that is nearest to the proposal."""
        if len(self.taken) == len(self.recording.parameters):
            raise HakkenError(f"all {len(self.taken)} recorded trainings are taken; record more, or take fewer jobs")
        wanted = propose(self.recording.space, trials, number=number, seed=self.seed, sampler=self.sampler)
        distances = _distances(self.recording.space, self.places, _places(self.recording.space, [wanted])[0])
        distances[self.taken] = np.inf
        self.taken.append(int(np.argmin(distances)))
        return self.recording.parameters[self.taken[-1]]

    def run(self, rungs: Rungs, jobs: int, slots: int) -> list[Event]:
        """Return the finished segments of a search of so many jobs, so many at once."""
        key = self.recording.space.key
        numbers = {key(one): number for number, one in enumerate(self.recording.parameters)}
        return rung_sweep(
            rungs,
            jobs=jobs,
            slots=slots,
            propose=self.propose,
            measure=lambda parameters, share: self.recording.objective(numbers[key(parameters)], share),
            duration=lambda parameters, *ends: self.recording.seconds(numbers[key(parameters)], *ends),
        )


def best_at(events: Sequence[Event], budget: float) -> float | None:
    """Return the best objective of the complete trainings that were finished for so many full trainings."""
    known = [event.objective for event in events if event.complete and event.spent <= budget + 1e-9]
    return max((value for value in known if value is not None), default=None)


def reached(events: Sequence[Event], level: float) -> tuple[float, float] | None:
    """Return after how many full trainings and seconds a complete one had at least ``level``; None where none had."""
    found = (event for event in events if event.complete and event.objective is not None and event.objective >= level)
    first = next(found, None)
    return None if first is None else (first.spent, first.seconds)


def agreement(recording: Recording, rungs: Rungs, *, better_half: bool = False) -> list[Correlation]:
    """Return the rank correlation between each rung and the end over the recorded trainings that did not fail.

    Or over the ``better_half`` of them, by the end. One that was measured at a rung for the first time later has the
    lowest objective there.
    """
    full = [number for number, curve in enumerate(recording.curves) if len(curve)]
    ends = np.array([recording.objective(number, Fraction(1)) for number in full], float)
    kept = np.flatnonzero(ends >= np.median(ends)) if better_half else np.arange(len(full))
    found = []
    for share in rungs.shares:
        known = [recording.objective(full[place], share) for place in kept]
        values = np.array([-np.inf if value is None else value for value in known])
        found.append(_correlation(values, ends[kept]))
    return found


def _correlation(values: NDArray[np.float64], ends: NDArray[np.float64]) -> Correlation:
    random = np.random.default_rng(0)
    drawn = random.integers(len(ends), size=(RESAMPLES, len(ends)))
    resampled = [one for rows in drawn if (one := _spearman(values[rows], ends[rows])) is not None]
    low, high = np.percentile(resampled, [2.5, 97.5]) if resampled else (math.nan, math.nan)
    value = _spearman(values, ends)
    return Correlation(math.nan if value is None else value, float(low), float(high))


def _spearman(values: NDArray[np.float64], ends: NDArray[np.float64]) -> float | None:
    """Return the rank correlation; None where all values are one."""
    if len(set(values)) < 2 or len(set(ends)) < 2:
        return None
    return float(np.corrcoef(rankdata(values), rankdata(ends))[0, 1])


def report(
    recording: Recording, rungs: Rungs, *, jobs: int, slots: int, seeds: int, sampler: str, against: int | None = None
) -> str:
    """Return the comparison of ``jobs`` with rungs and full trainings, ``against`` so many or as many, as Markdown."""
    against = against or jobs
    kinds = {
        f"{against} full trainings": (Rungs(()), against),
        f"{jobs} jobs with rungs at {', '.join(map(str, rungs.shares))}": (rungs, jobs),
    }
    runs = {
        name: [Replay(recording, sampler, seed).run(kind, count, slots) for seed in range(seeds)]
        for name, (kind, count) in kinds.items()
    }
    full, paused = runs.values()
    lines = [
        f"{recording.study}, replayed: {len(recording.curves)} recorded trainings, {slots} jobs at once, {seeds} "
        f"seeds, `{sampler}`. Mean of the best objective so far, by share of the budget:",
        "",
        f"| | {' | '.join(f'{100 * share:.0f} %' for share in SHARES)} |",
        f"| --- |{' --- |' * len(SHARES)}",
    ]
    for name, found in runs.items():
        cells = [_mean([best_at(events, share * kinds[name][1]) for events in found]) for share in SHARES]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    both = zip(full, paused, strict=True)
    savings = [_saving(one, other, against) for one, other in both]
    known = [saving for saving in savings if saving is not None]
    for half, words in ((False, "over all recorded trainings"), (True, "over the better half of them")):
        correlated = " and ".join(map(str, agreement(recording, rungs, better_half=half)))
        lines += ["", f"Rungs and end correlate by {correlated} {words}."]
    lines += ["", f"What the full trainings reach at last, the jobs with rungs reach in {len(known)} of {seeds} seeds"]
    if known:
        steps, seconds = (statistics.median(column) for column in zip(*known, strict=True))
        lines[-1] += (
            f"; in the median of these for {steps:.2f} of the steps and {seconds:.2f} of the time of all full "
            "trainings, start-ups counted"
        )
    return "\n".join(lines) + "."


def _saving(full: Sequence[Event], paused: Sequence[Event], against: int) -> tuple[float, float] | None:
    """Return for which share of steps and time rungs reach what full trainings do at last; None where they do not."""
    level = best_at(full, against)
    found = None if level is None else reached(paused, level)
    return None if found is None else (found[0] / against, found[1] / max(event.seconds for event in full))


def _mean(values: Sequence[float | None]) -> str:
    known = [value for value in values if value is not None]
    return f"{statistics.fmean(known):.4f}" if len(known) == len(values) else "none yet"


def _places(space: Space, parameters: Sequence[Mapping[str, Value]]) -> NDArray[np.float64]:
    """Return the coordinates (n, d) of points, -1 where a parameter is inactive."""
    points = cube.encode(space, [dict(one) for one in parameters])
    return np.where(points.active, points.u, -1.0)


def _distances(space: Space, places: NDArray[np.float64], wanted: NDArray[np.float64]) -> NDArray[np.float64]:
    squared = (places - wanted) ** 2
    for column, dimension in enumerate(space.dimensions):
        if dimension.kind == "categorical":
            squared[:, column] = places[:, column] != wanted[column]
    return np.asarray(squared.sum(axis=1))


def parser() -> argparse.ArgumentParser:
    """Return the command line."""
    line = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    line.add_argument("recording", type=Path, help="JSON file of recorded trainings")
    line.add_argument("--rungs", nargs="+", default=["1/9", "1/3"], metavar="SHARE")
    line.add_argument("--jobs", type=int, default=25, help="full trainings that each search may cost")
    line.add_argument(
        "--against", type=int, metavar="N", help="full trainings to compare them with; as many if left out"
    )
    line.add_argument("--slots", type=int, default=8, metavar="N", help="jobs at once")
    line.add_argument("--seeds", type=int, default=20)
    line.add_argument("--sampler", default="bayesian")
    return line


def main() -> None:
    """Print the comparison."""
    options = parser().parse_args()
    recording, rungs = read_recording(options.recording), Rungs.of(options.rungs)
    settings = {key: getattr(options, key) for key in ("jobs", "against", "slots", "seeds", "sampler")}
    print(report(recording, rungs, **settings))


if __name__ == "__main__":
    main()
