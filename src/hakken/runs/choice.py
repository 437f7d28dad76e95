"""The choice among the trials of a search: which are trained again, and which of all is taken.

The best of many trainings on few validation cases is luck for the most part, that of its seed among it. So the best few
may be trained again with other seeds (`search.confirm`); then the choice goes by the mean over the seeds of a trial.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from hakken.core.errors import HakkenError

Record = Mapping[str, Any]

FURTHER_SEEDS = 2
"""With so many more seeds each of the best trials is trained again."""

CONFIRMS = "confirms"
"""What the record of a training says that confirms a trial: the number of that, and which of the further seeds."""


@dataclass(frozen=True)
class Candidate:
    """A complete trial of a search, with the records of its complete ``trainings``: its own first, then further seeds.

    ``failed`` of the further trainings came to no result.
    """

    trainings: tuple[Record, ...]
    failed: int = 0

    @property
    def trial(self) -> Record:
        """The trial of the search."""
        return self.trainings[0]

    @property
    def objectives(self) -> tuple[float, ...]:
        """The validation objective of each training."""
        return tuple(float(one["objective"]) for one in self.trainings)

    @property
    def again(self) -> bool:
        """Whether it was trained again."""
        return len(self.trainings) + self.failed > 1

    @property
    def worth(self) -> float:
        """The mean of them: what the choice goes by."""
        return fmean(self.objectives)

    @property
    def typical(self) -> Record:
        """The training whose objective is nearest to the mean, the first of equals: neither luckiest nor unluckiest."""
        return min(self.trainings, key=lambda one: abs(float(one["objective"]) - self.worth))


def shortlist(records: Sequence[Record], count: int) -> list[Record]:
    """Return the ``count`` best complete trials, given in the order of asking, the best first and the first of equals.

    Raises HakkenError where none is complete.
    """
    complete = [one for one in records if one["state"] == "complete"]
    if not complete:
        reasons = sorted({str(one.get("reason")) for one in records})
        what = f"none of the {len(records)} trials finished" if len(records) > 1 else f"{records[0]['sweep']} failed"
        raise HakkenError(
            f"{what}: {'; '.join(reasons)}; see logs/{logs_of(records)}/, or choose other `parameters` in the study"
        )
    return sorted(complete, key=lambda one: -float(one["objective"]))[:count]


def logs_of(records: Sequence[Record]) -> str:
    """Return the folder of the logs of a run: by its trials, or by its jobs where trainings pause at rungs."""
    return "job" if "segments" in records[0] else "trial"


def confirmed_by(records: Sequence[Record], count: int, job: int) -> tuple[Record, int]:
    """Return the trial that job number ``job`` trains again, of the ``count`` best, and with which further seed (1, 2).

    Where fewer are complete, the jobs left over share the trainings of the others.
    """
    best = shortlist(records, count)
    return best[job // FURTHER_SEEDS % len(best)], job % FURTHER_SEEDS + 1


def number_of(trial: Record, seed: int) -> int:
    """Return the number of the training of a ``trial`` with a further ``seed`` in the ledger of those that confirm.

    It goes by the trial and not by its rank, which changes when a sweep grows.
    """
    return int(trial["number"]) * FURTHER_SEEDS + seed - 1


def candidates(records: Sequence[Record], confirmations: Sequence[Record], count: int) -> list[Candidate]:
    """Return all complete trials in the order of asking; the ``count`` best with their ``confirmations``.

    Raises HakkenError where one of those is missing or trained other parameters.
    """
    best = [one["number"] for one in shortlist(records, count)]
    known = {(one[CONFIRMS]["trial"], one[CONFIRMS]["seed"]): one for one in confirmations}
    found = []
    for trial in (one for one in records if one["state"] == "complete"):
        seeds = range(1, FURTHER_SEEDS + 1) if trial["number"] in best else ()
        more = [_confirmation(trial, seed, known) for seed in seeds]
        complete = [one for one in more if one["state"] == "complete"]
        found.append(Candidate((trial, *complete), len(more) - len(complete)))
    return found


def eligible(found: Sequence[Candidate]) -> list[Candidate]:
    """Return those that may be taken: of the trials that were trained again, the ones with the fewest failures.

    A trial that fails with another seed is no sound choice as long as there is one that does not.
    """
    least = min((one.failed for one in found if one.again), default=0)
    return [one for one in found if not one.again or one.failed == least]


def ranked(found: Sequence[Candidate]) -> list[Candidate]:
    """Return those that may be taken, the best first, of equals the one that asked first.

    Those that were trained again come before the others.
    """
    return sorted(eligible(found), key=lambda one: (not one.again, -one.worth))


def chosen(found: Sequence[Candidate]) -> Candidate:
    """Return the best by the mean over seeds of those that were trained again, or of all; the first of equals."""
    return ranked(found)[0]


def seed_of(training: Record) -> int:
    """Return with which further seed a trial was trained (1, 2); 0 for the training of the search itself."""
    return int(training[CONFIRMS]["seed"]) if CONFIRMS in training else 0


def _confirmation(trial: Record, seed: int, known: Mapping[tuple[int, int], Record]) -> Record:
    found = known.get((trial["number"], seed))
    if found is None or found["parameters"] != trial["parameters"]:
        raise HakkenError(
            f"trial {trial['number']} of {trial['sweep']} was not trained again with seed {seed} as it is now; delete "
            "the folder of the sweep that confirms it to train again"
        )
    return found
