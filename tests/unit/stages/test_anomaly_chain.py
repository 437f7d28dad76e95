"""An anomaly study stage by stage: patches, a trial, optimism, evaluation, tables, errors and figures."""

from __future__ import annotations

import csv
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hakken.core.files import read_json, sha256_file
from hakken.imaging.prepared import load_prepared
from hakken.patches.shards import PatchStore
from hakken.report.measurements import area_of, measurements
from hakken.stages.case_table import case_table
from hakken.stages.evaluate import evaluate
from hakken.stages.figure_anomalies import figure_anomalies
from hakken.stages.figure_froc import figure_froc
from hakken.stages.figure_roc import figure_roc
from hakken.stages.figure_search import figure_search
from hakken.stages.optimism import optimism
from hakken.stages.patches import patches
from hakken.stages.predict import predict
from hakken.stages.reconstruct import reconstruct
from hakken.stages.trial import trial
from hakken.study import Study
from hakken.runs.table import sweep_of

from ..tasks.helpers import prepare_case, study

BALLS: dict[str, list[tuple[float, float, float]]] = {
    "v0": [(8, 9, 10), (14, 18, 16)],
    "v1": [(12, 12, 12)],
    "v2": [],
    "v3": [],
}
PUBLISHED = {"citation": "Sato et al. 2018", "system": "an autoencoder", "result": "AUC 0.87, 68 %, 88 %"}


def anomaly(**changes: Any) -> Study:
    """The miniature study of balls, with an autoencoder that sees noise alone."""
    return study(
        task="anomaly",
        published=PUBLISHED,
        patches={"size_voxel": 8, "easy_negatives_per_case": 30},
        parameters={"patch_size": 8, "poolings": 2, "convolutions": 2, "dropout": 0.0, "learning_rate": 0.005},
        training={"network": "conv_autoencoder", "steps": 8, "validate_every": 4},
        inference={"stride_voxel": 3},
        evaluation={"bootstrap": 100, "strata": []},
        search={"trials": 1, "slots": 1, "space": {"learning_rate": {"type": "real", "low": 0.001, "high": 0.01}}},
        **changes,
    )


@dataclass(frozen=True)
class Chain:
    """Everything up to the evaluation of validation and test, whose cases are the same here."""

    folder: Path
    record: dict[str, Any]

    def file(self, name: str) -> Path:
        return self.folder / name

    @property
    def prepared(self) -> list[Path]:
        return [self.folder / "prepared"]

    def evaluate(self, part: str, **more: Any) -> dict[str, Any]:
        paths = {kind: self.file(f"{part}.{kind}.csv") for kind in ("curve", "strata", "lesions")}
        given = {"study": anomaly(), "candidates": self.file("candidates.csv"), "prepared": self.prepared}
        evaluate(**(given | {"model": "selected", "part": part, "output": self.file(f"{part}.json")} | paths | more))
        return read_json(self.file(f"{part}.json"))


@pytest.fixture(scope="module")
def chain(tmp_path_factory: pytest.TempPathFactory) -> Chain:
    folder = tmp_path_factory.mktemp("anomaly")
    prepare_case(folder / "train", "ta", [])
    prepare_case(folder / "train", "tb", [])
    prepare_case(folder / "train", "tc", [(8, 9, 10)])
    for name, places in BALLS.items():
        prepare_case(folder / "prepared", name, places)
    patches(study=anomaly(), prepared=[folder / "train"], part="train", output=folder / "patches", log=folder / "log")
    trial(
        study=anomaly().model_dump(mode="json"),
        sweep=asdict(sweep_of(anomaly(), "search")),
        number=0,
        patches=folder / "patches",
        prepared=[folder / "prepared"],
        ledger=folder / "ledger",
        work=folder / "work",
        logs=folder / "logs",
        output=folder / "trial.json",
        log=folder / "trial.log",
    )
    record = read_json(folder / "trial.json")
    (folder / "selected.pt").write_bytes(Path(record["model"]["path"]).read_bytes())
    (folder / "candidates.csv").write_bytes(Path(record["prediction"]["path"]).read_bytes())
    (folder / "selected.json").write_text(json.dumps({"models": {"selected": {"number": 0}}, "gpu_seconds": 0}))
    (folder / "cases.csv").write_text("case_id\n")
    built = Chain(folder, record)
    found = built.evaluate("validation")
    sealed = {"sha256": sha256_file(folder / "selected.pt"), "operating_point": found["operating_point"]}
    (folder / "freeze.json").write_text(json.dumps({"models": {"selected": sealed}}))
    built.evaluate("test", operating_threshold=folder / "freeze.json")
    return built


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as stream:
        return list(csv.DictReader(stream))


def test_patches_come_from_lesion_free_cases_alone(chain: Chain) -> None:
    store = PatchStore.open(chain.file("patches"))
    assert sorted(set(store.cases.tolist())) == ["ta", "tb"]
    assert store.contents.kinds == {"easy": 60, "hard": 0, "positive": 0}
    assert "train: 1 of 3 cases have lesions and are left out: tc" in chain.file("log").read_text()


def test_without_a_lesion_free_case_there_is_nothing_to_learn(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    prepare_case(tmp_path / "train", "tc", [(8, 9, 10)])
    with pytest.raises(SystemExit) as ended:
        patches(study=anomaly(), prepared=[tmp_path / "train"], part="train", output=tmp_path / "out")
    assert ended.value.code == 2
    assert capsys.readouterr().err == (
        "[patches] error: the split `train` has no normal case: each of its 1 cases has lesions, and the network "
        "learns from cases without; move patients without lesions into it (column `split` of the case table, or "
        "cohort.fractions)\n"
    )


def test_a_trial_maximises_the_auc_of_the_cases(chain: Chain) -> None:
    record, log = chain.record, chain.file("trial.log").read_text()
    assert (record["state"], [point["step"] for point in record["curve"]]) == ("complete", [4, 8])
    assert f"AUC of the cases {record['objective']:.3f} at step {record['best_step']}" in log
    best = dict.fromkeys(BALLS, 0.0)
    for row in rows(chain.file("candidates.csv")):
        best[row["case_id"]] = max(best[row["case_id"]], float(row["score"]))
    pairs = [(best[a] > best[n]) + (best[a] == best[n]) / 2 for a in ("v0", "v1") for n in ("v2", "v3")]
    assert record["objective"] == sum(pairs) / 4
    assert record["objective"] == chain.evaluate("validation")["roc"]["auc"]["value"]


def test_a_validation_part_of_one_kind_is_told_before_training(
    chain: Chain, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    prepare_case(tmp_path / "prepared", "v0", BALLS["v0"])
    with pytest.raises(SystemExit) as ended:
        trial(
            study=anomaly().model_dump(mode="json"),
            sweep=asdict(sweep_of(anomaly(), "search")),
            number=0,
            patches=chain.file("patches"),
            prepared=[tmp_path / "prepared"],
            ledger=tmp_path / "ledger",
            work=tmp_path / "work",
            logs=tmp_path / "logs",
            output=tmp_path / "trial.json",
        )
    assert ended.value.code == 2
    assert (
        "the part `validation` has no case without lesions; specificity is measured on these" in capsys.readouterr().err
    )


def test_predicting_the_same_cases_gives_the_same_table(chain: Chain, tmp_path: Path) -> None:
    given = {"study": anomaly(), "model": chain.file("selected.pt"), "prepared": chain.prepared}
    predict(**given, output=tmp_path / "again.csv", freeze=chain.file("freeze.json"))
    assert (tmp_path / "again.csv").read_text() == chain.file("candidates.csv").read_text()


def test_the_threshold_of_validation_is_that_of_test(chain: Chain) -> None:
    here, there = read_json(chain.file("validation.json")), read_json(chain.file("test.json"))
    assert here["operating_point"]["chosen_by"] == "youden"
    assert here["operating_point"]["threshold"] == here["roc"]["operating_point"]["threshold"]
    assert there["operating_point"] == here["operating_point"]
    assert (here["roc"]["operating_point"]["chosen"], there["roc"]["operating_point"]["chosen"]) == (
        "here",
        "elsewhere",
    )
    assert here["roc"]["counts"] == {"cases": 4, "abnormal": 2, "normal": 2, "patients": 4}
    assert "partial_auc" in here  # the candidates as points stand beside it


def test_a_frozen_threshold_is_never_moved(chain: Chain, tmp_path: Path) -> None:
    point = {"chosen_by": "youden", "threshold": 1e6}
    (tmp_path / "freeze.json").write_text(json.dumps({"models": {"selected": {"operating_point": point}}}))
    found = chain.evaluate("test", operating_threshold=tmp_path / "freeze.json", output=tmp_path / "test.json")
    found = read_json(tmp_path / "test.json")["roc"]["operating_point"]
    assert (found["threshold"], found["tp"], found["tn"]) == (1e6, 0, 2)
    assert found["ppv"]["value"] is None


def test_the_tables_hold_the_curve_and_every_case(chain: Chain, tmp_path: Path) -> None:
    given = {"evaluation": chain.file("test.json"), "candidates": chain.file("candidates.csv")}
    case_table(**given, prepared=chain.prepared, roc=tmp_path / "roc.csv", cases=tmp_path / "cases.csv")
    measured = read_json(chain.file("test.json"))["roc"]
    curve, cases = rows(tmp_path / "roc.csv"), rows(tmp_path / "cases.csv")
    assert [float(row["tpr"]) for row in curve] == measured["curve"]["tpr"]
    assert (curve[0]["threshold"], curve[0]["fpr"], curve[-1]["fpr"]) == ("", "0.0", "1.0")
    assert [(row["case_id"], row["patient"], row["abnormal"]) for row in cases] == [
        ("v0", "v0", "1"),
        ("v1", "v1", "1"),
        ("v2", "v2", "0"),
        ("v3", "v3", "0"),
    ]
    threshold = measured["operating_point"]["threshold"]
    assert [row["called"] == "1" for row in cases] == [float(row["score"]) >= threshold for row in cases]
    assert sum(row["called"] == "1" and row["abnormal"] == "1" for row in cases) == measured["operating_point"]["tp"]


def test_the_price_of_one_trial_is_small(chain: Chain, tmp_path: Path) -> None:
    optimism(
        study=anomaly(), trials=[chain.file("trial.json")], prepared=chain.prepared, output=tmp_path / "optimism.json"
    )
    found = read_json(tmp_path / "optimism.json")
    assert (found["chosen"], found["models"], found["again"]) == (0, 1, 1.0)
    assert found["naive"]["value"] == chain.record["objective"]
    assert "max_fp" not in found


def errors_of(chain: Chain, folder: Path) -> Path:
    reconstruct(
        study=anomaly(),
        model=chain.file("selected.pt"),
        freeze=chain.file("freeze.json"),
        candidates=chain.file("candidates.csv"),
        prepared=chain.prepared,
        output=folder / "errors",
    )
    return folder / "errors"


def test_errors_are_written_of_abnormal_and_normal_cases(chain: Chain, tmp_path: Path) -> None:
    errors = errors_of(chain, tmp_path)
    shown = read_json(errors / "shown.json")["cases"]
    assert [entry["abnormal"] for entry in shown] == [True, True, False, False]
    for first, second in ((0, 1), (2, 3)):
        assert shown[first]["score"] >= shown[second]["score"]
    entry, case = shown[0], load_prepared(chain.prepared[0], shown[0]["case_id"])
    volume = np.load(errors / f"{entry['case_id']}.npy")
    assert (volume.shape, volume.dtype) == (case.mask().shape, np.float32)
    # Every voxel belongs to some patch, and no patch has a higher mean than the score: so the mean lies below it.
    assert 0 < volume.mean() < entry["score"]
    assert entry["patch_voxel"] == [8, 8, 8]


def test_only_the_frozen_network_reconstructs(chain: Chain, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "freeze.json").write_text(json.dumps({"models": {"selected": {"sha256": "0" * 64}}}))
    with pytest.raises(SystemExit):
        reconstruct(
            study=anomaly(),
            model=chain.file("selected.pt"),
            freeze=tmp_path / "freeze.json",
            candidates=chain.file("candidates.csv"),
            prepared=chain.prepared,
            output=tmp_path / "errors",
        )
    assert "is not the network that" in capsys.readouterr().err


def pictures(folder: Path, name: str) -> list[Path]:
    return [folder / f"{name}.{kind}" for kind in ("pdf", "svg", "png", "json")]


def test_figures_are_drawn_with_their_provenance(
    chain: Chain, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    common = {
        "study": anomaly(),
        "table": chain.file("cases.csv"),
        "openings": tmp_path / "openings.jsonl",
        "code": "c",
    }
    parts = {"validation": chain.file("validation.json"), "test": chain.file("test.json")}
    figure_roc(
        **common,
        **parts,
        default=chain.file("test.json"),
        selected=chain.file("selected.json"),
        output=pictures(tmp_path, "roc"),
    )
    assert "Operating point, chosen on validation by the Youden index: on test " in capsys.readouterr().err
    figure_anomalies(
        **common,
        errors=errors_of(chain, tmp_path),
        prepared=chain.prepared,
        evaluation=chain.file("test.json"),
        output=pictures(tmp_path, "anomalies"),
    )
    figure_search(
        **common,
        trials=[chain.file("trial.json")],
        default=chain.file("trial.json"),
        output=pictures(tmp_path, "search"),
    )
    curves = {f"{part}_curve": chain.file(f"{part}.curve.csv") for part in ("validation", "test")}
    figure_froc(
        **common,
        **parts,
        **curves,
        default=chain.file("test.json"),
        default_curve=chain.file("test.curve.csv"),
        selected=chain.file("selected.json"),
        output=pictures(tmp_path, "froc"),
    )
    for name in ("roc", "anomalies", "search", "froc"):
        assert all(path.stat().st_size > 1000 for path in pictures(tmp_path, name)[:3])
        assert read_json(tmp_path / f"{name}.json")["figure"] == name


def test_the_same_numbers_give_the_same_bytes(chain: Chain, tmp_path: Path) -> None:
    errors = errors_of(chain, tmp_path)
    for name in ("one", "two"):
        figure_anomalies(
            study=anomaly(),
            table=chain.file("cases.csv"),
            openings=tmp_path / "openings.jsonl",
            code="c",
            errors=errors,
            prepared=chain.prepared,
            evaluation=chain.file("test.json"),
            output=[tmp_path / f"{name}.svg"],
        )
    assert (tmp_path / "one.svg").read_bytes() == (tmp_path / "two.svg").read_bytes()


def test_the_report_speaks_of_cases(chain: Chain) -> None:
    found = read_json(chain.file("test.json"))
    evaluations = dict.fromkeys((("validation", "selected"), ("test", "selected"), ("test", "default")), found)
    table = measurements(anomaly(), evaluations, "FPs/case")
    assert [head for head, _ in table.rows] == ["AUC of the cases", "sensitivity", "specificity", "PPV", "NPV"]
    assert (table.counted, table.counts) == ("abnormal cases, normal cases", ("2, 2",) * 3)
    assert table.rows[0][1][1].startswith(f"{area_of(found)['value']:.3f}")
