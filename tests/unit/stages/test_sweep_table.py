from __future__ import annotations

from pathlib import Path

from hakken.runs.warm_start import SourceTrial, read_source
from hakken.stages.sweep_table import sweep_table

from ..miniature import publish_trial


def test_the_table_holds_every_trial_and_a_warm_start_reads_it(tmp_path: Path) -> None:
    parameters = {"kernel": 3, "dropout": 0.25}
    failed = {"sweep": "search", "state": "failed", "objective": None, "parameters": {"kernel": 5}}
    complete = {"sweep": "search", "state": "complete", "objective": 0.5, "parameters": parameters}
    trials = [publish_trial(tmp_path / "search", 1, failed), publish_trial(tmp_path / "search", 0, complete)]
    sweep_table(trials=trials, parameters=["kernel", "dropout"], output=tmp_path / "trials.csv")
    assert read_source(tmp_path / "trials.csv") == (
        SourceTrial(0, "complete", 0.5, parameters),
        SourceTrial(1, "failed", None, {"kernel": 5}),
    )


def test_trials_that_were_trained_again_have_their_mean_and_range(tmp_path: Path) -> None:
    trials = [
        publish_trial(tmp_path / "search", number, {"sweep": "search", "state": "complete", "objective": value} | same)
        for number, value, same in ((0, 0.5, {"parameters": {"kernel": 3}}), (1, 0.25, {"parameters": {"kernel": 5}}))
    ]
    further = [
        publish_trial(
            tmp_path / "confirm",
            seed - 1,
            {"sweep": "confirm", "state": "complete", "objective": value, "parameters": {"kernel": 3}}
            | {"confirms": {"trial": 0, "seed": seed}},
        )
        for seed, value in ((1, 0.25), (2, 0.75))
    ]
    table = tmp_path / "trials.csv"
    sweep_table(trials=trials, confirmations=further, confirm=1, parameters=["kernel"], output=table)
    head, first, second = (line.split(",") for line in table.read_text().splitlines())
    assert dict(zip(head, first, strict=True)).items() >= {
        *{"trainings": "3", "mean": "0.5", "lowest": "0.25", "highest": "0.75", "kernel": "3"}.items()
    }
    assert [second[head.index(name)] for name in ("trainings", "mean", "kernel")] == ["", "", "5"]
    assert read_source(table)[0] == SourceTrial(0, "complete", 0.5, {"kernel": 3})
