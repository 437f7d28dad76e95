from __future__ import annotations

from pathlib import Path

from hakken.runs.warm_start import SourceTrial, read_source
from hakken.stages.sweep_table import sweep_table

from ..miniature import publish_trial


def test_the_table_holds_every_trial_and_a_warm_start_reads_it(tmp_path: Path) -> None:
    parameters = {"kernel": 3, "dropout": 0.25}
    failed = {"sweep": "search", "state": "failed", "objective": None, "parameters": {"kernel": 5}}
    complete = {"sweep": "search", "state": "complete", "objective": 0.5, "parameters": parameters}
    trials = [publish_trial(tmp_path, 1, failed), publish_trial(tmp_path, 0, complete)]
    sweep_table(trials=trials, parameters=["kernel", "dropout"], output=tmp_path / "trials.csv")
    assert read_source(tmp_path / "trials.csv") == (
        SourceTrial(0, "complete", 0.5, parameters),
        SourceTrial(1, "failed", None, {"kernel": 5}),
    )
