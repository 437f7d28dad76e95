"""Stage `predict`: what a model says of the cases of a part."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch

from hakken.core.console import log, progress
from hakken.core.errors import HakkenError
from hakken.core.files import read_json, sha256_file
from hakken.imaging.cases import Case
from hakken.runs.cases import NO_CASE, read_cases
from hakken.runs.model_file import Trained, load_model
from hakken.runs.predictions import write_predictions
from hakken.runs.table import name_of
from hakken.runs.whole import require_as_written
from hakken.seal.freeze import read_freeze, require_frozen
from hakken.seal.guard import require_opened
from hakken.stages import stage
from hakken.study import Study
from hakken.training.device import choose_device

QUIET_SECONDS = 10.0


@stage
def predict(
    *,
    study: Study,
    models: list[Path],
    cases: list[Path],
    output: Path,
    whose: list[list[str]] | None = None,
    freeze: Path | None = None,
    opening: Path | None = None,
    ledger: Path | None = None,
    threads: int = 1,
) -> None:
    """Write what the ``models`` say of the ``cases`` into the folder ``output``.

    There is one model, or one for each fold, of which number k predicts the cases ``whose[k]``. Of sealed cases
    ``freeze`` says which models were frozen, ``opening`` and ``ledger`` that they are open for these. Raises
    HakkenError where a model is not the one that was chosen, that was trained without the cases of its fold or that was
    frozen, the freeze not the one that was opened, a prepared image is not as it was written, or channels are others.
    """
    content = None if freeze is None else read_freeze(freeze)
    if freeze is not None and opening is not None and ledger is not None:
        require_opened(ledger, opening, freeze)
    torch.set_num_threads(threads)
    known = read_cases(cases) or [NO_CASE]
    require_as_written(known, full=True)
    started = time.monotonic()
    found: dict[str, Any] = {}
    outcomes: set[str] = set()
    for number, path in enumerate(models):
        if content is not None and freeze is not None:
            require_frozen(path, content, freeze)
        _require_recorded(path)
        # The model is the one that was trained; how it is used on a case is for the study to say.
        trained = load_model(path, choose_device()).used_as(study)
        if whose is not None:
            _require_fold(path, trained, number)
        mine = known if whose is None else [case for case in known if case.case_id in set(whose[number])]
        said = dict(_said(trained, mine, tuple(study.outcomes)))
        found |= said
        outcomes = set(study.outcomes).intersection(*(one.keys() for one in said.values()))
    if not outcomes:
        raise HakkenError(f"{models[0]}: says nothing of {', '.join(study.outcomes)}")
    write_predictions(output, found, study, known, [name for name in study.outcomes if name in outcomes])
    progress(f"{output.name}: {len(found)} cases, {time.monotonic() - started:.0f} s")


def _require_recorded(model: Path) -> None:
    """Raise HakkenError where a model is not the one that its record, written when it was chosen, says."""
    record = model.with_suffix(".json")
    if record.is_file() and read_json(record).get("sha256") != sha256_file(model):
        raise HakkenError(f"{model}: is not the model that {record} was written for; delete both to choose it again")


def _require_fold(path: Path, trained: Trained, fold: int) -> None:
    """Raise HakkenError where a model was not trained without the cases of a fold: it may have learnt from them."""
    sweep = trained.metadata.get("sweep")
    if sweep is not None and not str(sweep).endswith(name_of("", fold)):
        raise HakkenError(f"{path}: was trained as {sweep} and not without fold {fold}; delete it to choose it again")


def _said(trained: Trained, cases: Sequence[Case], wanted: Sequence[str]) -> Iterator[tuple[str, Any]]:
    """Yield case id and prediction of each case, and say from time to time how far this is."""
    spoken = time.monotonic()
    for number, case in enumerate(cases, start=1):
        require_same_channels(trained, case)
        said = trained.predict(case, wanted)
        yield case.case_id, {name: said[name] for name in wanted if name in said}
        log(f"case {case.case_id}: done")
        if time.monotonic() - spoken > QUIET_SECONDS:
            progress(f"{number} of {len(cases)} cases")
            spoken = time.monotonic()


def require_same_channels(trained: Trained, case: Case) -> None:
    """Raise HakkenError where the channels of a prepared case are not those of the training."""
    channels = getattr(case, "channels", None)
    if channels is not None and channels != trained.channels:
        expected, found = ", ".join(trained.channels), ", ".join(channels)
        raise HakkenError(f"case {case.case_id}: has the channels {found}, the model was trained on {expected}")
