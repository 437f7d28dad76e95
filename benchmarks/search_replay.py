"""What do rungs save? Recorded trainings of a study replayed, with and without rungs, at equal steps and on the clock.

    python benchmarks/search_replay.py recorded.json --rungs 1/9 1/3 --jobs 25 --slots 8 --seeds 20

A search proposes as ever, and gets the recorded training that is nearest to its proposal of those it has not had yet
(squared distances of the coordinates on their searched scales, 1 for two choices). So both searches choose among the
same trainings, whose objectives and seconds are real; what runs at once does not disturb each other, as it would on one
machine. The decisions with rungs are those of the package (`hakken.search.rungs`).

The file holds one JSON object:

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
from scipy.stats import spearmanr
from search_simulation import Event, rung_sweep

from hakken.core.errors import HakkenError
from hakken.search import Space, Trial, cube, propose
from hakken.search.rungs import Rungs
from hakken.search.trial import Value

SHARES = (0.25, 0.5, 1.0)


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
        until = self.curves[number][self.curves[number][:, 0] <= float(share) * self.steps + 0.5]
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


def agreement(recording: Recording, rungs: Rungs) -> list[float]:
    """Return the rank correlation between each rung and the end over all recorded trainings that did not fail."""
    full = [number for number, curve in enumerate(recording.curves) if len(curve)]
    ends = [recording.objective(number, Fraction(1)) for number in full]
    return [
        float(spearmanr([recording.objective(number, share) for number in full], ends).statistic)
        for share in rungs.shares
    ]


def report(recording: Recording, rungs: Rungs, *, jobs: int, slots: int, seeds: int, sampler: str) -> str:
    """Return the comparison as Markdown."""
    kinds = {"full trainings": Rungs(()), f"rungs {', '.join(map(str, rungs.shares))}": rungs}
    runs = {
        name: [Replay(recording, sampler, seed).run(kind, jobs, slots) for seed in range(seeds)]
        for name, kind in kinds.items()
    }
    full, paused = runs.values()
    lines = [
        f"{recording.study}, replayed: {len(recording.curves)} recorded trainings, {jobs} jobs, {slots} at once, "
        f"{seeds} seeds, `{sampler}`. Mean of the best objective so far, by share of the budget:",
        "",
        f"| | {' | '.join(f'{100 * share:.0f} %' for share in SHARES)} |",
        f"| --- |{' --- |' * len(SHARES)}",
    ]
    for name, found in runs.items():
        cells = [_mean([best_at(events, share * jobs) for events in found]) for share in SHARES]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    both = zip(full, paused, strict=True)
    savings = [_saving(one, other, jobs) for one, other in both]
    known = [saving for saving in savings if saving is not None]
    correlated = " and ".join(f"{value:.2f}" for value in agreement(recording, rungs))
    lines += ["", f"Rungs and end correlate by {correlated} over all recorded trainings."]
    if known:
        steps, seconds = (statistics.median(column) for column in zip(*known, strict=True))
        lines.append(
            f"What full trainings reach with all of their budget, rungs reach in {len(known)} of {seeds} seeds; in the "
            f"median of these for {steps:.2f} of the steps and {seconds:.2f} of the time, start-ups counted."
        )
    return "\n".join(lines)


def _saving(full: Sequence[Event], paused: Sequence[Event], jobs: int) -> tuple[float, float] | None:
    """Return for which share of steps and time rungs reach what full trainings do at last; None where they do not."""
    level = best_at(full, jobs)
    found = None if level is None else reached(paused, level)
    return None if found is None else (found[0] / jobs, found[1] / max(event.seconds for event in full))


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
    line.add_argument("--slots", type=int, default=8, metavar="N", help="jobs at once")
    line.add_argument("--seeds", type=int, default=20)
    line.add_argument("--sampler", default="bayesian")
    return line


def main() -> None:
    """Print the comparison."""
    options = parser().parse_args()
    recording, rungs = read_recording(options.recording), Rungs.of(options.rungs)
    print(
        report(recording, rungs, jobs=options.jobs, slots=options.slots, seeds=options.seeds, sampler=options.sampler)
    )


if __name__ == "__main__":
    main()
