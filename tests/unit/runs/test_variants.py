"""The grid: which cells there are, that a cell is repeatable and blind to its fold, and what the tables say of it."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from hakken.cli import main
from hakken.core.errors import HakkenError
from hakken.core.files import read_json, write_json
from hakken.patches.crop_store import CropStore
from hakken.report.grid import OBSERVATIONS, observations, over_conditions, variance
from hakken.stages.figure_grid import figure_grid
from hakken.stages.grid_cell import grid_cell
from hakken.stages.grid_table import grid_table
from hakken.study import Study
from hakken.study.reading import parse_study
from hakken.training.checkpoint import Checkpoints
from hakken.training.grid import CropBatches, cell_study, moved_crops, train_cell
from hakken.training.grid_plan import cell_named, cells_of, conditions_of
from hakken.methods.mean_classifier.learn import linear_probabilities
from hakken.training.loop import Interrupted
from hakken.training.stopping import Deadline

CLASSES = ("dark", "middle", "bright")
CONTENT: dict[str, Any] = {
    "name": "grid",
    "seed": 1,
    "data": "phantom",
    "task": "classification",
    "cohort": {"table": "cases.csv", "truth": "lesion_table", "classes": list(CLASSES)},
    "channels": {
        name: {"modality": "ct", "normalise": "window", "range": [0, 1]} for name in ("early", "late", "plain")
    },
    "reference": "plain",
    "patches": {"axes": 2, "size_voxel": 12, "margin_voxel": 4},
    "parameters": {"patch_size": 10, "batch_size": 6, "learning_rate": 0.003},
    "training": {
        "network": "efficientnet_lite0",
        "input_size": 32,
        "weights": {"efficientnet_lite0": {"path": "w.pth", "sha256": "0" * 64}},
    },
    "evaluation": {"bootstrap": 100},
    "grid": {
        "networks": ["googlenet"],
        "from_scratch": ["efficientnet_lite0"],
        "misregistration": {"shift": [2, 4], "skew": [5, 20]},
        "folds": 3,
        "steps": 2,
        "learning_rates": {"googlenet": 0.5},
        "readers": {"general radiologists": 0.391},
    },
    "figures": ["grid"],
}
FIXED = "efficientnet_lite0-scratch-none0-f1"


@pytest.fixture(scope="module")
def study() -> Study:
    return parse_study(CONTENT)


@pytest.fixture(scope="module")
def store() -> CropStore:
    """18 lesions of 12 patients with two crops each, told apart by their brightness."""
    random = np.random.default_rng(0)
    truth = np.arange(18) % 3
    means = 0.2 + 0.3 * truth[:, None] + 0.02 * random.normal(size=(18, 3))
    crops = np.repeat(means, 2, axis=0)[:, :, None, None] + 0.05 * random.normal(size=(36, 3, 20, 20))
    patient = np.array([f"p{number % 12:02d}" for number in range(18)])
    return CropStore(
        crops=crops.astype(np.float16),
        lesion=np.repeat(np.arange(18), 2),
        case=np.array([f"c{number:02d}" for number in range(18)]),
        patient=patient,
        truth=truth.astype(np.int64),
        fold=np.array([int(name[1:]) // 4 for name in patient], np.int64),
        means=means,
    )


def test_cells_are_networks_by_conditions_by_folds(study: Study) -> None:
    assert study.grid is not None
    kinds = [(one.kind, one.level, one.amount) for one in conditions_of(study.grid)]
    assert kinds == [("none", 0, 0), ("shift", 1, 2), ("shift", 2, 4), ("skew", 1, 5), ("skew", 2, 20)]
    cells = cells_of(study)
    assert len(cells) == len({cell.name for cell in cells}) == 2 * 5 * 3
    assert all(cell_named(study, cell.name) == cell for cell in cells)
    with pytest.raises(HakkenError, match="the grid has no cell `googlenet-shift3-f0`; did you mean"):
        cell_named(study, "googlenet-shift3-f0")
    assert cells_of(study.model_copy(update={"grid": None})) == ()


def test_a_cell_has_its_own_rate_and_leaves_weights_aside_where_it_says_so(study: Study) -> None:
    scratch = cell_study(study, cell_named(study, FIXED))
    assert (scratch.training.network, scratch.training.weights) == ("efficientnet_lite0", {})
    assert scratch.parameters.learning_rate == 0.003
    assert (scratch.training.steps, scratch.training.validate_every) == (2, 2)
    other = cell_study(study, cell_named(study, "googlenet-none0-f0"))
    assert other.parameters.learning_rate == 0.5
    assert other.training.weights == study.training.weights


def test_a_cell_is_repeatable_and_speaks_of_its_fold_alone(study: Study, store: CropStore) -> None:
    cell = cell_named(study, FIXED)
    first, second = (train_cell(study, cell, store, torch.device("cpu")) for _ in range(2))
    assert first.lesions.tolist() == np.flatnonzero(store.fold == 1).tolist()
    assert first.probability.shape == (len(first.lesions), 3)
    assert np.array_equal(first.probability, second.probability)
    assert first.probability.sum(1).tolist() == pytest.approx([1] * len(first.lesions))


def test_a_cell_near_its_time_limit_saves_itself_and_goes_on(study: Study, store: CropStore, tmp_path: Path) -> None:
    cell, cpu = cell_named(study, FIXED), torch.device("cpu")
    expected = train_cell(study, cell, store, cpu)
    for step in (1, 2):
        with pytest.raises(Interrupted, match=f"stopped at step {step} of 2"):
            train_cell(
                study, cell, store, cpu, checkpoints=Checkpoints(tmp_path, "a", 1000), deadline=Deadline(0.0, 0.0)
            )
    resumed = train_cell(study, cell, store, cpu, checkpoints=Checkpoints(tmp_path, "a", 1000))
    assert np.array_equal(resumed.probability, expected.probability)


def test_batches_are_balanced_and_never_show_the_left_out_fold(study: Study, store: CropStore) -> None:
    chosen = np.flatnonzero(store.fold != 2)
    batches = CropBatches(study, torch.from_numpy(store.crops).float(), store, chosen, seed=3)
    seen: Counter[int] = Counter()
    for step in range(20):
        batch = batches.batch(step)
        assert set(store.lesion[batch.patches].tolist()) <= set(chosen.tolist())
        assert batch.images.shape == (6, 3, 10, 10)
        seen.update(batch.targets.tolist())
        assert torch.equal(batch.images, batches.batch(step).images)
    assert set(seen.values()) == {40}


def test_misregistration_moves_all_phases_but_the_reference(study: Study, store: CropStore) -> None:
    still = moved_crops(study, cell_named(study, "googlenet-none0-f0"), store)
    moved = moved_crops(study, cell_named(study, "googlenet-shift2-f0"), store)
    assert torch.equal(still[:, 2], moved[:, 2])
    assert (still[:, :2] != moved[:, :2]).float().mean() > 0.9
    again = moved_crops(study, cell_named(study, "efficientnet_lite0-scratch-shift2-f2"), store)
    assert torch.equal(moved, again)


def test_the_linear_baseline_learns_what_the_means_tell(store: CropStore) -> None:
    found = linear_probabilities(store, 3)
    assert (found.argmax(1) == store.truth).all()
    shuffled = CropStore(**(vars(store) | {"means": np.random.default_rng(1).normal(size=(18, 3))}))
    assert (linear_probabilities(shuffled, 3).argmax(1) == store.truth).mean() < 0.8


@pytest.fixture(scope="module")
def finished(study: Study, store: CropStore, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a whole grid, its cells made up but for one that was trained and one that failed."""
    folder = tmp_path_factory.mktemp("grid")
    store.save(folder / "crops.npz")
    random = np.random.default_rng(5)
    for cell in cells_of(study):
        path = folder / "cells" / f"{cell.name}.json"
        path.parent.mkdir(exist_ok=True)
        if cell.name == FIXED:
            grid_cell(study=study, cell=cell.name, crops=folder / "crops.npz", work=folder / "work", output=path)
            continue
        base = {
            **{"network": cell.network, "start": "random weights", "kind": cell.condition.kind},
            **{"level": cell.condition.level, "amount": cell.condition.amount, "fold": cell.fold},
        }
        if cell.name == "googlenet-skew2-f2":
            write_json(path, base | {"state": "failed", "reason": "diverged", "detail": "nan"})
            continue
        held = np.flatnonzero(store.fold == cell.fold)
        good = 2.0 if cell.network == "googlenet" else 0.5
        logits = random.normal(size=(len(held), 3)) + good * np.eye(3)[store.truth[held]]
        probability = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
        lesions = [
            {
                "lesion": int(number),
                "case_id": str(store.case[number]),
                "patient": str(store.patient[number]),
                "truth": int(store.truth[number]),
                "probability": row.tolist(),
            }
            for number, row in zip(held, probability, strict=True)
        ]
        right = float((probability.argmax(1) == store.truth[held]).mean())
        done = {"state": "complete", "accuracy": right, "balanced_accuracy": right, "loss": 1.0, "seconds": 1.0}
        write_json(path, base | done | {"lesions": lesions})
    grid_table(
        study=study,
        cells=sorted((folder / "cells").glob("*.json")),
        crops=folder / "crops.npz",
        folder=folder,
        table=folder / "cells.csv",
        output=folder / "grid.json",
    )
    return folder


def test_a_failed_cell_is_told_and_does_not_stop_the_grid(finished: Path) -> None:
    result = read_json(finished / "grid.json")
    assert "cell googlenet, skew 20, fold 2: diverged" in result["warnings"]
    (entry,) = [one for one in result["conditions"] if (one["network"], one["amount"]) == ("googlenet", 20)]
    assert (entry["failed"], len(entry["folds"])) == (1, 2)
    assert len((finished / "cells.csv").read_text().splitlines()) == 31


def test_baseline_chance_and_differences_stand_beside_the_networks(finished: Path) -> None:
    result = read_json(finished / "grid.json")
    assert result["chance"] == {"accuracy": pytest.approx(1 / 3), "balanced_accuracy": pytest.approx(1 / 3)}
    assert result["baseline"]["accuracy"]["value"] == 1
    gap = result["against_baseline"]["googlenet"]["accuracy"]
    own = next(one for one in result["conditions"] if one["network"] == "googlenet" and one["kind"] == "none")
    assert gap["value"] == pytest.approx(own["accuracy"]["value"] - 1)
    assert own["lesions"] == 18


@pytest.mark.parametrize(("kind", "factors"), [("shift", "network,amount"), ("skew", "network,amount")])
def test_the_command_gives_the_same_analysis_of_variance(
    finished: Path, tmp_path: Path, kind: str, factors: str
) -> None:
    expected = read_json(finished / "grid.json")["anova"][kind]
    output = tmp_path / "anova.json"
    main(
        [
            *("anova", "--accuracies", str(finished / f"{kind}.csv"), "--factors", factors),
            *("--output", str(output)),
        ]
    )
    found = read_json(output)
    for table in ("type_ii", "type_iii"):
        for mine, theirs in zip(expected[table], found[table], strict=True):
            assert mine["effect"] == theirs["effect"]
            assert mine["ss"] == pytest.approx(theirs["ss"], rel=1e-12)
            assert mine["p"] == pytest.approx(theirs["p"], rel=1e-9)
    assert expected["error"]["df"] == found["error"]["df"]


def test_cells_that_were_not_moved_are_the_amount_of_nothing_of_each_kind(finished: Path) -> None:
    rows = (finished / "shift.csv").read_text().splitlines()
    assert rows[0] == ",".join(OBSERVATIONS)
    amounts = Counter(row.split(",")[3] for row in rows[1:])
    assert amounts == {"0": 6, "2": 6, "4": 6}
    moved = (finished / "moved.csv").read_text().splitlines()[1:]
    assert Counter(row.split(",")[1] for row in moved) == {"shift": 12, "skew": 11}


def test_two_networks_over_all_conditions(finished: Path) -> None:
    cells = [read_json(path) for path in sorted((finished / "cells").glob("*.json"))]
    found = over_conditions(cells, "googlenet", "efficientnet_lite0-scratch", resamples=200, seed=0)
    assert found is not None
    assert (found["lesions"], found["conditions"]) == (14, 5)  # a cell has failed, of the fold with 4 lesions
    assert found["accuracy"]["value"] > 0
    assert over_conditions(cells, "googlenet", "alexnet", resamples=200, seed=0) is None


def test_what_cannot_be_tested_says_why() -> None:
    cell = {"network": "a", "kind": "none", "level": 0, "amount": 0.0, "state": "complete", "accuracy": 0.5}
    found = variance(observations([cell, cell], None), ("network", "amount"), "x.csv")
    assert (found.type_ii, found.reason) == (None, "no factor has two levels or more")
    rows = [{**cell, "network": name} for name in "ab"]
    found = variance(observations(rows, "shift"), ("network", "amount"), "x.csv")
    assert found.reason is not None
    assert "no degree of freedom" in found.reason


def test_the_figure_is_drawn_from_the_result(study: Study, finished: Path, tmp_path: Path) -> None:
    (tmp_path / "cases.csv").write_text("case_id\n")
    outputs = [tmp_path / f"grid.{kind}" for kind in ("pdf", "svg", "png", "json")]
    figure_grid(
        study=study,
        grid=finished / "grid.json",
        table=tmp_path / "cases.csv",
        openings=tmp_path / "openings.jsonl",
        code="x",
        output=outputs,
    )
    assert all(path.is_file() for path in outputs)
    facts = json.loads((tmp_path / "grid.json").read_text())
    assert facts["figure"] == "grid"
    assert facts["data"] == "phantom"
