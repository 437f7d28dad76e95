"""Stage `optimism`: what the choice of the best trial on validation costs in honesty."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hakken import plugins
from hakken.core.console import progress
from hakken.core.errors import HakkenError
from hakken.core.files import require_same
from hakken.evaluation.optimism import Shortlist
from hakken.evaluation.optimism import optimism as of_choice
from hakken.outcomes import in_order, words_of
from hakken.runs.averages import read_averages
from hakken.runs.cases import read_cases
from hakken.runs.choice import Candidate, candidates, eligible, logs_of
from hakken.runs.choice import chosen as best_trial
from hakken.runs.predictions import MANIFEST, part_of, read_predictions
from hakken.runs.trials import read_trials
from hakken.seal.freeze import write_sealed
from hakken.stages import stage
from hakken.stages.select import REDO
from hakken.study import Study


@stage
def optimism(
    *,
    study: Study,
    trials: list[Path],
    cases: list[Path],
    output: Path,
    confirmations: list[Path] = [],  # noqa: B006 - never changed
    confirm: int = 0,
    averages: Path | None = None,
) -> None:
    """Write the naive objective of the selected trial, its optimism, and the corrected objective.

    From the validation predictions that every complete trial has stored (those that pause at a rung have none and are
    no choice), on the resamples of all measurements, so that the naive objective has the same interval here as there.
    Where the ``confirm`` best were trained again, both steps
    of the choice are repeated: which are the best few by the seed of the search, and which of them is best by the mean
    over seeds. One that is among the best few of a resample alone has the one seed that it was trained with. The
    ``averages`` are chosen among as well, but always those of the trials that are best on the whole cohort. Raises
    HakkenError naming a folder that is missing or changed.
    """
    name = study.objective
    outcome, part = plugins.load("outcomes", name), part_of(study, name, in_order(read_cases(cases)))
    records = read_trials(trials)
    if not any(record["state"] == "complete" for record in records):
        raise HakkenError(f"none of the {len(trials)} trials finished; see logs/{logs_of(records)}/")
    known, averaged = candidates(records, read_trials(confirmations), confirm), read_averages(averages).averages
    stored = [training["predictions"] for one in known for training in one.trainings]
    stored += [one.predictions for one in averaged]
    folders = [require_same(Path(one["path"]) / MANIFEST, one["sha256"], REDO).parent for one in stored]
    found = outcome.replicates([read_predictions(folder, name, part) for folder in folders], part, part.seed)
    first = [sum(len(one.trainings) for one in known[:place]) for place in range(len(known))]
    chosen = of_choice(
        _worth(known, found.values),
        _worth(known, found.drawn),
        shortlist=Shortlist(found.values[first], found.drawn[first], confirm) if confirm else None,
        resamples=found.resamples,
        skipped=found.skipped,
        seed=found.seed,
        bounds=found.bounds,
    )
    words = words_of(study)
    size = averaged[chosen.chosen - len(known)].size if chosen.chosen >= len(known) else 1
    best = known[chosen.chosen] if size == 1 else best_trial(known)
    more: dict[str, int] = {"confirmed": confirm, "trainings": len(best.trainings)} if confirm else {}
    more |= {"averages": len(averaged), "size": size} if averaged else {}
    write_sealed(output, asdict(chosen) | {"chosen": int(best.trial["number"]), "objective": words} | more)
    again = f", of the best {confirm} by the mean over seeds" if confirm else ""
    again += f", and {len(averaged)} averages" if averaged else ""
    paused = sum(record["state"] == "paused" for record in records)
    again += f" ({paused} that pause at rungs are no choice)" if paused else ""
    progress(
        f"best of {len(known)} trials on validation{again}: {words} {chosen.naive.value:.3f}, "
        f"corrected for the choice {chosen.corrected.value:.3f}; "
        f"chosen again in {100 * chosen.again:.0f} % of resamples"
    )


def _worth(known: list[Candidate], values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the mean over the trainings of each candidate of ``values`` (trainings, ...), then the values after those.

    What may not be taken is worth minus infinity.
    """
    *parts, averages = np.split(values, np.cumsum([len(one.trainings) for one in known]))
    means = np.array([np.sort(part, axis=0).mean(axis=0) for part in parts])  # the same whatever the order of seeds
    allowed = eligible(known)
    means[[one not in allowed for one in known]] = -np.inf
    return np.concatenate([means, averages])
