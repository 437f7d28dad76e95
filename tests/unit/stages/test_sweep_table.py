from __future__ import annotations

import json
from pathlib import Path

from hakken.runs.warm_start import SourceTrial, read_source
from hakken.stages.sweep_table import sweep_table


def test_the_table_holds_every_trial_and_a_warm_start_reads_it(tmp_path: Path) -> None:
    trials = [tmp_path / "0001.json", tmp_path / "0000.json"]
    trials[0].write_text(json.dumps({"number": 1, "state": "failed", "objective": None, "parameters": {"kernel": 5}}))
    parameters = {"kernel": 3, "dropout": 0.25}
    trials[1].write_text(json.dumps({"number": 0, "state": "complete", "objective": 0.5, "parameters": parameters}))
    sweep_table(trials=trials, parameters=["kernel", "dropout"], output=tmp_path / "trials.csv")
    assert read_source(tmp_path / "trials.csv") == (
        SourceTrial(0, "complete", 0.5, parameters),
        SourceTrial(1, "failed", None, {"kernel": 5}),
    )
