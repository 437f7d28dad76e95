"""Stage `predict`: the candidates of prepared cases by one trained network."""

from __future__ import annotations

import time
from pathlib import Path

import torch

from hakken.console import log, progress
from hakken.errors import HakkenError
from hakken.files import read_json, sha256_file, write_text
from hakken.imaging.prepared import prepared_cases
from hakken.inference.model import load_model, predict_prepared
from hakken.inference.table import candidate_rows, candidate_table
from hakken.stages import stage
from hakken.study import Study
from hakken.tasks.detection import candidate_labels
from hakken.training.device import choose_device

QUIET_SECONDS = 10.0


@stage
def predict(
    *, study: Study, model: Path, prepared: list[Path], output: Path, freeze: Path | None = None, threads: int = 1
) -> None:
    """Write the candidates of all cases in the folders ``prepared`` to the table ``output``.

    Raises HakkenError where ``model`` is not the network that the file ``freeze`` names.
    """
    if freeze is not None:
        require_frozen(model, freeze)
    torch.set_num_threads(threads)
    detector = load_model(model, choose_device())
    cases = [case for folder in prepared for case in prepared_cases(folder)]
    rows = []
    started = spoken = time.monotonic()
    for number, case in enumerate(cases, start=1):
        found = predict_prepared(detector, case, study)
        rows += candidate_rows(case.case_id, found, candidate_labels(found, case))
        log(f"case {case.case_id}: {len(found)} candidates")
        if time.monotonic() - spoken > QUIET_SECONDS:
            progress(f"{number} of {len(cases)} cases")
            spoken = time.monotonic()
    write_text(output, candidate_table(rows))
    progress(f"{len(rows)} candidates in {len(cases)} cases, {time.monotonic() - started:.0f} s")


def require_frozen(model: Path, freeze: Path) -> None:
    """The test set is measured with what was frozen, and with nothing else."""
    if sha256_file(model) != read_json(freeze)["models"][model.stem]["sha256"]:
        raise HakkenError(f"{model}: is not the network that {freeze} names; delete {freeze} to freeze this one")
