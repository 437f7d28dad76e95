"""Searches with rungs in virtual time: jobs that ask, train segments and publish, in an order that chance decides."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from hakken.search.rungs import Known, Rungs, Segment, decide
from hakken.search.trial import State, Trial, Value

THIRDS = Rungs.of(["1/9", "1/3"])
Objective = Callable[[int, int], float | None]
"""The objective of a training, by its number, at a stop; None where it fails before."""


def numbered(trials: tuple[Trial, ...], number: int) -> dict[str, Value]:
    """Propose the number of the training."""
    return {"x": number}


@dataclass
class Search:
    """A search of so many jobs, ``slots`` at once; the segments in the order of asking, and what is known of them."""

    rungs: Rungs
    jobs: int
    slots: int
    objective: Objective
    propose: Callable[[tuple[Trial, ...], int], Mapping[str, Value]] = numbered
    known: list[Known] = field(default_factory=list)
    asked: list[tuple[Known, ...]] = field(default_factory=list)

    def run(self, chance: random.Random) -> list[Segment]:
        """Run all jobs; which of those at work finishes its segment next is chance."""
        waiting, at_work = list(range(self.jobs)), [0] * 0
        while waiting or at_work:
            while waiting and len(at_work) < self.slots:
                at_work.append(waiting.pop(0))
                self.ask(at_work[-1])
            job = chance.choice(at_work)
            self.finish(job)
            if self.left(job):
                self.ask(job)
            else:
                at_work.remove(job)
        return [one.segment for one in self.known]

    def left(self, job: int) -> bool:
        """Whether a job has some of its budget left."""
        return self.rungs.spent([one.segment for one in self.known], job) < 1

    def ask(self, job: int) -> None:
        """Decide on the next segment of a job."""
        self.asked.append(tuple(self.known))
        segment, parameters = decide(self.rungs, self.known, job=job, budget=self.jobs, propose=self.propose)
        self.known.append(Known(segment, parameters))

    def finish(self, job: int) -> None:
        """Publish the result of the segment that a job trains."""
        place = next(at for at, one in enumerate(self.known) if one.segment.job == job and one.state == "running")
        self.known[place] = measured(self.rungs, self.known[place], self.objective)


def measured(rungs: Rungs, one: Known, objective: Objective) -> Known:
    """Return a segment with its result."""
    number, until = one.segment.training, one.segment.until
    values = {stop: objective(number, stop) for stop in range(1, until + 1)}
    if any(value is None for value in values.values()):
        return replace(one, state="failed")
    state: State = "complete" if until == rungs.end else "paused"
    return replace(one, state=state, objectives=values)
