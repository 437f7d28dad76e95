"""A segmentation study stage by stage: patches, trainings, threshold, freeze, prediction, measures, costs, figures."""

from __future__ import annotations

import csv
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from hakken.core.errors import HakkenError
from hakken.core.files import read_json, sha256_file
from hakken.imaging.prepared import prepared_cases
from hakken.runs.model_file import load_model
from hakken.networks.unet import Size
from hakken.patches.shards import PatchStore
from hakken.report.masks import read_masks, read_measure
from hakken.report.measurements import measurements
from hakken.stages.apply_threshold import apply_threshold
from hakken.stages.colour_threshold import colour_threshold
from hakken.stages.evaluate_masks import evaluate_masks
from hakken.stages.figure_segmentations import figure_segmentations
from hakken.stages.figure_sizes import figure_sizes
from hakken.stages.freeze import freeze
from hakken.stages.gather_apart import gather_apart
from hakken.stages.optimism import optimism
from hakken.stages.patches import patches
from hakken.stages.predict import predict
from hakken.stages.size_costs import size_costs
from hakken.stages.size_table import size_table
from hakken.stages.trial import trial
from hakken.study import Study
from hakken.runs.table import sweep_of

from ..tasks.helpers import prepare_case, study

BALLS: dict[str, list[tuple[float, float, float]]] = {"v0": [(8, 9, 10), (14, 18, 16)], "v1": [(12, 12, 12)], "v2": []}
MODELS = ("default", "apart-1", "apart-2")
SIZES = [Size(2), Size(1)]


def segmentation() -> Study:
    """The miniature study of balls, with a U-Net of one or two levels."""
    return study(
        task="segmentation",
        published={"citation": "A. Author 2020", "system": "a network", "result": "Dice 88 %"},
        patches={"size_voxel": 8, "easy_negatives_per_case": 10, "jitter_voxel": 2},
        parameters={"patch_size": 8, "poolings": 1, "convolutions": 1, "dropout": 0.0, "learning_rate": 0.02},
        training={"network": "unet", "sizes": {"levels": [1, 2]}, "steps": 24, "validate_every": 12},
        inference={"threshold": 0.5},
        evaluation={"bootstrap": 100, "strata": []},
        search={"trials": 1, "slots": 1, "space": {"learning_rate": {"type": "real", "low": 0.001, "high": 0.05}}},
    )


@dataclass(frozen=True)
class Chain:
    """Everything up to the figures; validation and test are the same cases here."""

    folder: Path
    records: dict[str, dict[str, Any]]

    def file(self, name: str) -> Path:
        return self.folder / name

    def rows(self, name: str) -> list[dict[str, str]]:
        with self.file(name).open(newline="") as stream:
            return list(csv.DictReader(stream))


def train(folder: Path, sweep: str) -> dict[str, Any]:
    trial(
        study=segmentation().model_dump(mode="json"),
        sweep=asdict(sweep_of(segmentation(), sweep)),
        number=0,
        patches=folder / "patches",
        prepared=[folder / "prepared"],
        ledger=folder / "ledger" / sweep,
        work=folder / "work" / sweep,
        logs=folder / "logs",
        output=folder / f"{sweep}.trial.json",
        log=folder / f"{sweep}.log",
    )
    gather_apart(
        trial=folder / f"{sweep}.trial.json",
        model=folder / f"{sweep}.pt",
        predictions=folder / f"{sweep}.validation.csv",
    )
    return read_json(folder / f"{sweep}.trial.json")


def seal(folder: Path, records: dict[str, dict[str, Any]]) -> None:
    chosen = dict.fromkeys(("selected", "default"), records["default"])
    (folder / "selected.json").write_text(json.dumps({"models": chosen}))
    for kind in ("pt", "validation.csv"):
        (folder / f"selected.{kind}").write_bytes((folder / f"default.{kind}").read_bytes())
    (folder / "cases.csv").write_text("case_id\n")
    for name in ("selected", *MODELS):
        (folder / "validation").mkdir(exist_ok=True)
        evaluate_masks(
            study=segmentation(),
            predictions=folder / f"{name}.validation.csv",
            prepared=[folder / "prepared"],
            model=name,
            part="validation",
            output=folder / "validation" / f"{name}.json",
            cases=folder / f"{name}.validation.masks.csv",
        )
    freeze(
        study={"name": "balls", "scale": "paper"},
        selected=folder / "selected.json",
        models=[folder / f"{name}.pt" for name in ("selected", *MODELS)],
        evaluations=[folder / "validation" / f"{name}.json" for name in ("selected", *MODELS)],
        apart=[folder / f"{name}.trial.json" for name in MODELS[1:]],
        baselines=[folder / "rule.json"],
        separated=folder / "cases.csv",
        table=folder / "cases.csv",
        codes={},
        output=folder / "freeze.json",
    )


@pytest.fixture(scope="module")
def chain(tmp_path_factory: pytest.TempPathFactory) -> Chain:
    folder = tmp_path_factory.mktemp("segmentation")
    for name, places in {"ta": [(8.0, 9.0, 10.0)], "tb": [(14.0, 18.0, 16.0)], "tc": []}.items():
        prepare_case(folder / "train", name, places)
    for name, places in BALLS.items():
        prepare_case(folder / "prepared", name, places)
    patches(
        study=segmentation(), prepared=[folder / "train"], part="train", output=folder / "patches", log=folder / "l"
    )
    records = {sweep: train(folder, sweep) for sweep in MODELS}
    prepared = [folder / "prepared"]
    colour_threshold(prepared=prepared, output=folder / "rule.json", predictions=folder / "threshold.validation.csv")
    seal(folder, records)
    apply_threshold(
        rule=folder / "rule.json",
        freeze=folder / "freeze.json",
        prepared=prepared,
        output=folder / "threshold.csv",
    )
    for name in MODELS:
        predict(
            study=segmentation(),
            model=folder / f"{name}.pt",
            freeze=folder / "freeze.json",
            prepared=prepared,
            output=folder / f"{name}.csv",
        )
    for name in (*MODELS, "threshold"):
        evaluate_masks(
            study=segmentation(),
            predictions=folder / f"{name}.csv",
            prepared=prepared,
            model=name,
            part="test",
            operating_threshold=folder / "freeze.json",
            output=folder / f"{name}.json",
            cases=folder / f"{name}.masks.csv",
        )
    size_costs(models=[folder / f"{name}.pt" for name in MODELS], prepared=prepared, output=folder / "costs.csv")
    tables = [folder / f"{name}.masks.csv" for name in (*MODELS, "threshold")]
    size_table(study=segmentation(), tables=tables, costs=folder / "costs.csv", output=folder / "sizes.csv")
    return Chain(folder, records)


def test_patches_carry_the_mask_of_their_lesions(chain: Chain) -> None:
    store = PatchStore.open(chain.file("patches"))
    assert store.layout.channels == ("A", "B", "lesions")
    masks = store.read(np.arange(len(store)))[:, 2]
    assert set(np.unique(masks)) == {0.0, 1.0}


def test_all_sizes_are_trained_once_and_each_depth_apart(chain: Chain) -> None:
    poolings = {name: record["hyperparameters"]["poolings"] for name, record in chain.records.items()}
    assert poolings == {"default": 1, "apart-1": 0, "apart-2": 1}
    assert len({record["seed"] for record in chain.records.values()}) == 1  # the same start and the same batches
    cases = prepared_cases(chain.file("prepared"))
    sizes = {name: list(read_masks(chain.file(f"{name}.csv"), cases)) for name in MODELS}
    assert sizes == {"default": SIZES, "apart-1": SIZES[1:], "apart-2": SIZES[:1]}


def test_the_test_set_is_predicted_as_validation_was(chain: Chain) -> None:
    for name in (*MODELS, "threshold"):
        assert chain.file(f"{name}.csv").read_text() == chain.file(f"{name}.validation.csv").read_text()


def test_what_was_measured(chain: Chain) -> None:
    found = read_json(chain.file("default.json"))
    assert found["counts"] == {"cases": 3, "patients": 3, "lesions": 3}
    assert [(entry["levels"], entry["features"]) for entry in found["sizes"]] == [(2, 1.0), (1, 1.0)]
    assert found["objective"]["value"] == pytest.approx(chain.records["default"]["objective"])
    assert found["operating_point"] == {"chosen_by": "study", "threshold": 0.5}
    rows = chain.rows("default.masks.csv")
    assert len(rows) == 6
    by_hand = [float(row["dice"]) for row in rows if row["levels"] == "2" and row["dice"]]
    assert found["sizes"][0]["dice"]["value"] == pytest.approx(np.mean(by_hand))
    assert found["sizes"][0]["dice"]["cases"] + found["sizes"][0]["dice"]["undefined"] == 3


def test_strata_are_those_of_the_columns(chain: Chain) -> None:
    for path in chain.file("prepared").glob("*.json"):
        content = read_json(path)
        content["columns"] = {"scanner": "A" if content["case_id"] == "v0" else "B"}
        (chain.file("columns") / path.name).parent.mkdir(exist_ok=True)
        (chain.file("columns") / path.name).write_text(json.dumps(content))
        for kind in ("npy", "mask.npy", "labels.npy"):
            source = path.with_name(f"{path.stem}.{kind}")
            (chain.file("columns") / source.name).write_bytes(source.read_bytes())
    evaluation = segmentation().evaluation.model_copy(update={"strata": ("scanner", "site")})
    evaluate_masks(
        study=segmentation().model_copy(update={"evaluation": evaluation}),
        predictions=chain.file("default.csv"),
        prepared=[chain.file("columns")],
        model="default",
        part="validation",
        output=chain.file("strata.json"),
        cases=chain.file("strata.csv"),
    )
    found = read_json(chain.file("strata.json"))
    assert [(row["group"], row["stratum"]) for row in found["strata"]] == [("scanner", "A"), ("scanner", "B")]
    dice = {
        row["case_id"]: float(row["dice"]) for row in chain.rows("strata.csv") if row["levels"] == "2" and row["dice"]
    }
    assert found["strata"][0]["dice"]["value"] == pytest.approx(dice["v0"])
    assert found["strata"][0]["dice"]["low"] is None  # one patient
    assert "no stratum by site: the case table has no such column" in found["warnings"]


def test_the_table_of_sizes(chain: Chain) -> None:
    rows = {(row["model"], row["levels"]): row for row in chain.rows("sizes.csv")}
    assert set(rows) == {("default", "2"), ("default", "1"), ("apart-1", "1"), ("apart-2", "2"), ("threshold", "0")}
    assert rows["default", "1"]["parameters"] == rows["apart-1", "1"]["parameters"]
    assert int(rows["default", "2"]["multiply_adds"]) > int(rows["default", "1"]["multiply_adds"])
    dice = {name: read_measure(chain.file(f"{name}.masks.csv")) for name in (*MODELS, "threshold")}
    own, apart = dice["default"][Size(1)], dice["apart-1"][Size(1)]
    row = rows["default", "1"]
    assert float(row["above_apart"]) == pytest.approx(np.nanmean(own.values - apart.values))
    assert float(row["above_baseline"]) == pytest.approx(np.nanmean(own.values - dice["threshold"][Size(0)].values))
    assert rows["threshold", "0"]["above_baseline"] == ""
    assert rows["apart-1", "1"]["above_apart"] == ""
    assert float(row["latency_ms"]) > 0


def test_the_freeze_names_all_models_and_the_baseline(chain: Chain, capsys: pytest.CaptureFixture[str]) -> None:
    sealed = read_json(chain.file("freeze.json"))
    assert set(sealed["models"]) == {"selected", *MODELS}
    assert sealed["models"]["apart-1"]["sweep"] == "apart-1"
    assert sealed["hashes"]["baselines"] == {"rule.json": sha256_file(chain.file("rule.json"))}
    other = chain.file("other") / "rule.json"
    other.parent.mkdir()
    other.write_text(chain.file("rule.json").read_text() + " ")
    with pytest.raises(SystemExit):
        apply_threshold(rule=other, freeze=chain.file("freeze.json"), prepared=[], output=chain.file("none.csv"))
    assert "is not the baseline that" in capsys.readouterr().err


def test_the_optimism_of_one_trial_is_small(chain: Chain) -> None:
    optimism(
        study=segmentation(),
        trials=[chain.file("default.trial.json")],
        prepared=[chain.file("prepared")],
        output=chain.file("optimism.json"),
    )
    found = read_json(chain.file("optimism.json"))
    assert found["naive"]["value"] == pytest.approx(chain.records["default"]["objective"])
    assert (found["models"], found["chosen"], found["again"]) == (1, 0, 1.0)


def test_the_figures_are_drawn(chain: Chain) -> None:
    (chain.file("openings.jsonl")).write_text("")
    common = {"table": chain.file("cases.csv"), "openings": chain.file("openings.jsonl"), "code": "c"}
    for name in ("sizes", "segmentations"):
        output = [chain.file("figures") / f"{name}.{kind}" for kind in ("pdf", "svg", "png", "json")]
        if name == "sizes":
            rule = chain.file("rule.json")
            figure_sizes(study=segmentation(), sizes=chain.file("sizes.csv"), rule=rule, output=output, **common)
        else:
            figure_segmentations(
                study=segmentation(),
                predictions=chain.file("default.csv"),
                prepared=[chain.file("prepared")],
                cases=chain.file("default.masks.csv"),
                output=output,
                **common,
            )
        assert all(path.stat().st_size > 300 for path in output)
        assert read_json(output[-1])["figure"] == name


def test_the_summary_s_rows(chain: Chain) -> None:
    found = read_json(chain.file("default.json"))
    parts = dict.fromkeys((("validation", "selected"), ("test", "selected"), ("test", "default")), found)
    table = measurements(segmentation(), parts, "FPs/case")
    assert [head for head, _ in table.rows] == [
        "Dice, 2 levels",
        "Dice, 1 level",
        "relative volume error",
        "HD95 in mm",
    ]
    assert table.counts == ("3, 3, 3",) * 3


def test_a_case_without_a_mask_and_an_unknown_one_are_named(chain: Chain, tmp_path: Path) -> None:
    cases = prepared_cases(chain.file("prepared"))
    lines = chain.file("threshold.csv").read_text().splitlines()
    table = tmp_path / "masks.csv"
    table.write_text("\n".join(line for line in lines if not line.startswith("v1")) + "\n")
    with pytest.raises(HakkenError, match="case v1 has no mask at 0 levels; predict it again"):
        read_masks(table, cases)
    table.write_text("\n".join([lines[0], "v9,0,1,0,0"]) + "\n")
    with pytest.raises(HakkenError, match="row 2, column case_id: no case `v9` in the cohort"):
        read_masks(table, cases)
    table.write_text("\n".join([lines[0], "v0,0,1,13000,900"]) + "\n")
    with pytest.raises(HakkenError, match=r"case v0: a run of 900 voxels from 13000 on does not fit"):
        read_masks(table, cases[:1])


def test_a_model_of_one_size_is_written_and_says_the_same(chain: Chain, capsys: pytest.CaptureFixture[str]) -> None:
    from hakken.cli import main

    small, half = chain.file("small.pt"), chain.file("half.pt")
    assert main(["export", str(chain.file("default.pt")), "--levels", "1", "--output", str(small)]) == 0
    assert "1 level," in capsys.readouterr().out
    large, cut = load_model(chain.file("default.pt")).network, load_model(small).network
    image = torch.randn(1, 2, 9, 10, 11)
    with torch.no_grad():
        assert torch.equal(cut(image), large(image, 1))
    predict(study=segmentation(), model=small, prepared=[chain.file("prepared")], output=chain.file("small.csv"))
    of_large = [line for line in chain.file("default.csv").read_text().splitlines() if ",1,1," in line[:8]]
    assert chain.file("small.csv").read_text().splitlines()[1:] == of_large
    assert main(["export", str(chain.file("default.pt")), "--features", "0.5", "--output", str(half)]) == 0
    assert "was not trained at 2 levels, 0.5 of the maps" in capsys.readouterr().out
    with torch.no_grad():
        assert torch.equal(load_model(half).network(image), large(image, 2, 0.5))
    assert main(["export", str(chain.file("default.pt")), "--levels", "7", "--output", str(half)]) == 2
    assert "7 levels: this U-Net has 2; choose 1 to 2" in capsys.readouterr().err


def test_the_mask_of_a_new_case(chain: Chain, capsys: pytest.CaptureFixture[str]) -> None:
    """Images of the prepared grid itself: what is predicted is what the network says of them after normalisation."""
    from hakken.cli import main
    from hakken.imaging.files import read_volume, write_volume
    from hakken.core.volume import Volume

    case = next(case for case in prepared_cases(chain.file("prepared")) if case.case_id == "v0")
    given = []
    for name, values in zip(case.channels, np.asarray(case.image(), np.float32), strict=True):
        write_volume(chain.file(f"{name}.nii.gz"), Volume.on(case.geometry, values))
        given += ["--image", f"{name}={chain.file(name)}.nii.gz"]
    output = chain.file("mask.nii.gz")
    assert main(["predict", "--model", str(chain.file("apart-1.pt")), *given, "--output", str(output)]) == 0
    assert "mask of case by 1 level" in capsys.readouterr().out
    mask = read_volume(output)
    assert mask.geometry.matches(case.geometry)
    assert set(np.unique(mask.array)) <= {0, 1}
    assert mask.array.any()
    assert main(["predict", "--model", str(chain.file("apart-1.pt")), *given, "--output", "mask.csv"]) == 2
    assert "this model gives masks; name a file that ends in .nii.gz" in capsys.readouterr().err
