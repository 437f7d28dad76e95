"""Stage `grid_cell`: one training of the grid, and what its network says of the fold that it has not seen."""

from __future__ import annotations

import socket
import sys
from pathlib import Path
from typing import Any

import torch

from hakken.console import progress
from hakken.evaluation.classification import Classified, balanced
from hakken.files import sha256_file, sha256_json, write_json
from hakken.patches.crop_store import CropStore
from hakken.report.starts import start_words
from hakken.stages import began, stage
from hakken.study import Study
from hakken.training.checkpoint import Checkpoints, clear_checkpoints
from hakken.training.device import choose_device
from hakken.training.failures import failure_reason
from hakken.training.grid import CellResult, train_cell
from hakken.training.grid_plan import Cell, cell_named
from hakken.training.loop import Interrupted
from hakken.training.stopping import REQUEUE, deadline_of


@stage
def grid_cell(
    *,
    study: Study,
    cell: str,
    crops: Path,
    work: Path,
    output: Path,
    threads: int = 1,
    minutes: float | None = None,
    code: str = "",
) -> None:
    """Train the ``cell`` of that name on the file ``crops`` and write its record; ``work`` takes checkpoints.

    A training that fails by its own settings (it diverges, or memory is too small) is recorded and no error, so that
    the rest of the grid goes on. One that is asked to stop, or comes near the end of its ``minutes``, saves itself and
    exits with status 75.
    """
    torch.set_num_threads(threads)
    identity = sha256_json([cell, code, sha256_file(crops), study.model_dump(mode="json")])
    checkpoints = Checkpoints(work, identity, study.training.checkpoint_seconds)
    chosen, store = cell_named(study, cell), CropStore.load(crops)
    device = choose_device()
    outcome: dict[str, Any]
    try:
        trained = train_cell(
            study, chosen, store, device, checkpoints=checkpoints, deadline=deadline_of(minutes, began())
        )
        outcome = _record(study, store, trained)
        said = f"balanced accuracy {outcome['balanced_accuracy']:.3f}, {outcome['seconds']:.0f} s"
    except Interrupted as interruption:
        progress(f"{cell}: {interruption}; it goes on from there when started again")
        sys.exit(REQUEUE)
    except Exception as error:
        reason = failure_reason(error)
        if reason is None:
            raise
        outcome = {"state": "failed", "reason": reason, "detail": str(error)}
        said = f"failed, {reason}: {error}"
    write_json(output, _described(study, chosen) | outcome | {"host": socket.gethostname(), "device": device.type})
    clear_checkpoints(work)
    progress(f"{cell}: {said}")


def _described(study: Study, cell: Cell) -> dict[str, Any]:
    return {
        "network": cell.network,
        "start": start_words(study, cell.network),
        "kind": cell.condition.kind,
        "level": cell.condition.level,
        "amount": cell.condition.amount,
        "fold": cell.fold,
    }


def _record(study: Study, store: CropStore, result: CellResult) -> dict[str, Any]:
    """Return what was measured, and the probabilities of each lesion."""
    held = result.lesions
    patients = store.patient[held].tolist()
    classified = Classified(study.cohort.classes, store.truth[held], patients, result.probability)
    lesions = zip(held.tolist(), store.case[held].tolist(), patients, classified.truth.tolist(), strict=True)
    return {
        "state": "complete",
        "accuracy": float((classified.called == classified.truth).mean()),
        "balanced_accuracy": balanced(classified),
        "loss": result.training.curve[-1].loss,
        "seconds": round(result.training.seconds, 3),
        "lesions": [
            {"lesion": number, "case_id": case, "patient": patient, "truth": truth, "probability": row.tolist()}
            for (number, case, patient, truth), row in zip(lesions, result.probability, strict=True)
        ],
    }
