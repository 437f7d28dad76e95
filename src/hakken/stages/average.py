"""Stage `average`: the best trials of a search, their answers averaged on validation: two of them, three, and so on."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from hakken import plugins
from hakken.core.console import log, progress
from hakken.core.files import require_same, sha256_file
from hakken.imaging.cases import Case
from hakken.runs.averages import FILE, Average
from hakken.runs.cases import NO_CASE, read_cases
from hakken.runs.choice import Candidate, candidates, ranked, seed_of
from hakken.runs.model_file import Answer, Trained, answer_of, concluded, load_model, mean_of, save_average
from hakken.runs.predictions import by_outcome, part_of, write_predictions
from hakken.runs.trials import read_trials
from hakken.seal.freeze import write_sealed
from hakken.stages import stage
from hakken.stages.select import REDO
from hakken.study import Study
from hakken.training.device import choose_device

MODEL, PREDICTIONS = "model.pt", "predictions"


@stage
def average(
    *,
    study: Study,
    trials: list[Path],
    cases: list[Path],
    output: Path,
    up_to: int,
    confirmations: list[Path] = [],  # noqa: B006 - never changed
    confirm: int = 0,
    threads: int = 1,
) -> None:
    """Write into the folder ``output`` the averages of the best two trials of a search, three, and ``up_to`` so many.

    Of each a model, what it says of the validation ``cases``, its objective there, and what a case costs. The trials
    are ranked as they are chosen, and of each the model that would be kept of it is a member. Raises HakkenError where
    no trial finished.
    """
    torch.set_num_threads(threads)
    chosen = ranked(candidates(read_trials(trials), read_trials(confirmations), confirm))[:up_to]
    known = read_cases(cases) or [NO_CASE]
    members = [load_model(_file(one), choose_device()) for one in chosen]
    found, seconds = _said(members, known, study.objective)
    averages = [
        _written(output / str(size), chosen[:size], said, study=study, cases=known, seconds=seconds[size - 1])
        for size, said in enumerate(found, start=2)
    ]
    write_sealed(output / FILE, {"averages": [one.as_dict() for one in averages], "seconds_per_case": seconds[0]})
    progress("; ".join(f"{one.size} trials averaged: objective {one.objective:.3f}" for one in averages) or "one trial")


def _said(members: Sequence[Trained], cases: Sequence[Case], outcome: str) -> tuple[list[dict[str, Any]], list[float]]:
    """Return what the averages of the first two members, three, ... say of each case, and the seconds of a case.

    The seconds are those of the first member alone, of the first two, and so on.
    """
    found: list[dict[str, Any]] = [{} for _ in members[1:]]
    spent = [0.0] * len(members)
    for case in cases:
        answers: list[Answer] = []
        answered = 0.0
        for size, (member, seconds) in enumerate(zip(members, spent, strict=True), start=1):
            began = time.perf_counter()
            answers.append(answer_of(member, case))
            answered += time.perf_counter() - began
            began = time.perf_counter()
            said = concluded(members[0], mean_of(answers), case, (outcome,))
            spent[size - 1] = seconds + answered + time.perf_counter() - began
            if size > 1:
                found[size - 2][case.case_id] = {outcome: said[outcome]}
        log(f"case {case.case_id}: done")
    return found, [round(seconds / len(cases), 3) for seconds in spent]


def _written(
    folder: Path,
    members: Sequence[Candidate],
    said: dict[str, Any],
    *,
    study: Study,
    cases: Sequence[Case],
    seconds: float,
) -> Average:
    """Write the model of an average and what it says; return what is recorded of it."""
    outcome = study.objective
    objective = plugins.load("outcomes", outcome).objective(by_outcome(said, outcome), part_of(study, outcome, cases))
    model, predictions = folder / MODEL, folder / PREDICTIONS
    folder.mkdir(parents=True, exist_ok=True)
    save_average(model, [_file(one) for one in members], {"sweep": members[0].trial["sweep"], "objective": objective})
    digest = write_predictions(predictions, said, study, cases, (outcome,))
    return Average(
        size=len(members),
        objective=float(objective),
        seconds_per_case=seconds,
        members=tuple(_member(one) for one in members),
        model={"path": model.as_posix(), "sha256": sha256_file(model)},
        predictions={"path": predictions.as_posix(), "sha256": digest},
    )


def _file(candidate: Candidate) -> Path:
    """Return the model that is kept of a trial; raises HakkenError where it is missing or was changed."""
    kept = candidate.typical["model"]
    return require_same(Path(kept["path"]), kept["sha256"], REDO)


def _member(candidate: Candidate) -> dict[str, Any]:
    kept = candidate.typical
    return {
        "number": candidate.trial["number"],
        "seed": seed_of(kept),
        "sha256": kept["model"]["sha256"],
        "seconds": kept["seconds"],
    }
