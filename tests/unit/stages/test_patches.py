"""Cutting patches as a stage: of all cases, of normal ones alone, with masks or target channels, in slices."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hakken.core.volume import Geometry
from hakken.imaging.prepared import Lesion, PreparedCase, save_prepared
from hakken.patches.sampling import Kind
from hakken.patches.shards import PatchStore
from hakken.stages.patches import patches

STUDY: dict[str, Any] = {
    "name": "toy",
    "seed": 3,
    "method": "patch_classifier",
    "cohort": {"table": "cases.csv"},
    "channels": {"A": {"modality": "mr"}, "B": {"modality": "mr"}},
    "reference": "B",
    "preparation": {"spacing_mm": [1, 1, 2], "mask": "none"},
    "patches": {
        "size_voxel": 4,
        "margin_voxel": 1,
        "positives_per_lesion": 3,
        "easy_negatives_per_case": 5,
        "hard_negatives_per_case": 2,
    },
}
GEOMETRY = Geometry((12, 14, 16), (1.0, 1.0, 2.0), (-5.0, 10.0, 20.0), (0.0, 1.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 1.0))


def prepare(
    folder: Path,
    name: str,
    lesions: dict[int, tuple[int, int, int]],
    kind: Any = "included",
    *,
    digest: str = "",
    outside: tuple[int, ...] = (),
) -> None:
    """Write a prepared case with lesions of 27 voxels around (z, y, x)."""
    image = np.random.default_rng(len(name)).random((2, *GEOMETRY.shape_zyx))
    labels = np.zeros(GEOMETRY.shape_zyx, np.int16)
    described = []
    for number, (z, y, x) in lesions.items():
        labels[z - 1 : z + 2, y - 1 : y + 2, x - 1 : x + 2] = number
        described.append(Lesion(number, *GEOMETRY.to_world([(z, y, x)])[0].tolist(), 3.0, 27.0, kind))
    case = PreparedCase(
        case_id=name,
        patient=name,
        channels=("A", "B"),
        geometry=GEOMETRY,
        source_geometry=GEOMETRY,
        normalisation={},
        pixel_digest=digest,
        has_truth=True,
        lesions=tuple(described),
        outside=outside,
    )
    save_prepared(folder, case, image, np.ones(GEOMETRY.shape_zyx), labels)


def test_all_cases_of_all_batches_are_cut(tmp_path: Path) -> None:
    prepare(tmp_path / "train-0", "a", {1: (5, 5, 5), 2: (8, 10, 12)})
    prepare(tmp_path / "train-1", "b", {})
    batches = [str(tmp_path / "train-0"), str(tmp_path / "train-1")]
    patches(study=STUDY, prepared=batches, output=str(tmp_path / "train"), log=str(tmp_path / "log"))
    store = PatchStore.open(tmp_path / "train", verify="all")
    assert store.contents.kinds == {"easy": 10, "hard": 4, "positive": 6}
    assert sorted(set(store.cases.tolist())) == ["a", "b"]
    assert (tmp_path / "train" / "preview.png").stat().st_size > 1000
    log = (tmp_path / "log").read_text()
    assert "a: 5 easy, 2 hard, 6 positive" in log
    assert "train: 20 patches (10 easy, 4 hard, 6 positive)" in log


def test_the_centre_of_each_patch_is_the_voxel_that_the_index_names(tmp_path: Path) -> None:
    prepare(tmp_path / "train-0", "a", {1: (5, 5, 5)})
    patches(study=STUDY, prepared=[tmp_path / "train-0"], output=tmp_path / "out")
    store = PatchStore.open(tmp_path / "out")
    image = np.load(tmp_path / "train-0" / "a.npy")
    centres = store.read(np.arange(len(store)), 1)[:, :, 0, 0, 0]
    np.testing.assert_array_equal(centres, image[(slice(None), *store.centres.T)].T)
    line = (tmp_path / "out" / "index.csv").read_text().splitlines()[1].split(",")
    x, y, z = GEOMETRY.to_world(store.centres[:1])[0]
    assert line[7:10] == [f"{x:.4f}", f"{y:.4f}", f"{z:.4f}"]


def test_the_same_study_gives_the_same_bytes_and_another_seed_does_not(tmp_path: Path) -> None:
    prepare(tmp_path / "train-0", "a", {1: (5, 5, 5)})
    for name, study in (("one", STUDY), ("two", STUDY), ("other", STUDY | {"seed": 4})):
        patches(study=study, prepared=[tmp_path / "train-0"], output=tmp_path / name)
    first, again, other = ((tmp_path / name / "index.csv").read_bytes() for name in ("one", "two", "other"))
    assert first == again != other
    assert (tmp_path / "one" / "shards.json").read_bytes() == (tmp_path / "two" / "shards.json").read_bytes()


def test_hard_negatives_follow_the_reference_channel(tmp_path: Path) -> None:
    prepare(tmp_path / "train-0", "a", {1: (5, 5, 5)})
    path = tmp_path / "train-0" / "a.npy"
    image = np.load(path)
    image[0, 2, 2, 2] = image[1, 9, 11, 3] = 50
    np.save(path, image)
    patches(study=STUDY, prepared=[tmp_path / "train-0"], output=tmp_path / "out")
    store = PatchStore.open(tmp_path / "out")
    assert [9, 11, 3] in store.centres[store.of_kind(Kind.HARD)].tolist()
    assert [2, 2, 2] not in store.centres[store.of_kind(Kind.HARD)].tolist()


@pytest.mark.parametrize("lesions", [{}, {1: (5, 5, 5)}], ids=["none", "excluded"])
def test_a_part_without_lesions_is_an_error(
    tmp_path: Path, lesions: dict[int, tuple[int, int, int]], capsys: pytest.CaptureFixture[str]
) -> None:
    prepare(tmp_path / "validation-0", "a", lesions, kind="excluded")
    with pytest.raises(SystemExit) as stopped:
        patches(study=STUDY, prepared=[tmp_path / "validation-0"], output=tmp_path / "validation")
    assert stopped.value.code == 2
    assert capsys.readouterr().err == (
        "[patches] error: the split `validation` has no lesions: none of its 1 cases has one that counts; move patients"
        " with lesions into it (column `split` of the case table, or cohort.fractions)\n"
    )
    assert not (tmp_path / "validation").exists()


def test_a_broken_image_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    prepare(tmp_path / "train-0", "a", {1: (5, 5, 5)})
    path = tmp_path / "train-0" / "a.npy"
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(SystemExit):
        patches(study=STUDY, prepared=[tmp_path / "train-0"], output=tmp_path / "out")
    assert f"{path}: cannot be read" in capsys.readouterr().err


def test_a_segmentation_keeps_the_mask_beside_the_image(tmp_path: Path) -> None:
    prepare(tmp_path / "train-0", "a", {1: (5, 5, 5), 7: (8, 10, 12)})
    patches(study=STUDY | {"method": "unet"}, prepared=[tmp_path / "train-0"], output=tmp_path / "o")
    store = PatchStore.open(tmp_path / "o")
    assert (store.layout.channels, store.layout.targets) == (("A", "B", "lesions"), 1)
    labels = np.load(tmp_path / "train-0" / "a.labels.npy")
    centre = store.read(np.arange(len(store)), 1)[:, 2, 0, 0, 0]
    assert centre.tolist() == [float(labels[tuple(place)] > 0) for place in store.centres]
    assert set(centre.tolist()) == {0.0, 1.0}


def test_a_target_channel_comes_after_those_that_are_seen(tmp_path: Path) -> None:
    prepare(tmp_path / "train-0", "a", {1: (5, 5, 5)})
    study = STUDY | {"channels": {"A": {"modality": "pet", "target": True}, "B": {"modality": "ct"}}}
    patches(study=study, prepared=[tmp_path / "train-0"], output=tmp_path / "o")
    store = PatchStore.open(tmp_path / "o")
    assert (store.layout.channels, store.layout.targets) == (("B", "A"), 1)
    image = np.load(tmp_path / "train-0" / "a.npy")
    found = store.read(np.arange(len(store)), 1)[:, :, 0, 0, 0]
    np.testing.assert_array_equal(found, image[(slice(None), *store.centres.T)].T[:, ::-1])


def test_patches_of_two_axes_are_slices(tmp_path: Path) -> None:
    prepare(tmp_path / "train-0", "a", {1: (5, 5, 5)})
    study = STUDY | {"patches": STUDY["patches"] | {"axes": 2}}
    patches(study=study, prepared=[tmp_path / "train-0"], output=tmp_path / "o")
    store = PatchStore.open(tmp_path / "o")
    assert store.layout.patch_shape == (2, 6, 6)
    image = np.load(tmp_path / "train-0" / "a.npy")
    inner = [number for number, (_, y, x) in enumerate(store.centres) if 3 <= y < 12 and 3 <= x < 14]
    for number in inner:
        z, y, x = store.centres[number]
        np.testing.assert_array_equal(store.read(np.array([number]))[0], image[:, z, y - 3 : y + 3, x - 3 : x + 3])
    assert inner


def test_a_flat_image_has_no_patches_of_three_axes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    geometry = Geometry((1, 14, 16))
    case = PreparedCase("x", "x", ("A", "B"), geometry, geometry, {}, "", False)
    save_prepared(tmp_path / "train-0", case, np.ones((2, 1, 14, 16)), np.ones((1, 14, 16)))
    study = STUDY | {"method": "autoencoder"}
    with pytest.raises(SystemExit):
        patches(study=study, prepared=[tmp_path / "train-0"], output=tmp_path / "o")
    assert capsys.readouterr().err == (
        "[patches] error: case x: is a flat image; give the study `patches: {axes: 2}`\n"
    )


def test_an_autoencoder_learns_where_it_is_judged(tmp_path: Path) -> None:
    geometry = Geometry((1, 6, 7))
    case = PreparedCase("x", "x", ("A", "B"), geometry, geometry, {}, "", False)
    save_prepared(tmp_path / "train-0", case, np.ones((2, 1, 6, 7)), np.ones((1, 6, 7)))
    study = STUDY | {
        "method": "autoencoder",
        "patches": {"axes": 2, "size_voxel": 6, "margin_voxel": 0, "easy_negatives_per_case": 9},
        "inference": {"least_inside": 1},
    }
    patches(study=study, prepared=[tmp_path / "train-0"], output=tmp_path / "o")
    assert sorted(PatchStore.open(tmp_path / "o").centres.tolist()) == [[0, 3, 3], [0, 3, 4]]


AUTOENCODER = STUDY | {"method": "autoencoder", "patches": {"size_voxel": 4, "easy_negatives_per_case": 30}}


def test_a_method_that_learns_from_normal_cases_gets_patches_of_those_alone(tmp_path: Path) -> None:
    prepare(tmp_path / "train-0", "a", {})
    prepare(tmp_path / "train-0", "b", {})
    prepare(tmp_path / "train-0", "c", {1: (5, 5, 5)})
    prepare(tmp_path / "train-0", "d", {1: (5, 5, 5)}, kind="excluded")
    patches(study=AUTOENCODER, prepared=[tmp_path / "train-0"], output=tmp_path / "train", log=tmp_path / "log")  # type: ignore[call-arg]
    store = PatchStore.open(tmp_path / "train")
    assert sorted(set(store.cases.tolist())) == ["a", "b"]
    assert store.contents.kinds == {"easy": 60, "hard": 0, "positive": 0}
    assert "train: 2 of 4 cases have lesions and are left out: c, d" in (tmp_path / "log").read_text()


def test_without_a_lesion_free_case_there_is_nothing_to_learn(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    prepare(tmp_path / "train-0", "c", {1: (5, 5, 5)})
    with pytest.raises(SystemExit) as ended:
        patches(study=AUTOENCODER, prepared=[tmp_path / "train-0"], output=tmp_path / "train")
    assert ended.value.code == 2
    assert capsys.readouterr().err == (
        "[patches] error: the split `train` has no normal case: each of its 1 cases has lesions, and the network "
        "learns from cases without; move patients without lesions into it (column `split` of the case table, or "
        "cohort.fractions)\n"
    )


def test_the_same_pixels_under_another_name_give_the_same_patches(tmp_path: Path) -> None:
    for name, digest in (("a", "one"), ("b", "one"), ("c", "two")):
        prepare(tmp_path / name, name, {1: (5, 5, 5)}, digest=digest)
        patches(study=STUDY, prepared=[tmp_path / name], output=tmp_path / f"{name}-patches")
    first, same, other = (PatchStore.open(tmp_path / f"{name}-patches").centres.tolist() for name in "abc")
    assert first == same != other


def test_too_many_lesions_outside_of_the_mask_stop(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    prepare(tmp_path / "train-0", "a", {1: (5, 5, 5), 2: (8, 10, 12)}, outside=(2,))
    with pytest.raises(SystemExit) as exit_:
        patches(study=STUDY, prepared=[tmp_path / "train-0"], output=tmp_path / "train")
    assert exit_.value.code == 2
    assert (
        "error: train: 1 of 2 lesions lies outside of the mask (lesion 2 of a), so that no more than 0.5 of them can "
        "be found; choose another region of interest than `preparation.mask: none`, or accept it: "
        "`evaluation.accept_outside: 0.5`"
    ) in capsys.readouterr().err
    accepted = STUDY | {"evaluation": {"accept_outside": 0.5}}
    patches(study=accepted, prepared=[tmp_path / "train-0"], output=tmp_path / "train")


def test_scalars_stand_before_the_targets_and_patches_come_from_all_levels_of_the_body(tmp_path: Path) -> None:
    """Ten slices of chest, two of thighs: half of the patches come from either."""
    body = np.full(GEOMETRY.shape_zyx, 3, np.uint8)
    body[:2], body[2:4, 5:9, 5:9] = 6, 9
    image = np.random.default_rng(0).random((3, *GEOMETRY.shape_zyx))
    image[2] = 0.25
    case = PreparedCase("a", "a", ("A", "B", "weight"), GEOMETRY, GEOMETRY, {}, "a", True, scalars={"weight": 60.0})
    save_prepared(tmp_path / "train-0", case, image, np.ones(GEOMETRY.shape_zyx), np.zeros(body.shape), body=body)
    ct = {"modality": "ct", "normalise": "window", "range": [-1000, 1000]}
    study = STUDY | {
        "method": "expectation",
        "channels": {"A": ct | {"modality": "pet", "target": True}, "B": ct},
        "scalars": {"weight": {"range": [50, 90], "limits": [20, 300]}},
        "body_regions": {"channel": "B"},
        "patches": {"size_voxel": 4, "margin_voxel": 1, "easy_negatives_per_case": 200, "spread": "regions"},
    }
    patches(study=study, prepared=[tmp_path / "train-0"], output=tmp_path / "o")
    store = PatchStore.open(tmp_path / "o")
    assert (store.layout.channels, store.layout.scalars, store.layout.targets) == (("B", "weight", "A"), 1, 1)
    assert np.unique(store.read(np.arange(len(store)), 1)[:, 1]).tolist() == [0.25]
    assert abs((store.centres[:, 0] < 2).mean() - 0.5) < 0.12
    every = study | {"patches": study["patches"] | {"spread": "slices"}}
    patches(study=every, prepared=[tmp_path / "train-0"], output=tmp_path / "slices")
    counts = np.bincount(PatchStore.open(tmp_path / "slices").centres[:, 0], minlength=12)
    assert counts.min() > 5
