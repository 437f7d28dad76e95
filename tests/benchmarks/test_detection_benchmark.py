from __future__ import annotations

import subprocess
import sys
from argparse import Namespace
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import SimpleITK as sitk

from hakken.core.errors import HakkenError
from hakken.core.files import read_json, write_json
from hakken.core.volume import Geometry
from hakken.evaluation.bootstrap import Estimate
from hakken.evaluation.measure import PARTIAL
from hakken.imaging.prepared import PreparedCase
from hakken.inference.candidates import Candidates

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture(scope="module")
def sarcomas(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with twelve made-up PET volumes, each with one bright lesion."""
    data = tmp_path_factory.mktemp("data")
    rng = np.random.default_rng(0)
    for number in range(12):
        folder = data / "sts_fdgpet" / f"STS_{number:03d}"
        folder.mkdir(parents=True)
        mask = np.zeros((16, 18, 20), np.uint8)
        z, y, x = (int(rng.integers(3, edge - 3)) for edge in mask.shape)
        mask[z - 1 : z + 2, y - 1 : y + 2, x - 1 : x + 2] = 1
        image = (rng.uniform(0, 2, mask.shape) + 6 * mask).astype(np.float32)
        for name, array in (("PET_image", image), ("PET_mask", mask)):
            written = sitk.GetImageFromArray(array)
            written.SetSpacing((4.0, 4.0, 4.0))
            sitk.WriteImage(written, str(folder / f"{name}.nii.gz"))
    return data


@pytest.fixture(scope="module")
def rotation(benchmark: Any, sarcomas: Path, tmp_path_factory: pytest.TempPathFactory) -> Any:
    sets: ModuleType = benchmark("detection_sets")
    (found,) = sets.prepared(sets.all_sets()["sts_fdgpet"], sarcomas, tmp_path_factory.mktemp("work"))
    return found


def test_every_patient_has_one_part_and_no_order_changes_it(rotation: Any) -> None:
    parts = {part: [case.case_id for case in rotation.cases(part)] for part in rotation.places}
    assert parts["test"] == ["STS_002", "STS_005", "STS_008", "STS_011"]
    assert parts["validation"] == ["STS_004", "STS_010"]
    assert parts["train"] == ["STS_000", "STS_001", "STS_003", "STS_006", "STS_007", "STS_009"]


def test_a_set_whose_images_lack_names_the_folder(benchmark: Any, tmp_path: Path) -> None:
    sets: ModuleType = benchmark("detection_sets")
    with pytest.raises(HakkenError, match="open_ms: is not there; give the folder of the data sets with --data"):
        sets.prepared(sets.all_sets()["open_ms"], tmp_path, tmp_path / "work")


def test_the_classifier_of_a_set_is_the_variant_of_its_study(benchmark: Any) -> None:
    sets = benchmark("detection_sets").all_sets()
    found = {name: one.classifier and one.classifier.method for name, one in sets.items()}
    assert found == {
        "open_ms": "patch_classifier",
        "brain_metastasis": "patch_classifier",
        "sts_fdgpet": None,
        "msd_lung_patches": None,
        "aneurysm_mra": None,
    }
    chosen = sets["brain_metastasis"].classifier
    assert (chosen.parameters.patch_size, chosen.parameters.negative_ratio, chosen.training.steps) == (14, 3, 240)


def test_each_of_three_patients_trains_chooses_and_is_measured_once(benchmark: Any) -> None:
    turned = benchmark("detection_sets").all_sets()["open_ms"].rotations
    assert list(turned) == ["07/26/19", "26/19/07", "19/07/26"]
    for part in ("train", "validation", "test"):
        assert {names for of in turned.values() for names in of[part]} == {"patient07", "patient19", "patient26"}


def test_brightness_finds_bright_lesions_and_is_not_done_twice(benchmark: Any, rotation: Any, tmp_path: Path) -> None:
    runs, table = benchmark("detection_run"), benchmark("detection_table")
    run = runs.Run(rotation, "brightness", 60.0, tmp_path, 0)
    run.train()
    run.predict()
    kept = [path.stat().st_mtime_ns for path in sorted((run.folder / "test").iterdir())]
    run.predict()
    assert [path.stat().st_mtime_ns for path in sorted((run.folder / "test").iterdir())] == kept
    assert "bright on PET" in read_json(run.trained)["rule"]
    (row,) = table.rows_of([table.Worth.of(run)])
    assert row["partial_auc"] > 0.9
    assert row["budget"] == ""
    assert row["less"] is None
    assert row["sizes"] == f"below 50 mm (4) {row['partial_auc']:.3f}"


def test_a_dense_network_keeps_to_its_budget(benchmark: Any, rotation: Any, tmp_path: Path) -> None:
    cost, hakken = benchmark("detection_cost"), benchmark("detection_hakken")
    small = replace(rotation, images=replace(rotation.images, edge=16, batch=2))
    begun = cost.cpu_seconds()
    info = hakken.Dense().train(small, 2.0, tmp_path, 0)
    assert cost.cpu_seconds() - begun < 30
    assert info["steps"] >= hakken.MEASURED
    case = small.cases("test")[0]
    found = hakken.Dense().predict(small, tmp_path, case)
    assert found.shape == case.geometry.shape_zyx
    assert 0 <= found.min() <= found.max() <= 1


@pytest.mark.parametrize("method", ["monai", "nnunet"])
def test_a_peer_learns_and_gives_a_map(benchmark: Any, rotation: Any, tmp_path: Path, method: str) -> None:
    pytest.importorskip({"monai": "monai", "nnunet": "nnunetv2"}[method], reason="comes with benchmarks/detection.txt")
    runs = benchmark("detection_run")
    run = runs.Run(rotation, method, 4.0, tmp_path, 0)
    run.train()
    run.predict()
    assert read_json(run.trained)["steps"] > 0
    for case_id, found in run.candidates().items():
        assert np.isfinite(found.score).all(), case_id


def test_a_map_is_read_by_the_component_tree(benchmark: Any) -> None:
    runs, sets = benchmark("detection_run"), benchmark("detection_sets")
    inference = sets.all_sets()["sts_fdgpet"].study().inference
    grid = Geometry((1, 8, 8))
    case = PreparedCase("a", "a", ("PET",), grid, grid, {}, "", False)
    found = np.zeros((1, 8, 8), np.float32)
    found[0, 1, 1], found[0, 6, 5] = 0.9, 0.4
    read = runs._read({"map": found}, case, inference)
    np.testing.assert_allclose(read.score, [0.9, 0.4], rtol=1e-6)
    np.testing.assert_array_equal(read.voxel, [[0, 1, 1], [0, 6, 5]])


def made(benchmark: Any, rotation: Any, folder: Path, told: tuple[str, int, int]) -> Any:
    """Return a run of a method and seed without a training: it finds the lesions of so many test cases and no more."""
    runs, table = benchmark("detection_run"), benchmark("detection_table")
    method, seed, hits = told
    run = runs.Run(rotation, method, 1.0, folder, seed)
    for number, case in enumerate(rotation.cases("test")):
        place = np.array([case.lesions[0].centre]) + (0 if number < hits else 1000)
        marks = Candidates(place, np.ones(1), np.ones(1), case.geometry.to_voxel(place))
        runs._save(run.folder / "test" / f"{case.case_id}.npz", marks, 0.1)
    write_json(run.trained, {"cpu_seconds": 1.0, "memory_mb": 1, "steps": 1})
    write_json(run.predicted, {"seconds_per_case": 0.1, "memory_mb": 1})
    return table.Worth.of(run)


def test_mean_differences_are_those_of_the_pairs(benchmark: Any, rotation: Any, tmp_path: Path) -> None:
    table = benchmark("detection_table")
    found = [made(benchmark, rotation, tmp_path, told) for told in (("dense", 0, 4), ("monai", 0, 0))]
    own, other = (one.found for one in found)
    assert (own.partial_auc.value, other.partial_auc.value) == (1, 0)
    assert table.mean_difference([own, own], [other, other]) == Estimate(1.0, 1.0, 1.0)
    assert table.mean_difference([own, None], [other, other]) == Estimate(None)
    half = table.mean_difference([own, own], [other, own])
    assert half == Estimate(0.5, 0.5, 0.5)
    assert len(own.replicates[PARTIAL]) == table.RESAMPLES
    rows = table.rows_of(found)
    assert [row["less"] for row in rows] == [None, 1.0]
    assert list(table.seeds_of(found)) == []


def test_several_seeds_are_told_by_mean_worst_and_spread(benchmark: Any, rotation: Any, tmp_path: Path) -> None:
    table = benchmark("detection_table")
    runs = [("dense", 0, 4), ("dense", 1, 4), ("monai", 0, 4), ("monai", 1, 0), ("nnunet", 0, 0)]
    heading, *lines = table.seeds_of([made(benchmark, rotation, tmp_path, run) for run in runs])
    assert heading == "sts_fdgpet all, over seeds:"
    assert lines == [
        "- dense: mean 1.000 of 2, worst 1.000, SD 0.000",
        "- monai: mean 0.500 of 2, worst 0.000, SD 0.707; dense less it 0.500 [0.500, 0.500]",
        "- nnunet: mean 0.000 of 1; dense less it 1.000 [1.000, 1.000]",
    ]


@pytest.mark.parametrize(("methods", "seeds"), [(["brightness"], [3]), (["dense"], [3, 5])])
def test_brightness_has_no_seed(
    benchmark: Any, rotation: Any, tmp_path: Path, methods: list[str], seeds: list[int]
) -> None:
    detection = benchmark("detection")
    options = Namespace(methods=methods, seeds=[3, 5], budget=1.0, work=tmp_path)
    assert [run.seed for run in detection._of_rotation(rotation, rotation.images, options)] == seeds


def test_what_is_not_there_is_left_out_with_a_line(tmp_path: Path) -> None:
    script = [sys.executable, str(BENCHMARKS / "detection.py"), "--sets", "open_ms", "msd_lung_patches"]
    places = ["--data", str(tmp_path / "none"), "--work", str(tmp_path / "work"), "--output", str(tmp_path / "t.md")]
    run = subprocess.run([*script, *places], capture_output=True, text=True, check=True)
    assert "open_ms: left out: " in run.stderr
    assert "msd_lung_patches: left out: " in run.stderr
    assert (tmp_path / "t.md").read_text().startswith("| set | rotation | detector |")
    assert (tmp_path / "t.csv").read_text().startswith("set,rotation,method,seed,budget,")
