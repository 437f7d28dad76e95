"""Windows, levels and mini-batches of the method `dense`, from what images are like and the memory that there is."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from hakken.cli import main
from hakken.commands.own_dense import Windows, axes_of, dense_parameters, windows_of
from hakken.commands.own_images import UNSEEN
from hakken.core.volume import Volume
from hakken.imaging.files import write_volume
from hakken.methods.dense.memory import training_bytes
from hakken.networks.dense_resnet import DenseResNet, Head, widths_of
from hakken.study import Study
from hakken.study.reading import load_study

GB = 1e9
SEEN = replace(UNSEEN, cases=40, examined=12, diameters_mm=(4.0, 6.0, 8.0, 9.0), least_shape_voxel=(200, 220, 160))


@pytest.mark.parametrize(
    ("change", "axes", "why"),
    [
        ({}, 3, "slices are about as thick as pixels are wide"),
        ({"spacing_mm": (0.5, 0.5, 1.5)}, 3, "slices are about as thick as pixels are wide"),
        ({"spacing_mm": (0.5, 0.5, 5.0)}, 2, "slices of 5 mm are more than 3 times as thick as pixels of 0.5"),
        (
            {"spacing_mm": (5.0, 0.5, 0.5)},
            3,
            "slices are about as thick as pixels are wide",
        ),  # sagittal: no slices of z
        (
            {"least_shape_voxel": (200, 200, 20)},
            2,
            "the smallest image has 20 slices, too few to be seen through cubes",
        ),
        ({"least_shape_voxel": (30, 30, 20)}, 3, "slices are about as thick as pixels are wide"),
        ({"flat": True}, 2, "flat images"),
    ],
)
def test_slices_are_seen_one_by_one_where_cubes_do_not_fit(change: dict[str, object], axes: int, why: str) -> None:
    assert axes_of(replace(SEEN, **change)) == (axes, why)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("change", "memory", "expected"),
    [
        ({}, 3 * GB, Windows(3, 48, 4, 2)),
        ({"diameters_mm": (60.0,)}, 3 * GB, Windows(3, 64, 5, 2)),
        ({"spacing_mm": (2.0, 2.0, 2.0), "diameters_mm": (60.0,)}, 3 * GB, Windows(3, 64, 5, 2)),
        ({"least_shape_voxel": (200, 200, 37)}, 3 * GB, Windows(3, 32, 4, 7)),
        ({"least_shape_voxel": (9, 9, 9)}, 3 * GB, Windows(3, 8, 2, 16)),
        ({"flat": True}, 3 * GB, Windows(2, 128, 6, 14)),
        ({"flat": True, "diameters_mm": (200.0,), "least_shape_voxel": (400, 300, 1)}, 3 * GB, Windows(2, 256, 6, 3)),
        ({"spacing_mm": (0.5, 0.5, 5.0), "least_shape_voxel": (100, 90, 12)}, 3 * GB, Windows(2, 88, 5, 16)),
        ({}, 0.7 * GB, Windows(3, 40, 4, 2)),
    ],
)
def test_windows_follow_lesions_images_and_memory(change: dict[str, object], memory: float, expected: Windows) -> None:
    reasons: dict[str, str] = {}
    facts = replace(SEEN, **change)  # type: ignore[arg-type]
    assert windows_of(facts, memory, reasons) == expected
    assert f"{expected.edge} voxels become " in reasons["parameters.levels"]
    assert "a training needs about" in reasons["parameters.patch_size"]


@pytest.mark.parametrize(("axes", "edge", "levels"), [(3, 32, 4), (2, 64, 5)])
def test_the_estimate_of_memory_is_what_a_training_keeps(axes: int, edge: int, levels: int) -> None:
    """What is kept for the backward pass is counted: 11 of the 16 numbers of the estimate."""
    network = DenseResNet(1, {"lesions": Head(1)}, axes, widths=widths_of(8, levels), joining=1)
    kept: dict[int, int] = {}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        found = network(torch.randn(2, 1, *[edge] * axes))
    assert found
    weights = 4 * network.parameter_count
    without_batch = training_bytes(edge, axes, batch_size=0, levels=levels)
    needed = training_bytes(edge, axes, batch_size=2, levels=levels) - without_batch
    assert sum(kept.values()) - weights == pytest.approx(needed * 11 / 16, rel=0.1)


def test_points_and_spheres_are_learnt_as_heat() -> None:
    for truth, target in (("lesion_table", "heat"), ("lesion_mask", None)):
        parameters = dense_parameters(replace(SEEN, truth=truth), 3 * GB, {})  # type: ignore[arg-type]
        assert parameters.get("target") == target


# ---- folders -------------------------------------------------------------------------------------------------------


def ball(shape: tuple[int, int, int], spacing: tuple[float, float, float], radius: float) -> np.ndarray:
    """A ball of ``radius`` mm in the middle of a volume (z, y, x)."""
    z, y, x = np.indices(shape)
    far = [(axis - extent // 2) * edge for axis, extent, edge in zip((z, y, x), shape, spacing[::-1], strict=True)]
    return np.asarray(sum(one**2 for one in far) <= radius**2)


def folder_of(
    folder: Path, shape: tuple[int, int, int], spacing: tuple[float, float, float], *, table: bool = False
) -> Path:
    """Four cases, each in a folder of its own, with a mask of a ball of 12 mm, or a table that says so."""
    random = np.random.default_rng(0)
    for number in range(4):
        place = folder / f"patient{number:02d}"
        place.mkdir(parents=True)
        lesion = ball(shape, spacing, 6.0)
        image = 100 + random.normal(0, 10, shape) + 80 * lesion
        write_volume(place / "T1.nii.gz", Volume(image.astype(np.float32), spacing=spacing))
        if table:
            x, y, z = (extent // 2 * edge for extent, edge in zip(shape[::-1], spacing, strict=True))
            (place / "lesions.csv").write_text(f"lesion,x,y,z,diameter_mm\n1,{x},{y},{z},12\n")
        else:
            write_volume(place / "lesions.nii.gz", Volume(lesion.astype(np.uint8), spacing=spacing))
    return folder


def proposed_of(folder: Path, project: Path) -> Study:
    assert main(["init", "mine", "--data", str(folder)]) == 0
    return load_study(project / "config/studies/mine.yaml", "tiny")


@pytest.mark.parametrize(
    ("grid", "axes", "edge"),
    [(((52, 56, 60), (1.0, 1.0, 1.0)), 3, 48), (((12, 96, 96), (0.8, 0.8, 6.0)), 2, 96)],
)
def test_a_folder_of_masks_becomes_a_dense_study(
    grid: tuple[tuple[int, int, int], tuple[float, float, float]], axes: int, edge: int, project: Path, tmp_path: Path
) -> None:
    study = proposed_of(folder_of(tmp_path / "images", *grid), project)
    assert (study.method, study.preparation.spacing_mm) == ("dense", grid[1])
    chosen = study.parameters
    assert (chosen.axes, chosen.patch_size, chosen.target) == (axes, edge, "labels")  # type: ignore[attr-defined]
    assert set(study.outcomes) == {"candidates", "masks"}
    text = (project / "config/studies/mine.yaml").read_text()
    assert "# Here: edge in voxels: twice the diameter that 90 % of 4 lesions stay below" in text
    assert main(["check", "data/mine/cases.csv", "--study", "mine", "--fast"]) == 0


def test_a_channel_that_half_of_a_folder_have_is_optional(project: Path, tmp_path: Path) -> None:
    folder = folder_of(tmp_path / "images", (52, 56, 60), (1.0, 1.0, 1.0))
    random = np.random.default_rng(1)
    for number in range(3):
        image = 50 + random.normal(0, 10, (52, 56, 60))
        write_volume(folder / f"patient{number:02d}" / "FLAIR.nii.gz", Volume(image.astype(np.float32)))
    study = proposed_of(folder, project)
    assert (study.reference, study.optional) == ("T1", ("FLAIR",))
    assert main(["check", "data/mine/cases.csv", "--study", "mine", "--fast"]) == 0


def test_a_table_of_points_is_learnt_as_heat(project: Path, tmp_path: Path) -> None:
    folder = folder_of(tmp_path / "images", (52, 56, 60), (1.0, 1.0, 1.0), table=True)
    rows = [f"p{n},p{n},patient{n:02d}/T1.nii.gz,patient{n:02d}/lesions.csv" for n in range(4)]
    (folder / "cases.csv").write_text("\n".join(["case_id,patient,T1,lesion_table", *rows]) + "\n")
    study = proposed_of(folder / "cases.csv", project)
    assert (study.method, study.parameters.target) == ("dense", "heat")  # type: ignore[attr-defined]
    assert set(study.outcomes) == {"candidates"}
    assert main(["check", str(folder / "cases.csv"), "--study", "mine", "--fast"]) == 0


def test_pictures_are_seen_flat(project: Path, tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    for kind in ("images", "masks"):
        (tmp_path / "pictures" / kind).mkdir(parents=True)
    for number in range(4):
        lesion = np.zeros((120, 140), np.uint8)
        lesion[30 : 60 + number, 40:80] = 255
        image = (100 + random.normal(0, 10, lesion.shape) + lesion / 4).astype(np.uint8)
        Image.fromarray(image).save(tmp_path / "pictures/images" / f"{number}.png")
        Image.fromarray(lesion).save(tmp_path / "pictures/masks" / f"{number}.png")
    study = proposed_of(tmp_path / "pictures", project)
    chosen = study.parameters
    assert (study.method, chosen.axes, chosen.patch_size) == ("dense", 2, 120)  # type: ignore[attr-defined]
    assert main(["check", "data/mine/cases.csv", "--study", "mine", "--fast"]) == 0


def test_boxes_on_pictures_are_learnt_as_flat_heat(project: Path, tmp_path: Path) -> None:
    random, folder, rows = np.random.default_rng(0), tmp_path / "films", ["case_id,patient,XR,lesion_table"]
    folder.mkdir()
    for number in range(5):
        image = random.normal(100, 10, (120, 140))
        if number < 4:
            image[30:50, 40 + number : 60 + number] += 60
            (folder / f"{number}.csv").write_text(f"x,y,width,height\n{40 + number},30,20,20\n")
        Image.fromarray(image.astype(np.uint8)).save(folder / f"{number}.png")
        rows.append(f"c{number},c{number},{number}.png,{f'{number}.csv' if number < 4 else 'none'}")
    (folder / "cases.csv").write_text("\n".join(rows) + "\n")
    study = proposed_of(folder / "cases.csv", project)
    chosen = study.parameters
    assert (study.method, chosen.axes, chosen.target) == ("dense", 2, "heat")  # type: ignore[attr-defined]
    assert set(study.outcomes) == {"candidates"}
    assert main(["check", str(folder / "cases.csv"), "--study", "mine", "--fast"]) == 0
