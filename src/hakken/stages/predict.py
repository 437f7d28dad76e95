"""Stage `predict`: what one trained network says of prepared cases."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch

from hakken.console import log, progress
from hakken.errors import HakkenError
from hakken.files import read_json, sha256_file, write_text
from hakken.imaging.prepared import PreparedCase, prepared_cases
from hakken.inference.model import Detector, load_model, require_same_channels
from hakken.stages import stage
from hakken.study import Study
from hakken.tasks.choose import Task, task_of
from hakken.training.device import choose_device

QUIET_SECONDS = 10.0


@stage
def predict(
    *, study: Study, model: Path, prepared: list[Path], output: Path, freeze: Path | None = None, threads: int = 1
) -> None:
    """Write what the network ``model`` says of all cases in the folders ``prepared`` to the table ``output``.

    Raises HakkenError where ``model`` is not the network that the file ``freeze`` names, or its channels are others.
    """
    if freeze is not None:
        require_frozen(model, freeze)
    torch.set_num_threads(threads)
    detector = load_model(model, choose_device())
    cases = [case for folder in prepared for case in prepared_cases(folder)]
    # The network is the one that was trained; how it is used on a case is for the study to say.
    used = detector.study.model_copy(update={"inference": study.inference})
    task = task_of(used, detector.dimensions, detector.parameters, cases)
    started = time.monotonic()
    write_text(output, task.table(dict(_predictions(detector, task, cases))))
    progress(f"{len(cases)} cases, {time.monotonic() - started:.0f} s")


def require_frozen(model: Path, freeze: Path) -> None:
    """The test set is measured with what was frozen, and with nothing else."""
    if sha256_file(model) != read_json(freeze)["models"][model.stem]["sha256"]:
        raise HakkenError(f"{model}: is not the network that {freeze} names; delete {freeze} to freeze this one")


def _predictions(detector: Detector, task: Task, cases: Sequence[PreparedCase]) -> Iterator[tuple[str, Any]]:
    """Yield case id and prediction of each case, and say from time to time how far this is."""
    spoken = time.monotonic()
    for number, case in enumerate(cases, start=1):
        require_same_channels(detector, case)
        yield case.case_id, task.predict(detector.network, case)
        log(f"case {case.case_id}: done")
        if time.monotonic() - spoken > QUIET_SECONDS:
            progress(f"{number} of {len(cases)} cases")
            spoken = time.monotonic()
