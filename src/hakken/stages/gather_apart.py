"""Stage `gather_apart`: the network of a depth that was trained apart, and its masks of validation."""

from __future__ import annotations

from pathlib import Path

from hakken.console import progress
from hakken.errors import HakkenError
from hakken.files import read_json
from hakken.stages import stage
from hakken.stages.select_trial import copy_artifact


@stage
def gather_apart(*, trial: Path, model: Path, predictions: Path) -> None:
    """Copy network and predictions of the one ``trial`` of a sweep; raises HakkenError where the training failed."""
    record = read_json(trial)
    if record["state"] != "complete":
        raise HakkenError(f"{record['sweep']} failed ({record['reason']}); choose other `parameters` in the study")
    copy_artifact(record["model"], model)
    copy_artifact(record["prediction"], predictions)
    progress(f"{record['sweep']}: objective {record['objective']:.3f} on validation")
